from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from semtok.errors import SemtokError
from semtok.train.captions import Captions

TABLE = pa.table(
    {
        "caption_id": [5, 3, 9, 4, 1, 7, 8],
        "image_id": [20, 10, 10, 30, 10, 30, 30],
        "caption": ["e", "c", "i", "d", "a", "g", "h"],
    }
)


def test_first_is_the_one_of_lowest_id() -> None:
    captions = Captions(TABLE, np.array([20, 10]))
    assert captions.first(np.array([20, 10, 20])) == ["e", "a", "e"]
    assert captions.every() == ["a", "c", "i", "e"]


def test_draw_depends_on_seed_step_and_image_alone() -> None:
    captions, fewer = Captions(TABLE, np.array([10, 20, 30])), Captions(TABLE, np.array([10]))
    drawn = [captions.draw(np.array([10, 20]), seed=1, step=step) for step in range(300)]
    assert drawn == [captions.draw(np.array([10, 20]), seed=1, step=step) for step in range(300)]
    assert [one for one, _ in drawn] == [
        fewer.draw(np.array([10]), 1, step)[0] for step in range(300)
    ]
    assert {other for _, other in drawn} == {"e"}
    # Three captions, 300 draws: 100 each, give or take four standard deviations.
    counts = Counter(one for one, _ in drawn)
    assert set(counts) == {"a", "c", "i"}
    assert all(67 < count < 133 for count in counts.values())
    pairs = {tuple(captions.draw(np.array([10, 30]), seed=1, step=step)) for step in range(300)}
    assert len(pairs) == 9  # two images draw independently
    other_seed = [captions.draw(np.array([10, 20]), seed=2, step=step) for step in range(300)]
    assert other_seed != drawn


def test_an_image_without_caption_is_named() -> None:
    with pytest.raises(SemtokError, match="1 of 2 images have none, the first is image 40"):
        Captions(TABLE, np.array([40, 10]))


def test_fingerprint_sees_every_change() -> None:
    ids = np.array([10, 20, 30])
    words = TABLE.set_column(2, "caption", pa.array(["e", "c", "i", "d", "b", "g", "h"]))
    owners = TABLE.set_column(1, "image_id", pa.array([20, 10, 10, 30, 20, 30, 30]))
    tables = [TABLE, words, owners]
    found = [Captions(each, ids).fingerprint() for each in tables]
    assert len(set(found)) == 3
    assert Captions(TABLE.take([6, 5, 4, 3, 2, 1, 0]), ids).fingerprint() == found[0]
