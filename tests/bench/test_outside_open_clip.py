"""Models of open_clip against what open_clip itself computes, where it can be imported."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from PIL import Image

from semtok.bench import removal, token_maps
from semtok.bench.outside import OutsideModel
from semtok.bench.outside_folders import of_folder
from semtok.errors import SemtokError
from semtok.models.transformer import block_flops
from tests.bench import tiny_clip, tiny_open_clip

CAPTIONS = ["a red cat", "a cat sits on a mat on a mat on a mat on a mat", "a red cat"]

needs_open_clip = pytest.mark.skipif(
    not (find_spec("open_clip") and find_spec("torchvision")),
    reason="open_clip is not installed: it needs torchvision, which the CPU build of torch lacks",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_open_clip.save(tmp_path_factory.mktemp("open_clip") / "mine")


@needs_open_clip
def test_similarities_are_those_of_the_model_itself(folder, image_files, tmp_path):
    import open_clip

    files = image_files(tmp_path / "root", tiny_clip.pictures(tmp_path / "root"))
    model = OutsideModel(of_folder(folder))
    found = model.embed_texts(CAPTIONS) @ model.embed_images(files).T
    place = f"local-dir:{folder}"
    whole, _, transform = open_clip.create_model_and_transforms(place)
    words = open_clip.get_tokenizer(place)(CAPTIONS)
    pictures = [transform(Image.open(files.folder / path)) for path in files.paths]
    with torch.no_grad():
        images, texts, *_ = whole.eval()(torch.stack(pictures), words)
    torch.testing.assert_close(found, texts @ images.T, atol=1e-5, rtol=0)
    assert found.std() > 1e-3, "a constant would agree with anything"


@needs_open_clip
@pytest.mark.parametrize("features", ["keys", "queries", "values"])
def test_tokens_are_those_of_the_model_itself(folder, image_files, tmp_path, features):
    import open_clip

    files = image_files(tmp_path / "root", tiny_clip.pictures(tmp_path / "root"))
    model = OutsideModel(of_folder(folder))
    found = [*model.token_maps(files, np.arange(len(files)), features)]
    visual = open_clip.create_model(f"local-dir:{folder}").eval().visual
    side, rows = tiny_open_clip.SIDE, tiny_open_clip.SIDE // tiny_open_clip.PATCH
    last = visual.transformer.resblocks[-1]
    part = ["queries", "keys", "values"].index(features)
    for each, path in zip(found, files.paths, strict=True):
        with Image.open(files.folder / path) as image:
            small = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy((np.asarray(small, np.float32) / 255 - 0.5) / 0.25)
        with torch.no_grad():
            # What reaches the last block, and what its attention makes of it.
            before = visual.forward_intermediates(
                pixels.permute(2, 0, 1)[None],
                indices=[tiny_open_clip.DEPTH - 2],
                output_fmt="NLC",
                output_extra_tokens=True,
                intermediates_only=True,
            )["image_intermediates"][0]
            weights = last.attn.in_proj_weight.chunk(3)[part]
            wanted = (last.ln_1(before) @ weights.T + last.attn.in_proj_bias.chunk(3)[part])[0]
        torch.testing.assert_close(each.features, wanted, atol=1e-5, rtol=0)
        assert each.owners.shape == (rows, rows)
    assert token_maps.refusal(model.contestant()) == ""


@needs_open_clip
def test_its_patches_are_removed_and_attributed_as_open_clip_reads_them(
    folder, image_files, tmp_path
):
    import open_clip

    files = image_files(tmp_path / "root", tiny_clip.pictures(tmp_path / "root", 2))
    model = OutsideModel(of_folder(folder))
    (tokens,) = model.removable(files, np.arange(2))
    assert tokens.scale == pytest.approx(1 / 0.07, rel=0.2)
    visual = open_clip.create_model(f"local-dir:{folder}").eval().visual
    patches = (tiny_open_clip.SIDE // tiny_open_clip.PATCH) ** 2
    among = torch.rand(2, patches, generator=torch.Generator().manual_seed(0)).argsort(dim=1) < 5
    with torch.no_grad():
        torch.testing.assert_close(tokens.whole(), model.embed_images(files))
        embedded = visual._embeds(tokens.pixels)
        left = torch.stack(
            [torch.cat([x[:1], x[1:][there]]) for x, there in zip(embedded, among, strict=True)]
        )
        wanted = visual.ln_post(visual.transformer(left))[:, 0] @ visual.proj
        wanted = torch.nn.functional.normalize(wanted, dim=-1)
        torch.testing.assert_close(tokens.left(among), wanted, atol=1e-5, rtol=0)
        *others, last = visual.transformer.resblocks
        x = embedded
        for each in others:
            x = each(x)
        read = last.ln_1(x)
        weights = last.attn(read, read, read, average_attn_weights=False)[1]
    found = tokens.attributions(lambda vectors: vectors[:, 0], tokens.whole().detach())
    assert found.keys() == {*removal.ATTRIBUTIONS}
    torch.testing.assert_close(found["attention"], weights[:, :, 0, 1:].mean(dim=1))
    assert all(each.shape == (2, patches) and each.std() > 0 for each in found.values())


@needs_open_clip
def test_a_vision_side_of_timm_is_not_asked_about_its_tokens(tmp_path):
    vision = {"timm_model_name": "test_vit", "timm_model_pretrained": False, "image_size": 160}
    model = OutsideModel(of_folder(tiny_open_clip.save(tmp_path / "mine", **vision)))
    told = "the encoder TimmModel of open_clip does not tell what becomes of each token"
    assert token_maps.refusal(model.contestant()) == told


@needs_open_clip
def test_costs_are_counted(folder):
    import open_clip

    model, costs = (
        open_clip.create_model(f"local-dir:{folder}"),
        OutsideModel(of_folder(folder)).costs(),
    )
    assert sum(vars(costs.parameters).values()) == sum(each.numel() for each in model.parameters())
    vision = sum(each.numel() for each in model.visual.parameters())
    assert costs.parameters.blocks + costs.parameters.embeddings == vision
    side, patch, width = (getattr(tiny_open_clip, name) for name in ("SIDE", "PATCH", "WIDTH"))
    patches = (side // patch) ** 2
    assert costs.tokens_per_image == patches
    blocks = tiny_open_clip.DEPTH * block_flops(width, 4, queries=patches + 1, keys=patches + 1)
    wanted = 2 * 3 * patch**2 * width * patches + blocks + 2 * width * 10
    assert costs.flops_per_image == wanted


@needs_open_clip
def test_a_damaged_model_is_refused_by_name(folder, tmp_path):
    other = tmp_path / "mine"
    other.mkdir()
    (other / "open_clip_config.json").write_text("{")
    (other / "open_clip_model.safetensors").write_bytes(b"cut")
    with pytest.raises(SemtokError, match="mine: holds no model of open_clip"):
        OutsideModel(of_folder(other))


def test_weights_are_not_unpickled(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text("{}")
    torch.save({}, folder / "open_clip_pytorch_model.bin")
    with pytest.raises(SemtokError, match="mine: holds no safetensors; others are not unpickled"):
        OutsideModel(of_folder(folder))


def test_weights_that_open_clip_may_prefer_are_refused(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("open_clip_config.json", "model.safetensors", "open_clip_pytorch_model.bin"):
        (folder / name).write_bytes(b"{}")
    told = r"mine: open_clip may read open_clip_pytorch_model\.bin, which is not unpickled"
    with pytest.raises(SemtokError, match=told):
        OutsideModel(of_folder(folder))


@pytest.mark.parametrize(("config", "library"), [("{}", "open_clip"), ('{"model_type": 1}', "tr")])
def test_a_config_of_timm_is_none_of_transformers(tmp_path, monkeypatch, config, library):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (folder / name).write_bytes(b"{}")
    (folder / "config.json").write_text(config)
    for name in ("open_clip", "transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SemtokError, match=f"mine: scoring it needs {library}"):
        OutsideModel(of_folder(folder))


@needs_open_clip
def test_a_vision_side_without_patches_is_refused_before_it_is_asked(tmp_path):
    folder = tiny_open_clip.save(tmp_path / "mine", layers=[1, 1, 1, 1])
    with pytest.raises(SemtokError, match="mine: its vision side is no transformer of patches"):
        OutsideModel(of_folder(folder))


def test_without_open_clip_it_says_what_to_install(tmp_path, monkeypatch):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (folder / name).write_bytes(b"{}")
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(SemtokError, match="mine: scoring it needs open_clip, which needs torchv"):
        OutsideModel(of_folder(folder))
