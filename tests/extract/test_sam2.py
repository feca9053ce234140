"""SAM 2 as a mask backend: a tiny one, asked about a grid of points."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from pycocotools import mask as pycocotools_mask
from transformers import Sam2Model

from semtok.errors import SemtokError
from semtok.extract import sam2
from semtok.extract.backends import find_backend
from tests.extract import tiny_segmenters
from tests.extract.conftest import Extraction
from tests.extract.looked_at import assert_alike, by_image, look, overlaps, sizes

#: Random weights are sure of nothing.
LAX = {"points": 4, "score": 0.0, "stable": 0.0, "same": 1.0, "masks": 1000}

SIDE = 64  # pixels of a picture as the tiny model reads it


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(tiny_segmenters.written("sam2", tmp_path_factory.mktemp("sam2") / "model"))


def point_by_point(tiny: Extraction, model: str, image_id: int) -> list[tuple[float, np.ndarray]]:
    """Score and logits [H, W] of each mask, asked of the library with nothing of ours."""
    height, width = sizes(tiny)[image_id]
    image = Image.open(tiny.root / f"train2017/{image_id:012d}.jpg")
    pixels = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32) / 255
    pixels = (pixels - [0.485, 0.456, 0.406]) / np.array([0.229, 0.224, 0.225])
    values = torch.tensor(pixels, dtype=torch.float32).permute(2, 0, 1)[None]
    network = Sam2Model.from_pretrained(model).eval()
    found = []
    for row in range(4):
        for column in range(4):
            place = torch.tensor([[[[(column + 0.5) / 4 * SIDE, (row + 0.5) / 4 * SIDE]]]])
            with torch.no_grad():
                answer = network(pixel_values=values, input_points=place)
            logits = F.interpolate(answer.pred_masks[0], (height, width), mode="bilinear")[0]
            found += zip(answer.iou_scores.flatten().tolist(), logits.numpy(), strict=True)
    return found


def packed(mask: np.ndarray) -> dict:
    return pycocotools_mask.encode(np.asfortranarray(mask.astype(np.uint8)))


def test_a_batch_finds_what_its_images_do_alone(tiny, model):
    alone, together = (
        by_image(tiny, look(tiny, "sam2", model=model, **LAX, batch_size=size)) for size in (1, 4)
    )
    assert_alike(alone, together)


def test_every_point_of_the_grid_is_asked_about_and_no_mask_comes_twice(tiny, model):
    """Pictures are not square: the points are spread over both sides."""
    image_id, size = 1, sizes(tiny)[1]
    masks = by_image(tiny, look(tiny, "sam2", model=model, **LAX))[image_id]
    best: dict[bytes, float] = {}
    for score, logits in point_by_point(tiny, model, image_id):
        if (logits > 0).any():
            counts = packed(logits > 0)["counts"]
            best[counts] = max(score, best.get(counts, 0))
    assert len(masks) == pytest.approx(len(best), abs=1)  # a pixel may fall either way
    strings = [{"size": [*size], "counts": counts} for counts in best]
    alike = np.asarray(pycocotools_mask.iou([each[2] for each in masks], strings, [0] * len(best)))
    assert (alike.max(axis=1) > 0.99).all() and (alike.max(axis=0) > 0.99).all()
    assert masks[0][1] == pytest.approx(max(best.values()), abs=1e-5)


def test_what_is_unsure_unstable_or_repeats_is_left_out(tiny, model):
    everything = look(tiny, "sam2", model=model, **LAX).masks
    scores = sorted(everything["score"].to_pylist())
    limit = (scores[9] + scores[10]) / 2
    sure = look(tiny, "sam2", model=model, **{**LAX, "score": limit}).masks
    assert len(sure) == len(scores) - 10 and min(sure["score"].to_pylist()) > limit
    stable = look(tiny, "sam2", model=model, **{**LAX, "stable": 0.05}).masks
    assert 0 < len(stable) < len(everything)
    apart = by_image(tiny, look(tiny, "sam2", model=model, **{**LAX, "same": 0.7}))
    for masks in apart.values():
        assert (overlaps(masks) < 0.7).all()


def test_masks_are_the_same_however_few_fit_into_memory_at_full_size(tiny, model, monkeypatch):
    enlarge, taken = F.interpolate, []

    def noted(*args: object, **told: object) -> torch.Tensor:
        found = enlarge(*args, **told)
        if tuple(found.shape[-2:]) in sizes(tiny).values():
            taken.append(found.nbytes)
        return found

    monkeypatch.setattr(F, "interpolate", noted)
    lots = look(tiny, "sam2", model=model, **{**LAX, "score": 0.5})
    one = max(3 * 4 * height * width for height, width in sizes(tiny).values())
    assert max(taken) > 3 * one
    taken.clear()
    monkeypatch.setattr(sam2, "_BYTES", 3 * one)
    few = look(tiny, "sam2", model=model, **{**LAX, "score": 0.5})
    assert 0 < max(taken) <= 3 * one
    assert few.masks.equals(lots.masks)
    for at in range(len(lots.masks)):
        np.testing.assert_array_equal(few.runs[at], lots.runs[at])


def test_regions_have_no_names_and_scores_lie_in_0_to_1(tiny, model):
    masks = look(tiny, "sam2", model=model, **LAX).masks
    assert set(masks["category_id"].to_pylist()) == {1}
    assert set(masks["category"].to_pylist()) == {"region"}
    assert all(0 <= score <= 1 for score in masks["score"].to_pylist())


def test_what_it_costs_grows_with_the_points(model):
    costs = [
        sam2.cost(
            find_backend("masks", "sam2", {"sam2": {"model": model, "points": each}}).settings,
            Path(),
        )
        for each in (2, 4)
    ]
    assert costs[0]["parameters"] == costs[1]["parameters"] > 0
    assert 0 < costs[0]["flops_per_image"] < costs[1]["flops_per_image"]


def test_another_model_is_refused_in_one_line(tiny, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "clip"}))
    with pytest.raises(
        SemtokError, match=r"sam2.model: .*: is a clip model; those of sam2, sam2_v"
    ):
        look(tiny, "sam2", model=str(Path(tmp_path)), **LAX)
