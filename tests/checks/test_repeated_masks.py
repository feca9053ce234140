"""Masks that repeat another one of their image, against every pair decoded."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from semtok.checks.repeated_masks import SAME, repeated
from semtok.extract import rle
from semtok.extract.masks import MASKS

SIZE = (12, 20)


def row(image_id: int, mask_id: int, mask: np.ndarray) -> dict:
    runs = rle.Runs.of([rle.encode(mask)])
    box = rle.measure(runs, np.array([SIZE[0]]))[1][0].tolist()
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
