"""`predict` against the pipeline's own route: annotations -> masks -> token shards -> model."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from mlflow.pyfunc.model import PythonModelContext
from PIL import Image
from pycocotools import mask as pycocotools_mask

from semtok.errors import SemtokError
from semtok.extract import raw, rle
from semtok.extract.raw import RawExtractor
from semtok.given import read_found
from semtok.params import (
    EncoderSettings,
    ExtractorSettings,
    TextSettings,
    TrainSettings,
    VariantSettings,
)
from semtok.predict import Predictor, classify, predict
from semtok.tokens import grid, grid_relations, semantic, shards
from semtok.tokens.extraction import Extraction, ExtractionShard
from semtok.tokens.pixels import decode
from semtok.tokens.rows import pack
from semtok.train import checkpoint
from semtok.train.train import train
from semtok.version_reader import VersionReader

HEIGHT, WIDTH, SIZE = 24, 32, 16
RELATIONS = [(0, "on", 1), (1, "never seen in training", 0)]
TEXTS = ["a red box", "a green box on a blue one"]


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    paths = [folder / "one.jpg", folder / "two.png"]
    for path in paths:
        pixels = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.fixture(scope="module")
def masks() -> list[np.ndarray]:
    """Two overlapping regions, as pixels."""
    found = np.zeros((2, HEIGHT, WIDTH), np.uint8)
    found[0, 3:15, 4:20] = 1
    found[1, 10:24, 12:32] = 1
    return list(found)


def extraction(masks, relations=RELATIONS) -> Extraction:
    return Extraction.of(
        rle.Runs.of([rle.encode(each) for each in masks]),
        HEIGHT,
        WIDTH,
        [(subject, target) for subject, _, target in relations],
        [predicate for _, predicate, _ in relations],
    )


SEMANTIC = {
    "image_size": SIZE, "crop_size": 4, "max_masks": 4, "max_relations": 4, "neighbours": 1,
}  # fmt: skip


GRID_RELATIONS = {"image_size": SIZE, "cell_size": 4, "max_masks": 4, "max_relations": 4}


@pytest.fixture(scope="module")
def models(tmp_path_factory, images, masks) -> dict[str, Path]:
    """A trained checkpoint of each family of tokens."""
    root = tmp_path_factory.mktemp("models")
    pixels = [decode(path, SIZE) for path in images]
    grids = grid.tokenize(pixels, [], grid.Settings(SIZE))
    settings = semantic.Settings(**SEMANTIC)
    found = extraction(masks, RELATIONS[:1])
    regions = semantic.tokenize(pixels, [found] * len(pixels), settings)
    of_grid = grid_relations.Settings(**GRID_RELATIONS)
    schemes = {
        "grid": ({"image_size": SIZE}, grid.schema(grid.Settings(SIZE)), grids, ()),
        "semantic": (SEMANTIC, semantic.schema(settings), regions, ("on",)),
        "grid_relations": (
            GRID_RELATIONS,
            grid_relations.schema(of_grid),
            grid_relations.tokenize(pixels, [found] * len(pixels), of_grid),
            ("on",),
        ),
    }
    schemes["auxiliary"] = schemes["key_mask"] = schemes["grid_relations"]
    schemes["classes"] = schemes["grid"]
    variants = {
        "classes": VariantSettings("grid", patch_size=4),
        "grid": VariantSettings("grid", patch_size=8),
        "grid_relations": VariantSettings(
            "grid_relations", patch_size=8, intangible=True, relation_bias=True
        ),
        "semantic": VariantSettings("semantic", intangible=True, relation_bias=True),
        "auxiliary": VariantSettings(
            "grid_relations", patch_size=8, auxiliary=("masks", "relations")
        ),
        "key_mask": VariantSettings(
            "grid_relations", patch_size=4, key_mask="foreground", registers=2
        ),
    }
    captions = pa.table(
        {"caption_id": [0, 1], "image_id": [7, 8], "caption": ["a red box", "a blue box"]}
    )
    for name, (used, schema, token_sets, predicates) in schemes.items():
        tokens = {"scheme": variants[name].tokenizer, "settings": used}
        for split in ("train", "val"):
            path = root / f"{name}-{split}" / "000.arrow"
            rows = pack([7, 8], token_sets, predicates)
            shards.write(path, schema, rows, predicates, tokens, "f")
        train(
            root / f"{name}-train",
            root / f"{name}-val",
            captions,
            variants[name],
            EncoderSettings(width=8, depth=1, heads=2, mlp_ratio=2.0, embedding=4),
            TextSettings(tower(name), vocabulary=270, context=12, width=8, depth=1, heads=2),
            TrainSettings(1, 2, 1e-3, 0.0, 1, 1.0, (0,), 1, 1),
            0,
            root / name,
            root / "resume" / name,
            "source",
            {},
        )
    return {name: root / name for name in schemes}


def tower(name: str) -> str:
    return "classes" if name == "classes" else "scratch"


def expected(folder, token_sets) -> np.ndarray:
    """Embeddings by way of token shards, as the benchmarks compute them."""
    loaded = checkpoint.load(folder)
    rows = pack(range(len(token_sets)), token_sets, loaded.model.config.vision.predicates)
    with torch.inference_mode():
        return loaded.model.encode_image(loaded.collate(rows)).numpy()


def polygon(x, y, w, h) -> list[list[float]]:
    return [[x, y, x + w, y, x + w, y + h, x, y + h]]


def as_polygons(masks) -> list:
    return [polygon(4, 3, 16, 12), polygon(12, 10, 20, 14)]


def as_rle(masks) -> list:
    return [{"size": [HEIGHT, WIDTH], "counts": rle.encode(each).tolist()} for each in masks]


def as_compressed(masks) -> list:
    found = [pycocotools_mask.encode(np.asfortranarray(each)) for each in masks]
    return [{"size": each["size"], "counts": each["counts"].decode()} for each in found]


def test_grid_is_what_the_shards_give(models, images):
    result = predict(models["grid"], images, TEXTS)
    grids = [decode(path, SIZE)[..., :3] for path in images]
    np.testing.assert_allclose(result.images, expected(models["grid"], grids), atol=1e-6)
    assert result.images.shape == (2, 4)
    assert result.texts.shape == (2, 4)
    np.testing.assert_allclose(np.linalg.norm(result.texts, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(result.similarities, result.images @ result.texts.T, atol=1e-6)


@pytest.mark.parametrize("form", [as_polygons, as_rle, as_compressed])
def test_semantic_is_what_the_shards_give(models, images, masks, form):
    result = predict(
        models["semantic"], images[:1], TEXTS, [form(masks)], [[list(each) for each in RELATIONS]]
    )
    settings = semantic.Settings(**SEMANTIC)
    tokens = semantic.tokenize([decode(images[0], SIZE)], [extraction(masks)], settings)
    np.testing.assert_allclose(result.images, expected(models["semantic"], tokens), atol=1e-6)


def test_patches_with_relations_are_what_the_shards_give(models, images, masks):
    folder = models["grid_relations"]
    result = predict(folder, images[:1], TEXTS, [as_rle(masks)], [RELATIONS])
    settings = grid_relations.Settings(**GRID_RELATIONS)
    tokens = grid_relations.tokenize([decode(images[0], SIZE)], [extraction(masks)], settings)
    np.testing.assert_allclose(result.images, expected(folder, tokens), atol=1e-6)
    unrelated = predict(folder, images[:1], TEXTS, [as_rle(masks)])
    assert np.abs(result.images - unrelated.images).max() > 1e-4


def test_masked_keys_are_those_that_the_given_masks_leave(models, images, masks):
    folder = models["key_mask"]
    assert Predictor(folder).needs_masks
    result = predict(folder, images[:1], TEXTS, [as_rle(masks)])
    settings = grid_relations.Settings(**GRID_RELATIONS)
    tokens = grid_relations.tokenize([decode(images[0], SIZE)], [extraction(masks)], settings)
    np.testing.assert_allclose(result.images, expected(folder, tokens), atol=1e-6)
    everything = predict(folder, images[:1], TEXTS, [[]])  # nothing found: the whole image
    assert np.abs(result.images - everything.images).max() > 1e-4


def test_bytes_are_the_same_as_files(models, images, masks):
    for name, found in (("grid", None), ("semantic", [as_rle(masks)] * 2)):
        one = predict(models[name], images, TEXTS, found)
        same = predict(models[name], [path.read_bytes() for path in images], TEXTS, found)
        np.testing.assert_array_equal(one.images, same.images)


def test_relations_matter_and_masks_matter(models, images, masks):
    def embed(masks, relations):
        return predict(models["semantic"], images[:1], TEXTS, [masks], [relations]).images

    whole = embed(as_rle(masks), RELATIONS)
    assert np.abs(whole - embed(as_rle(masks), [])).max() > 1e-4
    assert np.abs(whole - embed(as_rle(masks[:1]), [])).max() > 1e-4


def test_nothing_found_is_the_whole_image(models, images):
    everything = [{"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}]
    nothing = predict(models["semantic"], images[:1], TEXTS, [[]])
    np.testing.assert_allclose(
        nothing.images,
        predict(models["semantic"], images[:1], TEXTS, [everything]).images,
        atol=1e-6,
    )


@pytest.mark.parametrize("name", ["grid", "auxiliary"])
def test_pixels_alone_need_no_masks_and_ignore_them(name, models, images, masks):
    assert not Predictor(models[name]).needs_masks
    without = predict(models[name], images, TEXTS)
    np.testing.assert_array_equal(
        without.images, predict(models[name], images, TEXTS, [as_rle(masks)] * 2).images
    )


def test_semantic_without_masks_says_what_it_needs(models, images):
    assert Predictor(models["semantic"]).needs_masks
    with pytest.raises(SemtokError, match=r"one.jpg: this model reads masks; give.*RLE.*--masks"):
        predict(models["semantic"], images, TEXTS)


def test_an_extractor_finds_what_is_not_given(models, images):
    settings = ExtractorSettings("superpixels", "geometry", {"superpixels": {"regions": 4}})
    extractor = RawExtractor(settings, {})
    result = predict(models["semantic"], images, TEXTS, extractor=extractor)
    tokens = semantic.tokenize(
        [decode(path, SIZE) for path in images],
        [
            ExtractionShard(seen.masks, seen.scene_graphs).of(seen.image_id)
            for path in images
            for seen in [extractor.extract(path.read_bytes(), HEIGHT, WIDTH)]
        ],
        semantic.Settings(**SEMANTIC),
    )
    np.testing.assert_allclose(result.images, expected(models["semantic"], tokens), atol=1e-6)
    # What is given goes before what would be found.
    named = predict(models["semantic"], images, TEXTS, [[], []], extractor=extractor)
    nothing = predict(models["semantic"], images, TEXTS, [[], []])
    np.testing.assert_array_equal(named.images, nothing.images)


def test_a_served_model_takes_its_extractor_along(models, images, tmp_path):
    from semtok.tracking.serving_model import ServedModel

    settings = ExtractorSettings("superpixels", "geometry", {"superpixels": {"regions": 4}})
    raw.pack(settings, {}, tmp_path)
    rows = [
        {"image": base64.b64encode(path.read_bytes()).decode(), "texts": TEXTS} for path in images
    ]
    artifacts = {"checkpoint": str(models["semantic"]), "extractor": str(tmp_path)}
    context = PythonModelContext(artifacts, None)
    served = ServedModel()
    served.load_context(context)
    answers = served.predict(context, pd.DataFrame(rows))
    extractor = RawExtractor(settings, {})
    wanted = predict(models["semantic"], images, TEXTS, extractor=extractor)
    found = [answer["image_embedding"] for answer in answers]
    np.testing.assert_allclose(found, wanted.images, atol=1e-6)


def test_requests_at_the_same_time_are_each_answered_with_their_own_image(models, images):
    settings = ExtractorSettings("superpixels", "geometry", {"superpixels": {"regions": 4}})
    predictor = Predictor(models["semantic"], RawExtractor(settings, {}))
    alone = [predictor.embed_images([path]) for path in images]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda path: predictor.embed_images([path]), images * 40))
    np.testing.assert_allclose(answers, alone * 40, atol=1e-6)


def test_no_images_or_no_texts(models, images):
    result = predict(models["grid"], [], TEXTS)
    assert result.similarities.shape == (0, 2)
    assert predict(models["grid"], images, []).similarities.shape == (2, 0)


def test_a_classifier_says_how_likely_its_classes_are(models, images):
    named = classify(models["classes"], images)
    assert named.classes == ("a blue box", "a red box")
    cosines = predict(models["classes"], images, named.classes).similarities.astype(np.float64)
    scale = checkpoint.load(models["classes"]).model.logit_scale.item()
    wanted = np.exp(scale * cosines) / np.exp(scale * cosines).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(named.probabilities, wanted, atol=1e-5)
    with pytest.raises(SemtokError, match=r"knows no classes; name captions \(--text\)"):
        classify(models["grid"], images)
    with pytest.raises(SemtokError, match="'a green box': is no class"):
        predict(models["classes"], images, ["a green box"])


def test_many_are_the_same_as_one_by_one(models, images):
    predictor = Predictor(models["grid"])
    many = predictor.embed_images(images * 40)
    np.testing.assert_allclose(many[:2], many[-2:], atol=1e-6)
    assert many.shape == (80, 4)
    assert predictor.embed_texts(TEXTS * 40).shape == (80, 4)


@pytest.mark.parametrize(
    ("mask", "fault"),
    [
        (
            {"size": [WIDTH, HEIGHT], "counts": [0, 768]},
            r"its size is \[32, 24\], the image's \[24",
        ),
        ({"size": [HEIGHT, WIDTH], "counts": [0, 767]}, "its runs cover 767 pixels"),
        ({"size": [HEIGHT, WIDTH], "counts": [768]}, "it is empty"),
        ({"size": [HEIGHT, WIDTH], "counts": [-1, 769]}, "neither a string nor a list"),
        ({"size": [HEIGHT, WIDTH], "counts": "\x00"}, "no RLE string"),
        ({"size": [HEIGHT, WIDTH], "counts": [2**70]}, "neither a string nor a list"),
        ({"size": [HEIGHT, WIDTH]}, "neither a string nor a list"),
        ([[1, 2, 3, 4]], "three corners"),
        ([[0, 0, 500, 0, 500, 9]], "outside its image"),
        ([["a"] * 6], "no number"),
        ([[10**400, 0, 500, 0, 500, 9]], "no number"),
        ([[True, 0, 9, 0, 9, 9]], "no number"),
        ({"size": [HEIGHT, WIDTH], "counts": "\ud800"}, "no RLE string"),
        ([], "no polygon"),
        ("a path", "neither a list of polygons nor an RLE"),
        (7, "neither a list of polygons nor an RLE"),
    ],
)
def test_a_faulty_mask_is_named(models, images, masks, mask, fault):
    with pytest.raises(SemtokError, match=rf"one.jpg: masks\[2\]: .*{fault}"):
        predict(models["semantic"], images[:1], TEXTS, [[*as_rle(masks), mask]])


def test_a_caption_that_is_no_text_is_named(models):
    with pytest.raises(SemtokError, match=r"caption 1: .*surrogate"):
        Predictor(models["grid"]).embed_texts(["a red box", "a \ud800 box"])


@pytest.mark.parametrize(
    "relation",
    [
        [0, "on", 2],
        [-1, "on", 0],
        ["0", "on", 1],
        [0, 1, "on"],
        [0, "on"],
        [True, "on", 0],
        [0, "on", True],
        [[0], "on", 1],
        "on",
        3,
    ],
)
def test_a_faulty_relation_is_named(models, images, masks, relation):
    with pytest.raises(SemtokError, match=r"one.jpg: relations\[1\]: give \[subject"):
        predict(models["semantic"], images[:1], TEXTS, [as_rle(masks)], [[RELATIONS[0], relation]])


def test_a_predicate_that_is_no_text_is_named(models, images, masks):
    with pytest.raises(SemtokError, match=r"one.jpg: relations\[0\]: holds a lone surrogate"):
        predict(models["semantic"], images[:1], TEXTS, [as_rle(masks)], [[[0, "\ud800", 1]]])


def test_masks_and_relations_that_are_no_lists_are_named(models, images, masks):
    no_relations = [(as_rle(masks), each, "relations") for each in ("on", {}, "", 0, False)]
    for found, relations, name in ((7, [], "masks"), *no_relations):
        with pytest.raises(SemtokError, match=rf"one.jpg: {name}: give a list"):
            predict(models["semantic"], images[:1], TEXTS, [found], [relations])


def test_relations_without_the_masks_that_they_number_are_refused(models, images):
    settings = ExtractorSettings("superpixels", "geometry", {"superpixels": {"regions": 4}})
    extractor = RawExtractor(settings, {})

    def embed(relations):
        found = predict(models["semantic"], images[:1], [], None, [relations], extractor)
        return found.images

    np.testing.assert_array_equal(embed([]), embed(None))
    with pytest.raises(SemtokError, match=r"one.jpg: relations\[0\]: .*number the 0 given masks"):
        embed([[0, "on", 1]])
    with pytest.raises(SemtokError, match=r"one.jpg: relations: give a list"):
        embed({})


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0 cut"])
def test_a_faulty_image_is_named(models, tmp_path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(SemtokError, match=r"broken.jpg: not a readable JPEG or PNG"):
        predict(models["grid"], [path], TEXTS)
    with pytest.raises(SemtokError, match="image 0: not a readable JPEG or PNG"):
        predict(models["grid"], [content], TEXTS)


def test_a_truncated_image_is_named(models, images):
    with pytest.raises(SemtokError, match="image 0: unreadable image"):
        predict(models["grid"], [images[0].read_bytes()[:-200]], TEXTS)


def test_a_missing_image_is_named(models, tmp_path):
    with pytest.raises(SemtokError, match=r"nowhere.png.*No such file"):
        predict(models["grid"], [tmp_path / "nowhere.png"], TEXTS)


def test_masks_for_other_images_than_given(models, images, masks):
    with pytest.raises(SemtokError, match="masks: 1 given for 2 images"):
        predict(models["semantic"], images, TEXTS, [as_rle(masks)])


def test_reads_masks_and_relations_from_a_file(tmp_path):
    path = tmp_path / "found.json"
    row = {"masks": [[[1, 1, 5, 1, 5, 5]]], "relations": [[0, "on", 0]]}
    path.write_text(json.dumps([row, {"masks": []}]))
    assert read_found(path) == ([row["masks"], []], [row["relations"], []])


@pytest.mark.parametrize("content", ["", "{}", "[1]", "[[]]", '[{"relations": []}]'])
def test_a_faulty_file_of_masks_is_named(tmp_path, content):
    path = tmp_path / "found.json"
    path.write_text(content)
    with pytest.raises(SemtokError, match=r"found.json.*masks"):
        read_found(path)


def test_a_missing_file_of_masks_is_named(tmp_path):
    with pytest.raises(SemtokError, match=r"found.json: unreadable"):
        read_found(tmp_path / "found.json")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("classes", "models:/own/3: is a classifier and reads no captions"),
        ("semantic", "models:/own/3: reads masks and takes no extractor along"),
    ],
)
def test_what_benchmarks_cannot_ask_of_a_version_is_refused_by_name(models, name, fault):
    with pytest.raises(SemtokError, match=fault):
        VersionReader("models:/own/3", models[name], None)
