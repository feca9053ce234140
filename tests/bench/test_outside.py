"""Models of transformers against what transformers itself computes, and what is refused."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModel,
    AutoTokenizer,
    CLIPImageProcessorPil,
    CLIPTextModel,
    SiglipImageProcessorPil,
)

from semtok.bench import outside, remembered
from semtok.bench.outside import OutsideModel
from semtok.bench.outside_folders import of_folder
from semtok.errors import SemtokError
from semtok.models.transformer import block_flops
from tests.bench import tiny_clip
from tests.bench.tiny_clip import CONTEXT, DEPTH, MLP, PATCH, SIDE, WIDTH

LONG = "a cat sits on a mat on a mat on a mat on a mat"
CAPTIONS = ["a red cat", "A mat!", "", LONG, "a red cat"]
KINDS = ("clip", "siglip")
PATCHES = (SIDE // PATCH) ** 2


@pytest.fixture(scope="module", params=KINDS)
def folder(request, tmp_path_factory):
    return getattr(tiny_clip, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture
def files(image_files, tmp_path):
    return image_files(tmp_path / "root", tiny_clip.pictures(tmp_path / "root"))


def test_similarities_are_those_of_the_model_itself(folder, files, monkeypatch):
    monkeypatch.setattr(outside, "IMAGES", 2)
    monkeypatch.setattr(outside, "CAPTIONS", 2)
    model = OutsideModel(of_folder(folder))
    found = model.embed_texts(CAPTIONS) @ model.embed_images(files).T
    whole = AutoModel.from_pretrained(folder).eval()
    clip = whole.config.model_type == "clip"
    processor = CLIPImageProcessorPil if clip else SiglipImageProcessorPil
    pictures = [Image.open(files.folder / path).convert("RGB") for path in files.paths]
    pixels = processor.from_pretrained(folder)(pictures, return_tensors="pt")["pixel_values"]
    words = AutoTokenizer.from_pretrained(folder)
    tokens = words(
        CAPTIONS, padding="max_length", max_length=CONTEXT, truncation=True, return_tensors="pt"
    )
    if not clip:  # as its training: padding is read, too
        tokens.pop("attention_mask")
    with torch.no_grad():
        logits = whole(pixel_values=pixels, **tokens).logits_per_image
        wanted = (logits - (0 if clip else whole.logit_bias)) / whole.logit_scale.exp()
    torch.testing.assert_close(found.T, wanted, atol=1e-5, rtol=0)
    assert wanted.std() > 1e-3, "a constant would agree with anything"


def test_vectors_have_unit_length_and_captions_are_embedded_once(folder, files, monkeypatch):
    monkeypatch.setattr(remembered, "REMEMBERED", 3)
    model = OutsideModel(of_folder(folder))
    for vectors in (model.embed_images(files), model.embed_texts(CAPTIONS)):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(vectors)))
    before = model.embed_texts(CAPTIONS)
    assert torch.equal(before[0], before[4])
    assert model.embed_images(files) is model.embed_images(files)
    told = []
    again = model.embed_texts(CAPTIONS[:2], told.append)
    torch.testing.assert_close(again, before[:2])
    assert [each.total for each in told] == [0]
    told.clear()
    model.embed_texts(CAPTIONS[3:4], told.append)
    assert [each.total for each in told] == [1, 1], "the fourth is more than is remembered"


def test_costs_are_counted(folder):
    model, costs = AutoModel.from_pretrained(folder), OutsideModel(of_folder(folder)).costs()
    assert sum(vars(costs.parameters).values()) == model.num_parameters()
    assert costs.parameters.text == sum(
        each.numel() for name, each in model.named_parameters() if name.startswith("text_")
    )
    assert costs.tokens_per_image == PATCHES
    patches = 2 * 3 * PATCH**2 * WIDTH * PATCHES
    clip = model.config.model_type == "clip"
    tokens = PATCHES + clip  # CLIP has a [CLS]
    blocks = DEPTH * block_flops(WIDTH, MLP / WIDTH, queries=tokens, keys=tokens)
    head = 2 * WIDTH * 10  # the projection; SigLIP has a block of one query, without its norms
    if not clip:
        head = block_flops(WIDTH, MLP / WIDTH, queries=1, keys=tokens)
    assert costs.flops_per_image == patches + blocks + head


def test_facts_name_the_bytes(folder, tmp_path):
    facts = OutsideModel(of_folder(folder)).facts()
    assert facts["text_context"] == CONTEXT
    other = tiny_clip.clip(tmp_path / "other", seed=1)
    assert OutsideModel(of_folder(other)).facts()["digest"] != facts["digest"]


def _edited(folder, change):
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, {"format": "pt"})


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (
            lambda f: (f / "config.json").unlink(),
            "holds no model of transformers .* in remote_models: .hub: ID",
        ),
        (lambda f: (f / "config.json").write_text("{"), "holds no model of transformers"),
        (lambda f: CLIPTextModel.from_pretrained(f).save_pretrained(f), "is a clip_text_model mod"),
        (lambda f: (f / "model.safetensors").write_bytes(b"cut"), "holds no safetensors that fit"),
        (lambda f: (f / "preprocessor_config.json").unlink(), "holds no image processor"),
        (lambda f: (f / "tokenizer.json").unlink(), "holds no text tokenizer"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), "holds no text tokenizer"),
        (
            lambda f: _edited(f, lambda w: w.pop("visual_projection.weight")),
            r"has no weights for visual_projection\.weight",
        ),
        (
            lambda f: _edited(f, lambda w: w["visual_projection.weight"].fill_(torch.nan)),
            "embeds images in vectors that are not finite",
        ),
        (
            lambda f: _edited(f, lambda w: w["text_projection.weight"].fill_(0)),
            "embeds captions in vectors that are not finite or 0",
        ),
        (
            lambda f: (f / "preprocessor_config.json").write_text(
                json.dumps({"image_processor_type": "CLIPImageProcessor", "do_resize": False})
            ),
            "its image processor makes 224 x 224 pixels, the model reads 32 x 32",
        ),
    ],
)
def test_what_cannot_be_scored_is_refused_by_name(tmp_path, files, spoil, fault):
    folder = tiny_clip.clip(tmp_path / "mine")
    spoil(folder)
    with pytest.raises(SemtokError, match=f"mine: {fault}"):
        model = OutsideModel(of_folder(folder))
        model.embed_images(files)
        model.embed_texts(CAPTIONS)


def test_tokens_that_are_no_numbers_are_refused_by_name(tmp_path, files):
    folder = tiny_clip.clip(tmp_path / "mine")
    _edited(folder, lambda w: w["vision_model.embeddings.patch_embedding.weight"].fill_(torch.nan))
    model = OutsideModel(of_folder(folder))
    with pytest.raises(SemtokError, match="mine: makes features of tokens that are not finite"):
        list(model.token_maps(files, np.arange(len(files)), "keys"))
    with pytest.raises(SemtokError, match="mine: embeds images in vectors that are not finite"):
        next(model.removable(files, np.arange(1)))


def test_tokens_are_removed_of_a_model_whose_sides_fit_alone(tmp_path, files):
    model = OutsideModel(of_folder(tiny_clip.siglip(tmp_path / "mine", text_width=WIDTH + 4)))
    model.embed_texts(CAPTIONS)
    with pytest.raises(SemtokError, match="embeds images in 16 numbers, the other side in 20"):
        next(model.removable(files, np.arange(1)))


def test_weights_are_not_unpickled(tmp_path):
    folder = tiny_clip.clip(tmp_path / "mine")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(SemtokError, match="mine: holds no safetensors"):
        OutsideModel(of_folder(folder))


def test_a_text_tokenizer_of_another_model(tmp_path):
    folder = tiny_clip.clip(tmp_path / "mine")
    words = AutoTokenizer.from_pretrained(folder)
    words.add_tokens(["more"])
    words.save_pretrained(folder)
    with pytest.raises(SemtokError, match=r"mine: its text tokenizer has .* entries, the model"):
        OutsideModel(of_folder(folder))


def test_sides_of_different_width(tmp_path, files):
    model = OutsideModel(of_folder(tiny_clip.siglip(tmp_path / "mine", text_width=WIDTH + 4)))
    model.embed_images(files)
    with pytest.raises(SemtokError, match="embeds captions in 20 numbers, the other side in 16"):
        model.embed_texts(CAPTIONS)


def test_an_unreadable_image_is_named(tmp_path, files):
    path = files.folder / files.paths[3]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SemtokError, match=r"000004\.png: unreadable image"):
        OutsideModel(of_folder(tiny_clip.clip(tmp_path / "mine"))).embed_images(files)


def test_without_transformers_it_says_what_to_install(tmp_path, monkeypatch):
    folder = tiny_clip.clip(tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        SemtokError,
        match=r"mine: scoring it needs .*pip install -c constraints.txt -e '\.\[clip\]'",
    ):
        OutsideModel(of_folder(folder))
