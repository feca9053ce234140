"""Artifacts among superpixels and regions: planted ones are found, and tokens read as they are."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from semtok.bench import patch_models, placed_tokens
from semtok.bench.artifacts import examine, examine_placed, of_training
from semtok.bench.placed_tokens import POINTS, PlacedTokens
from semtok.bench.probes import nearest_cosines, neighbour_cosines
from semtok.errors import SemtokError
from semtok.models.encoder import VisionConfig
from semtok.models.gates import gated
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings, GateSettings
from semtok.report.artifacts import draw, draw_first, lines
from semtok.report.placed import placed
from semtok.tokens import shards, superpixel
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows, Regions, SuperpixelRows, pack
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.train.text_tokenizer import learn

WIDTH = 24


def made(planted: bool, images: int = 200) -> tuple[PlacedTokens, np.ndarray]:
    """Tokens that tell their middle and colours, but for outliers; an image has one to six.

    Token t of an image owns the t-th of its columns of points, the last one all that are left.
    """
    random = np.random.default_rng(0)
    counts = random.integers(1, 7, images)
    there = torch.from_numpy(np.arange(6) < counts[:, None])
    middles = torch.from_numpy(random.random((images, 6, 2))).float()
    shown = torch.from_numpy(random.random((images, 6, 3))).float()
    output = torch.from_numpy(random.normal(0, 0.05, (images, 6, WIDTH))).float()
    output[..., :5] += torch.cat([middles, shown], dim=-1)
    # As an input that has its mean taken away cannot tell a sum, each number has its opposite.
    output[..., 5:10] -= torch.cat([middles, shown], dim=-1)
    outlier = (random.random((images, 6)) < 0.1) & there.numpy() & planted
    noise = torch.from_numpy(random.normal(0, 1, output.shape)).float()
    noise *= 20 * output.norm(dim=-1).mean() / noise.norm(dim=-1, keepdim=True)
    output = torch.where(torch.from_numpy(outlier)[..., None], noise, output)
    column = np.minimum(np.arange(POINTS) * 6 // POINTS, counts[:, None] - 1)
    found = PlacedTokens(
        rows=SuperpixelRows(
            np.arange(images),
            column[:, None].repeat(POINTS, axis=1).astype(np.uint16),
            counts,
            random.integers(0, 256, (counts.sum(), 16), np.uint8),
            np.zeros((counts.sum(), 256), np.uint16),
        ),
        patch_size=None,
        there=there,
        embedded=torch.from_numpy(random.normal(0, 1, (images, 6, 8))).float(),
        output=output.masked_fill(~there[..., None], 1e6),  # padding counts nowhere
        middles=middles,
        shown=shown,
        shows="colours",
        owners=column[:, None].repeat(POINTS, axis=1),
    )
    return found, outlier


def test_planted_artifacts_are_found_where_they_are(tmp_path) -> None:
    tokens, outlier = made(planted=True)
    found = examine_placed([tokens])
    there = tokens.there.numpy()
    assert (found.images, found.tokens, found.shows) == (200, "superpixels", "colours")
    assert found.an_image == pytest.approx(there.sum() / 200)
    assert found.share == pytest.approx(outlier.sum() / there.sum())
    assert sum(found.counts) == there.sum()
    strange = np.take_along_axis(outlier, tokens.owners[:, 0], axis=1).mean(axis=0)
    wanted = strange.reshape(found.columns, -1).mean(axis=1)
    np.testing.assert_allclose(found.where, np.tile(wanted, (found.rows, 1)), atol=1e-12)
    normal, planted = found.probes["normal"], found.probes["outlier"]
    assert normal.position_top1 is None
    assert (normal.tokens, planted.tokens) == (
        (there & ~outlier)[100:].sum(),
        outlier[100:].sum(),
    )
    assert normal.position_distance < 0.5 * planted.position_distance
    assert normal.pixel_l2 < 0.5 * planted.pixel_l2
    assert "looked" not in json.dumps(found.as_dict())
    draw(found, "a variant", tmp_path / "report.png")
    assert Image.open(tmp_path / "report.png").size[1] > 800


def test_without_artifacts_none_are_found() -> None:
    found = examine_placed([made(planted=False)[0]])
    assert (found.cutoff, found.share) == (None, 0)
    assert found.probes["outlier"] is None
    told = lines(found)
    assert told[0].endswith(" superpixels each")
    assert "% of the image's side off; colours off by" in told[3]
    assert told[4].startswith("every token is given its geometry")


def test_two_readings_of_halves_are_one_of_all() -> None:
    tokens, _ = made(planted=True)
    whole = examine_placed([tokens])
    cut = int(tokens.rows.region_counts[:70].sum())
    halves = []
    for part, own in ((slice(0, 70), slice(0, cut)), (slice(70, 200), slice(cut, None))):
        rows = SuperpixelRows(
            tokens.rows.image_ids[part],
            tokens.rows.owners[part],
            tokens.rows.region_counts[part],
            tokens.rows.features[own],
            tokens.rows.geometry[own],
        )
        parts = ("there", "embedded", "output", "middles", "shown", "owners")
        some = {name: getattr(tokens, name)[part] for name in parts}
        halves.append(PlacedTokens(rows=rows, patch_size=None, shows="colours", **some))
    assert examine_placed(halves).as_dict() == whole.as_dict()


def test_on_a_grid_the_nearest_inside_are_the_neighbours() -> None:
    embedded = torch.randn(20, 7, generator=torch.Generator().manual_seed(0))
    y, x = torch.meshgrid(torch.arange(4.0), torch.arange(5.0), indexing="ij")
    found = nearest_cosines(embedded, torch.stack([x, y], dim=-1).view(-1, 2)).view(4, 5)
    wanted = neighbour_cosines(embedded[None], 4, 5).view(4, 5)
    torch.testing.assert_close(found[1:-1, 1:-1], wanted[1:-1, 1:-1])
    assert nearest_cosines(embedded[:1], torch.zeros(1, 2)).tolist() == [0]
    two = nearest_cosines(embedded[:2], torch.rand(2, 2))
    torch.testing.assert_close(two, torch.cosine_similarity(*embedded[:2], dim=0).expand(2))


SETTINGS = superpixel.Settings(image_size=16, crop_size=2, levels=2)
VISION = {
    "superpixel": VisionConfig(
        16, None, True, (), False, False, False, geometry_dim=256, registers=2
    ),
    "semantic": VisionConfig(16, None, True, ("on",), True, True, False),
    "semantic_features": VisionConfig(6, None, True, ("on",), False, False, False),
    "grid": VisionConfig(48, 4, False, (), False, False, False, encoder="clip_vision"),
    "gated": VisionConfig(
        12, 16, False, (), False, False, False, registers=1, gates=GateSettings(block=1, bias=0.3)
    ),
}


def region(random: np.random.Generator, count: int, features: np.ndarray) -> Regions:
    sides = random.uniform(0.2, 0.6, (count, 2))
    middle = random.uniform(sides / 2, 1 - sides / 2)
    geometry = np.concatenate([middle, sides, sides.prod(axis=1)[:, None]], axis=1)
    ends = np.array([[0, count - 1]], np.int16)
    return Regions(
        features, geometry.astype(np.float32), np.empty((count, 0), np.int16), ends, ("on",)
    )


@pytest.fixture
def variant(tmp_path):
    """Five images as shards of a tokenizer, and a training with random weights."""

    def make(scheme: str, **collate):
        random = np.random.default_rng(1)
        counts, predicates = (3, 1, 5, 2, 4), ()
        if scheme == "superpixel":
            images = list(random.integers(0, 256, (5, 16, 16, 4), np.uint8))
            sets, schema = superpixel.tokenize(images, [], SETTINGS), superpixel.schema(SETTINGS)
        elif scheme in ("grid", "gated"):
            sets = list(random.integers(0, 256, (5, 8, 8, 3), np.uint8))
            schema = shards.pixels_schema(8)
        elif scheme == "semantic":
            predicates = ("on",)
            cells = [random.integers(0, 256, (each, 4, 4), np.uint8) for each in counts]
            for each in cells:
                each[..., 3] = random.choice([0, 100, 255], each.shape[:2])
                each[:, 0, 3] = 255
                each[..., :3] = each[..., :3] * (each[..., 3:] / 255)
            sets = [region(random, len(each), each.reshape(-1, 16)) for each in cells]
            schema = shards.regions_schema(2, 0)
        else:
            predicates = ("on",)
            told = [random.normal(0, 3, (each, 6)).astype(np.float16) for each in counts]
            sets = [region(random, len(each), each) for each in told]
            schema = shards.region_features_schema(6, 0)
        tokens = {"scheme": scheme, "settings": {"image_size": 16}}
        rows, folder = pack(range(5), sets, predicates), tmp_path / "shards"
        shards.write(folder / "000.arrow", schema, rows, predicates, tokens, "f")
        text = learn(["a red box"], 270, 16)
        torch.manual_seed(0)
        config = ModelConfig(
            EncoderSettings(width=8, depth=3, heads=2, mlp_ratio=2, embedding=6),
            VISION[scheme],
            ScratchText(text.vocabulary, 16, text.end, 8, 1, 2),
        )
        made = ImageTextModel(config)
        if config.vision.gates:
            with torch.no_grad():
                made.vision.gates.weight.normal_()
                for layer in made.vision.gates.threshold:
                    layer.bias.zero_()
        model = checkpoint.Checkpoint(made, text, tokens, Collate(**collate))
        checkpoint.save(tmp_path / "seed-0", model, [], {})
        return tmp_path / "seed-0", folder, rows

    return make


@pytest.mark.parametrize(
    ("scheme", "intangible"),
    [("superpixel", False), ("semantic", True), ("semantic_features", False)],
)
def test_tokens_are_read_as_each_image_alone_has_them(variant, scheme, intangible) -> None:
    folder, path, rows = variant(scheme, intangible=intangible)
    trained = checkpoint.load(folder)
    [found] = placed_tokens.read(trained, TokenShards(path), 9)
    assert found.there.sum(dim=1).tolist() == rows.region_counts.tolist()
    encoder, first = trained.model.vision, 0
    for image, count in enumerate(rows.region_counts):
        alone = trained.collate(TokenShards(path).rows(np.array([image])))
        with torch.inference_mode():
            wanted = encoder.blocks[-1](*encoder.contextualise(alone))
        wanted = wanted[0, encoder.leading : encoder.leading + count]
        torch.testing.assert_close(found.output[image, :count], wanted)
        for number in range(count):
            told = rows.features[first + number].astype(np.float64)
            if scheme == "semantic_features":
                shown = told / np.linalg.norm(told)
            else:
                cells = told.reshape(-1, 4).sum(axis=0)
                shown = cells[:3] / max(cells[3], 1)  # too thin a superpixel shows nothing
            np.testing.assert_allclose(found.shown[image, number], shown, rtol=1e-4)
        first += count


@pytest.mark.parametrize("scheme", ["superpixel", "semantic", "semantic_features"])
def test_a_report_of_a_training_and_its_picture(variant, scheme, tmp_path) -> None:
    folder, path, rows = variant(scheme)
    found = of_training(folder, path)
    names = {"superpixel": ("superpixels", "colours"), "semantic": ("regions", "colours")}
    assert (found.tokens, found.shows) == names.get(scheme, ("regions", "features"))
    assert (found.images, sum(found.counts)) == (5, len(rows.features))
    assert [np.isfinite(each).sum() for each in found.looked.norms] == rows.region_counts.tolist()
    draw(found, scheme, tmp_path / "one.png")
    draw(of_training(folder, path), scheme, tmp_path / "other.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()
    # With scores comes that of a variant with registers.
    brought = draw_first(scheme, folder, path, tmp_path)
    assert brought == (("artifacts.png",) if scheme == "superpixel" else ())


def test_points_belong_to_the_token_that_is_drawn_there(variant) -> None:
    folder, path, rows = variant("superpixel")
    [found] = placed_tokens.read(checkpoint.load(folder), TokenShards(path), 9)
    for owners, (_, drawn) in zip(found.owners, placed(rows, None), strict=True):
        np.testing.assert_array_equal(owners, np.kron(drawn, np.ones((4, 4), int)))


def test_points_of_regions_are_those_of_the_smallest_mask_there(variant) -> None:
    folder, path, rows = variant("semantic")
    [found] = placed_tokens.read(checkpoint.load(folder), TokenShards(path), 9)
    first = 0
    for image, count in enumerate(rows.region_counts):
        for y in range(0, POINTS, 7):
            for x in range(0, POINTS, 7):
                over = []
                for number in range(count):
                    cx, cy, w, h, area = rows.geometry[first + number].astype(float)
                    across = ((x + 0.5) / POINTS - (cx - w / 2)) / w
                    down = ((y + 0.5) / POINTS - (cy - h / 2)) / h
                    if not (0 <= across < 1 and 0 <= down < 1):
                        continue
                    cell = 2 * int(2 * down) + int(2 * across)
                    if rows.features[first + number][4 * cell + 3] > 127.5:
                        over.append((area, number))
                assert found.owners[image, y, x] == (min(over)[1] if over else -1)
        first += count


def test_what_is_not_shown_is_not_asked_for(variant) -> None:
    folder, path, _ = variant("semantic", features="shape")
    found = of_training(folder, path)
    assert found.shows == "nothing"
    assert found.probes["normal"].pixel_l2 is None
    assert "off by" not in lines(found)[3]


def test_patches_of_the_reference_are_those_of_transformers(variant) -> None:
    folder, path, rows = variant("grid", patch_size=4)
    assert isinstance(rows, PixelRows)
    trained = checkpoint.load(folder)
    [(tokens, pixels)] = patch_models.of_variant(trained, TokenShards(path), 9)
    pictures = torch.from_numpy(rows.pixels).permute(0, 3, 1, 2) / 127.5 - 1
    tower = trained.model.vision.tower
    with torch.inference_mode():
        wanted = tower(pixel_values=pictures, output_hidden_states=True).hidden_states[-1][:, 1:]
    torch.testing.assert_close(tokens.output, wanted)
    found = of_training(folder, path)
    assert (found.tokens, found.rows, found.looked) == ("patches", 2, None)
    assert found.as_dict() == examine([(tokens, pixels)]).as_dict()


def test_patches_that_gates_leave_are_those_of_each_image_alone(variant, tmp_path) -> None:
    folder, path, rows = variant("gated", patch_size=2)
    trained = checkpoint.load(folder)
    [found] = placed_tokens.read(trained, TokenShards(path), 9)
    assert 0 < found.there.sum() < found.there.numel()
    encoder = trained.model.vision
    for image in range(5):
        batch = trained.collate(TokenShards(path).rows(np.array([image])))
        with torch.inference_mode():
            x = torch.cat([encoder.embedding(batch), encoder.gates.tokens(torch.ones(1))], dim=1)
            number = torch.arange(-2, 17)  # [CLS], a register, 16 patches, the budget
            for layer, block in enumerate(encoder.blocks):
                weights = encoder.gates(layer, x, x[:, -1])
                weights[:, (number < 0) | (number == 16)] = 1
                left = weights[0] > 0
                x, number = x[:, left], number[left]
                x = gated(block, x, weights[:, left], None)
        patches = (number >= 0) & (number < 16)
        assert np.flatnonzero(found.there[image]).tolist() == number[patches].tolist()
        torch.testing.assert_close(found.output[image][found.there[image]], x[0, patches])
    report = of_training(folder, path)
    assert (report.tokens, report.shows) == ("patches", "pixels")
    assert report.an_image == pytest.approx(found.there.double().sum(dim=1).mean().item())
    for norms, there in zip(report.looked.norms, found.there, strict=True):
        assert np.isfinite(norms).tolist() == [*there.tolist(), False]
    # Points are those of the patch that is drawn there.
    for owners, (_, drawn) in zip(found.owners, placed(rows, 2), strict=True):
        np.testing.assert_array_equal(owners, np.kron(drawn, np.ones((8, 8), int)))
    draw(report, "gated", tmp_path / "report.png")
    assert draw_first("gated", folder, path, tmp_path) == ()


def test_gates_that_leave_nothing_are_told() -> None:
    tokens, _ = made(planted=False)
    nothing = replace(tokens, there=torch.zeros_like(tokens.there))
    with pytest.raises(SemtokError, match="gates drop all tokens"):
        examine_placed([nothing])
    # With none in the images that probes are fitted on, there is no probe.
    late = tokens.there & (torch.arange(200)[:, None] >= 100)
    found = examine_placed([replace(tokens, there=late)])
    assert found.probes == {"normal": None, "outlier": None}
