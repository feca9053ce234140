"""Patches of CLIP and SigLIP, attributed and removed, against transformers' own computation."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import AutoModel

from semtok.bench import benchmark, faithfulness, outside_removal, outside_scoring, removal
from semtok.bench.cases import metrics
from semtok.bench.embedding import Model
from semtok.bench.image_files import ImageFiles
from semtok.bench.outside import OutsideModel, Source
from semtok.bench.outside_folders import of_folder
from semtok.bench.outside_transformers import TransformersModel
from semtok.bench.removal import ATTRIBUTIONS, LIME, RANDOM, SHARES
from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH, Annotations
from semtok.models.attention_maps import rollout
from semtok.models.attributions import component, flow_of
from semtok.tokens.shards import TokenShards
from semtok.version_reader import VersionReader
from tests.bench import tiny_clip
from tests.bench.tiny_clip import PATCH, SIDE

PATCHES = (SIDE // PATCH) ** 2
NAME = "faithfulness"


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request, tmp_path_factory):
    return getattr(tiny_clip, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture
def files(image_files, tmp_path):
    return image_files(tmp_path / "root", tiny_clip.pictures(tmp_path / "root", 3))


@pytest.fixture
def data(files):
    rows = [(n, each, f"{n} red cats") for n, each in enumerate(files.image_ids.tolist())]
    captions = pa.table([*map(list, zip(*rows, strict=True))], CAPTIONS.columns)
    empty = (schema.columns.empty_table() for schema in (TRUTH, SIBLINGS))
    return benchmark.split_data("test", files, Annotations(captions, *empty))


class Theirs:
    """The model as transformers has it, by the attention that it can tell."""

    def __init__(self, folder, pixels):
        self.model = AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
        self.vision, self.pixels = self.model.vision_model, pixels
        self.clip = self.model.config.model_type == "clip"

    def blocks(self, embedded, mask=None):
        self.attentions = []
        hooks = [
            each.self_attn.register_forward_hook(lambda *seen: self.attentions.append(seen[2][1]))
            for each in self.vision.encoder.layers
        ]
        found = self.vision.encoder(embedded, attention_mask=mask).last_hidden_state
        for each in hooks:
            each.remove()
        return found

    def read(self, last, missing=None):
        """Unit features, and what the head attends to."""
        if self.clip:
            pooled = self.vision.post_layernorm(last[:, 0])
            return F.normalize(self.model.visual_projection(pooled), dim=-1), None
        head, x = self.vision.head, self.vision.post_layernorm(last)
        layer = head.attention
        given = (head.probe.expand(len(x), 1, -1), x, x)
        queries, keys, values = (
            F.linear(each, weight, bias).unflatten(-1, (2, -1)).transpose(1, 2)
            for each, weight, bias in zip(
                given, layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3), strict=True
            )
        )
        scores = queries @ keys.mT / keys.shape[-1] ** 0.5
        if missing is not None:
            scores = scores.masked_fill(missing[:, None, None], -torch.inf)
        weights = scores.softmax(dim=-1)
        found = layer.out_proj((weights @ values).transpose(1, 2).flatten(2))
        return F.normalize((found + head.mlp(head.layernorm(found)))[:, 0], dim=-1), weights

    def embedded(self):
        x = self.vision.embeddings(self.pixels)
        return (self.vision.pre_layrnorm(x) if self.clip else x).detach().requires_grad_()

    def without(self, among):
        """Nobody attends to the patches that are missing, and all are there."""
        missing = F.pad(~among, (int(self.clip), 0), value=False)
        mask = torch.zeros(missing.shape).masked_fill(missing, -torch.inf)[:, None, None]
        with torch.no_grad():
            return self.read(self.blocks(self.embedded(), mask), missing)[0]


@pytest.fixture
def both(folder, files):
    """Ours, and theirs, of the same pictures."""
    reader = TransformersModel(folder)
    (ours,) = reader.removable([files.folder / each for each in files.paths])
    return ours, Theirs(folder, ours.pixels)


@pytest.mark.parametrize("left", [1, 5, PATCHES])
def test_what_is_removed_is_as_if_nobody_attended_to_it(both, left):
    ours, theirs = both
    order = torch.rand(3, PATCHES, generator=torch.Generator().manual_seed(left)).argsort(dim=1)
    among = order < left
    with torch.no_grad():
        found = ours.left(among)
        torch.testing.assert_close(found, theirs.without(among), atol=1e-5, rtol=0)
        if left == PATCHES:
            torch.testing.assert_close(found, ours.whole())
        else:
            assert (found - ours.whole()).abs().max() > 1e-3


def test_attributions_are_those_of_its_own_attention_and_gradients(both):
    ours, theirs = both
    prototypes = F.normalize(torch.randn(7, ours.whole().shape[1]), dim=-1)

    def score(vectors):
        return 1000 * vectors @ prototypes[0]

    found = ours.attributions(score, prototypes)
    assert found.keys() == {*ATTRIBUTIONS}

    embedded = theirs.embedded()
    seen = theirs.blocks(embedded)
    features, of_head = theirs.read(seen)
    layers = [*theirs.attentions, *([] if of_head is None else [of_head])]
    gradients = torch.autograd.grad(score(features).sum(), [embedded, *layers])
    maps = [each.detach() for each in layers]
    with torch.no_grad():
        if theirs.clip:
            whole = torch.stack(maps, dim=1)
        else:  # one more token, that the others do not see, and that alone reads them
            own = F.pad(torch.stack(maps[:-1], dim=1), (1, 0, 1, 0))
            own[..., 0, 0] = 1
            last = torch.eye(PATCHES + 1).repeat(3, 1, 2, 1, 1)
            last[:, 0, :, 0] = F.pad(maps[-1][:, :, 0], (1, 0))
            whole = torch.cat([own, last], dim=1)
        # Chefer, Gur and Wolf: from the first layer on, as published.
        relevance = torch.eye(maps[0].shape[-1]).repeat(3, 1, 1)
        through = [
            (each * gradient).clamp(min=0).mean(dim=1)
            for each, gradient in zip(maps, gradients[1:], strict=True)
        ]
        for each in through if theirs.clip else through[:-1]:
            relevance = relevance + each @ relevance
        read = relevance[:, 0] if theirs.clip else (through[-1] @ relevance)[:, 0]
        if theirs.clip:
            tokens = theirs.model.visual_projection(theirs.vision.post_layernorm(seen))
        else:
            tokens = torch.stack(
                [
                    theirs.vision.head(theirs.vision.post_layernorm(each)[:, None])
                    for each in seen.unbind(dim=1)
                ],
                dim=1,
            )
        there = torch.ones(3, PATCHES, dtype=torch.bool)
        wanted = {
            "attention": whole[:, -1, :, 0].mean(dim=1),
            "rollout": rollout(whole)[:, 0],
            "attention_flow": flow_of(whole, there),
            "prototype_component": component(F.normalize(tokens, dim=-1), there, prototypes),
            "gradient_input": (embedded * gradients[0]).sum(dim=-1),
            "attention_gradient": read,
        }
    for name, each in wanted.items():
        each = each[:, -PATCHES:]
        assert each.std() > 1e-4, name
        off = (found[name] - each).abs().max() / each.abs().max()
        assert off < 1e-4, name


def test_it_is_scored_as_a_variant_is(folder, data, tmp_path):
    assert isinstance(data.images, ImageFiles)
    source, images = of_folder(folder), {"test": data.images}
    known = Annotations(data.captions, TRUTH.columns.empty_table(), data.siblings)
    table = outside_scoring.score(source, images, known, [NAME], tmp_path / "out")
    ids = faithfulness.case_ids(data)
    assert {*metrics(table)[NAME]["test"]} == {*ids}
    found = {
        (row["task"], row["case_id"]): row["value"]
        for row in table.to_pylist()
        if row["task"] in ("comprehensiveness", "comprehensiveness_random")
    }
    # The same by a plain loop, of one image and one attribution.
    model, texts = OutsideModel(source), sorted(data.captions["caption"].to_pylist())
    vectors = model.embed_texts(texts).clone()
    (tokens,) = model.removable(data.images, np.array([1]))
    log_probability = removal.choice(tokens, vectors)
    for number, (name, merit) in enumerate(tokens.attributions(log_probability, vectors).items()):
        assert name == ATTRIBUTIONS[number]
        lost = 0.0
        for share in SHARES:
            told = merit[0].argsort(descending=True)[: int(np.ceil(share * PATCHES - 1e-9))]
            among = torch.ones(1, PATCHES, dtype=torch.bool)
            among[0, told] = False
            with torch.no_grad():
                parts = log_probability(tokens.whole()), log_probability(tokens.left(among))
                lost += float(parts[0].exp() - parts[1].exp())
        case = int(data.images.image_ids[1]) * len(ATTRIBUTIONS) + number
        assert found["comprehensiveness", case] == pytest.approx(100 * lost / len(SHARES), abs=1e-4)
    assert len({each for (task, _), each in found.items() if task.endswith(RANDOM)}) == 3


def test_all_images_of_a_split_are_asked_a_few_at_a_time(folder, data, monkeypatch):
    data = replace(data, settings={NAME: {"lime_draws": 30}})
    few = faithfulness.removed(OutsideModel(of_folder(folder)), data, faithfulness.sample(data))
    monkeypatch.setattr(outside_removal, "BATCH", 2)
    again = faithfulness.removed(OutsideModel(of_folder(folder)), data, faithfulness.sample(data))
    np.testing.assert_allclose(few.whole, again.whole, atol=1e-6)
    for name in (*ATTRIBUTIONS, LIME, RANDOM):
        np.testing.assert_allclose(few.without[name], again.without[name], atol=1e-5)
    assert faithfulness.sample(data).tolist() == [1, 2, 3]


def test_a_version_removes_tokens_of_files_as_its_training_does_of_shards(
    trained, image_files, tmp_path
):
    folder = trained.checkpoint / "seed-0"
    model, images = Model(folder), TokenShards(trained.shards["test"])
    (wanted,) = model.removable(images, np.arange(5))
    root = tmp_path / "pictures"
    root.mkdir()
    for number, pixels in enumerate(images.rows(np.arange(5)).pixels):
        Image.fromarray(pixels).save(root / f"{number}.png")
    files = image_files(root, [f"{number}.png" for number in range(5)])
    version = VersionReader("models:/x/1", folder, None)
    (found,) = OutsideModel(Source("x", {}, lambda: version)).removable(files, np.arange(5))
    prototypes = model.embed_texts(["a caption of x", "a caption of y"]).clone()
    with torch.no_grad():
        torch.testing.assert_close(found.whole(), wanted.whole())
        among = torch.tensor([[True, False, True, False]]).expand(5, -1)
        torch.testing.assert_close(found.left(among), wanted.left(among))
    theirs = wanted.attributions(removal.choice(wanted, prototypes), prototypes)
    for name, each in found.attributions(removal.choice(found, prototypes), prototypes).items():
        torch.testing.assert_close(each, theirs[name])
