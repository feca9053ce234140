"""Masks that repeat another one of their image, against every pair decoded."""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.checks.category_drift import category_drift
from semtok.checks.repeated_masks import SAME, repeated
from semtok.extract import rle
from semtok.extract.annotated_categories import NAME, UNNAMED, hand_down
from semtok.extract.masks import MASKS
from semtok.json_files import read_json

SIZE = (12, 20)


def row(image_id: int, mask_id: int, mask: np.ndarray) -> dict:
    runs = rle.Runs.of([rle.encode(mask)])
    box = rle.boxes(runs, np.array([SIZE[0]]))[0].tolist()
    return {
        "image_id": image_id,
        "mask_id": mask_id,
        "source_id": mask_id,
        "category_id": 1,
        "category": "region",
        "score": 1.0,
        **dict(zip("xywh", box, strict=True)),
        "area": int(mask.sum()),
        "height": SIZE[0],
        "width": SIZE[1],
        "counts": runs[0].tolist(),
    }


@st.composite
def images(draw):
    """A few masks of two images: rectangles, and rectangles with some pixels flipped."""
    found = []
    for image_id in (1, 2):
        masks: list[np.ndarray] = []
        for number in range(draw(st.integers(0, 5))):
            if masks and draw(st.booleans()):
                mask = masks[draw(st.integers(0, number - 1))].copy()
                for _ in range(draw(st.integers(0, 12))):
                    at = draw(st.integers(0, mask.size - 1))
                    mask.flat[at] = ~mask.flat[at]
            else:
                mask = np.zeros(SIZE, bool)
                top, left = draw(st.integers(0, 4)), draw(st.integers(0, 6))
                mask[top : draw(st.integers(6, 12)), left : draw(st.integers(8, 20))] = True
            masks.append(mask)
        found.append((image_id, masks))
    return found


@given(images())
def test_masks_that_repeat_one_are_found(drawn):
    rows, wanted = [], set()
    for image_id, masks in drawn:
        rows += [row(image_id, number, mask) for number, mask in enumerate(masks)]
        for number, mask in enumerate(masks):
            shared = [(mask & one).sum() / max(1, (mask | one).sum()) for one in masks[:number]]
            if max(shared, default=0) >= SAME:
                wanted.add((image_id, number))
    found = repeated(pa.Table.from_pylist(rows, schema=MASKS.columns))
    assert set(found.select("image_id", "mask_id").rows()) == wanted
    assert found.height == len(wanted)


@pytest.mark.parametrize(("kind", "named"), [("panoptic", "floor"), ("instances", "chair")])
def test_annotated_categories_are_counted(tiny_coco, tmp_path, kind, named):
    """By the rows of the files themselves, crowds aside."""
    if kind == "instances":
        for path in (tiny_coco / "annotations").glob("panoptic_train*.json"):
            path.unlink()
    hand_down(tiny_coco, tmp_path)
    document = read_json(tiny_coco / f"annotations/{kind}_train2017.json")
    names = {each["id"]: each["name"] for each in document["categories"]}
    wanted: dict[str, int] = {}
    for each in document["annotations"]:
        for mask in each["segments_info"] if kind == "panoptic" else [each]:
            if not mask["iscrowd"] and mask["category_id"] in names:
                name = names[mask["category_id"]]
                wanted[name] = wanted.get(name, 0) + 1
    assert read_json(tmp_path / NAME) == wanted and named in wanted


def test_where_nothing_is_annotated_nothing_is_held_against_it(tiny_coco, tmp_path):
    for path in (tiny_coco / "annotations").glob("*_train*.json"):
        path.unlink()
    hand_down(tiny_coco, tmp_path)
    assert not (tmp_path / NAME).exists()
    assert category_drift(tmp_path, pl.Series("category", ["cat"]))["category_drift"].item() == 0


def test_the_distance_is_half_the_sum_of_differences(tmp_path):
    (tmp_path / NAME).write_text('{"cat": 3, "dog": 1}')

    def drift(*found):
        return category_drift(tmp_path, pl.Series("category", found, pl.String)).row(0, named=True)

    some = drift("cat", "dog", "dog", "sky")
    wanted = (abs(1 / 4 - 3 / 4) + abs(2 / 4 - 1 / 4) + abs(1 / 4 - 0)) / 2
    assert some["category_drift"] == pytest.approx(wanted)
    assert some["category_drift_example"].startswith("cat: 0.250 of the masks, 0.750")
    assert drift("cat", "cat", "cat", "dog")["category_drift"] == 0
    total = drift("sky", "sky")
    assert total["category_drift"] == 1, "no name is known"
    assert total["category_drift_example"].startswith("sky: 1.000 of the masks, 0.000")
    for nothing in ([UNNAMED] * 3, []):
        assert drift(*nothing)["category_drift"] == 0
