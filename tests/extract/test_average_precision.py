"""Average precision against a count of our own, and where it is known."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract import rle
from semtok.extract.average_precision import average_precision
from semtok.extract.masks import MASKS

SIDE = 12


def table(masks: list[tuple[int, np.ndarray, float]]) -> pa.Table:
    rows = [
        {
            **dict.fromkeys(("source_id", "category_id", "x", "y", "w", "h"), 0),
            "image_id": image_id,
            "mask_id": number,
            "category": "region",
            "score": score,
            "area": int(mask.sum()),
            "height": SIDE,
            "width": SIDE,
            "counts": rle.encode(mask).tolist(),
        }
        for number, (image_id, mask, score) in enumerate(masks)
    ]
    return pa.Table.from_pylist(rows, schema=MASKS.columns)


def box(x: int, y: int, w: int, h: int) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[y : y + h, x : x + w] = True
    return mask


def by_hand(found, wanted, limit: float) -> float:
    """AP at one IoU: greedy matches in the order of the scores, precision at 101 recalls."""
    taken: set[int] = set()
    hits = []
    for image_id, mask, _ in sorted(found, key=lambda each: -each[2]):
        best, match = limit, None
        for number, (other, truth, _) in enumerate(wanted):
            if other == image_id and number not in taken:
                overlap = (mask & truth).sum() / (mask | truth).sum()
                if overlap >= best:
                    best, match = overlap, number
        hits.append(match is not None)
        taken |= set() if match is None else {match}
    hit = np.cumsum(hits)
    recall, precision = hit / len(wanted), hit / np.arange(1, len(hits) + 1)
    return float(
        np.mean([max(precision[recall >= r - 1e-12], default=0.0) for r in np.linspace(0, 1, 101)])
    )


boxes = st.builds(box, *[st.integers(0, 7)] * 2, *[st.integers(2, 5)] * 2)


@given(st.data())
def test_it_is_what_counting_gives(data):
    images = st.integers(1, 3)
    wanted = data.draw(st.lists(st.tuples(images, boxes, st.just(1.0)), min_size=1, max_size=6))
    scores = data.draw(st.permutations([round(0.1 * n, 1) for n in range(1, 8)]))
    drawn = data.draw(st.lists(st.tuples(images, boxes), min_size=1, max_size=7))
    found = [(*each, score) for each, score in zip(drawn, scores, strict=False)]
    result = average_precision(table(found), table(wanted))
    assert result["AP50"] == pytest.approx(by_hand(found, wanted, 0.5), abs=1e-6)
    assert result["AP75"] == pytest.approx(by_hand(found, wanted, 0.75), abs=1e-6)
    mean = np.mean([by_hand(found, wanted, limit) for limit in np.linspace(0.5, 0.95, 10)])
    assert result["AP"] == pytest.approx(mean, abs=1e-6)


def test_it_is_one_where_all_is_right_and_nought_where_nothing_is_found():
    wanted = table([(1, box(0, 0, 4, 4), 1.0), (2, box(3, 3, 5, 5), 1.0)])
    assert average_precision(wanted, wanted) == {"AP": 1.0, "AP50": 1.0, "AP75": 1.0}
    assert set(average_precision(table([]), wanted).values()) == {0.0}
