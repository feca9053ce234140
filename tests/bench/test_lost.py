"""LOST against numpy and scipy, as the paper says it; CorLoc on VOC's layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage
from transformers import ViTImageProcessorPil

from semtok.bench.discovery import discover, reader_of_hub
from semtok.bench.lost import gram_bias, hits, lost
from semtok.bench.patch_models import HubModel
from semtok.data import voc
from semtok.errors import SemtokError
from tests.models.test_patch_tokens import MODELS


def reference(features: np.ndarray, rows: int, columns: int, bias: float) -> tuple | None:
    """The published algorithm in its own words; None where the seed is not in its own mask."""
    products = features @ features.T + bias
    degrees = [
        sum(products[p, q] > 0 for q in range(len(products)) if q != p)
        for p in range(len(products))
    ]
    by_degree = sorted(range(len(products)), key=lambda p: (degrees[p], p))
    seed = by_degree[0]
    similar = [p for p in by_degree[:100] if products[seed, p] > 0]
    mask = (products[similar].sum(axis=0) > 0).reshape(rows, columns)
    labels, _ = ndimage.label(mask)
    own = labels[divmod(seed, columns)]
    if own == 0:
        return None
    ys, xs = np.nonzero(labels == own)
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    sides=st.tuples(st.integers(2, 14), st.integers(2, 14)),
    width=st.integers(1, 5),
    bias=st.floats(-0.5, 1),
)
def test_boxes_are_those_of_the_published_algorithm(seed, sides, width, bias) -> None:
    rows, columns = sides
    features = np.random.default_rng(seed).normal(size=(rows * columns, width))
    wanted = reference(features, rows, columns, bias)
    assume(wanted is not None)
    assert lost(torch.from_numpy(features), numbers(rows, columns), bias) == wanted


def numbers(rows: int, columns: int) -> np.ndarray:
    """Patches in reading order."""
    return np.arange(rows * columns).reshape(rows, columns)


def test_an_object_unlike_its_background_is_found_whatever_the_features_share() -> None:
    """As in DINOv2, all products are positive until a bias tells them apart."""
    random = torch.Generator().manual_seed(0)
    features = torch.tensor([4.0, 1.0, 0.0]).repeat(80, 1).view(8, 10, 3)
    features[2:5, 3:7] = torch.tensor([4.0, -1.0, 0.0])
    features = features.view(80, 3) + 0.05 * torch.randn(80, 3, generator=random)
    assert lost(features, numbers(8, 10)) != (3, 2, 7, 5)
    assert lost(features, numbers(8, 10), gram_bias([features], "centre")) == (3, 2, 7, 5)


def test_biases_of_rules() -> None:
    features = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(0))
    products = features.double() @ features.double().mT
    apart = [each[~np.eye(7, dtype=bool)] for each in products.numpy()]
    assert gram_bias(list(features), "none") == 0
    found = gram_bias(list(features), "centre")
    assert found == pytest.approx(-np.mean([each.mean() for each in apart]))
    found = gram_bias(list(features), "75")
    assert found == pytest.approx(-np.mean([np.percentile(each, 75) for each in apart]))
    for wrong in ("mean", "101", "-1", ""):
        with pytest.raises(SemtokError, match="give none, centre, or a percentile from 0 to 100"):
            gram_bias(list(features), wrong)


def test_a_hit_is_half_the_union_of_any_true_box() -> None:
    truths = np.array([[50.0, 50, 60, 60], [0, 0, 10, 10]])
    assert hits((0, 0, 10, 10), truths)
    assert hits((0, 0, 10, 5), truths)
    assert not hits((0, 0, 10, 4.9), truths)
    assert not hits((0, 0, 15, 15), truths)
    assert not hits((20, 20, 30, 30), truths)
    assert not hits((0, 0, 10, 10), np.empty((0, 4)))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two images in VOC's layout, one of them with two objects."""
    random = np.random.default_rng(0)
    for kind in ("Annotations", "JPEGImages"):
        (tmp_path / kind).mkdir()
    objects = {"a": [(1, 1, 12, 9)], "b": [(5, 6, 20, 18), (1, 2, 3, 4)]}
    for name, boxes in objects.items():
        pixels = random.integers(0, 256, (18, 22, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "JPEGImages" / f"{name}.jpg")
        told = "".join(
            "<object><name>x</name><difficult>1</difficult><bndbox>"
            + "".join(f"<{side}>{at}</{side}>" for side, at in zip(voc._SIDES, box, strict=True))
            + "</bndbox></object>"
            for box in boxes
        )
        size = "<size><width>22</width><height>18</height></size>"
        (tmp_path / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.jpg</filename>{size}{told}</annotation>"
        )
    return tmp_path


def test_boxes_of_voc_count_from_one_and_hold_their_last_pixel(folder) -> None:
    first, second = voc.read(folder)
    assert (first.width, first.height) == (22, 18)
    assert first.boxes.tolist() == [[0, 0, 12, 9]]
    assert second.boxes.tolist() == [[4, 5, 20, 18], [0, 1, 3, 4]]


def test_what_is_no_voc_folder_is_refused(folder) -> None:
    with pytest.raises(SemtokError, match="holds no Annotations"):
        voc.read(folder / "JPEGImages")
    (folder / "JPEGImages/b.jpg").unlink()
    with pytest.raises(SemtokError, match=r"b\.jpg: missing, and b\.xml annotates it"):
        voc.read(folder)
    (folder / "Annotations/a.xml").write_text("<annotation>")
    with pytest.raises(SemtokError, match=r"a\.xml: no annotation in VOC's format"):
        voc.read(folder)


@pytest.mark.parametrize("features", ["keys", "queries", "values"])
def test_boxes_of_a_hub_model_are_in_pixels_of_the_image(folder, features) -> None:
    torch.manual_seed(0)
    made = folder / "model"
    MODELS["registers"]().save_pretrained(made)
    ViTImageProcessorPil(size={"height": 12, "width": 12}).save_pretrained(made)
    model, images = HubModel(str(made)), voc.read(folder)
    found = discover(reader_of_hub(model, features), images, "centre")
    tokens = [model.whole(each.path) for each in images]
    assert all((each.rows, each.columns) == (5, 6) for each in tokens)  # of 4 pixels, padded
    parts = [getattr(each, features)[0] for each in tokens]
    bias = gram_bias(parts, "centre")
    assert found.bias == pytest.approx(bias)
    right = []
    for image, part in zip(images, parts, strict=True):
        wanted = reference(part.double().numpy(), 5, 6, bias)
        assert wanted is not None
        left, top, across, down = (4.0 * each for each in wanted)
        box = (left, top, min(across, 22), min(down, 18))
        assert found.boxes[image.path.name] == box
        right.append(hits(box, image.boxes))
    assert found.corloc == np.mean(right)
    whole = [hits((0, 0, each.width, each.height), each.boxes) for each in images]
    assert found.floor == np.mean(whole)
    shutil.rmtree(made)
