"""Spatial relations against the drawn masks: scipy and scikit-image on pixels, plain loops."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage import measure

from semtok.extract import geometry, rle
from semtok.extract.masks import MASKS

CROSS = ndimage.generate_binary_structure(2, 1)


def table(images: dict[int, list[np.ndarray]]) -> pa.Table:
    """Masks of images as rows of schema `MASKS`."""
    rows = []
    for image_id, masks in images.items():
        for mask_id, mask in enumerate(masks):
            y, x = np.nonzero(mask)
            box = {"x": x.min(), "y": y.min(), "w": np.ptp(x) + 1, "h": np.ptp(y) + 1}
            rows.append(
                {
                    "image_id": image_id,
                    "mask_id": mask_id,
                    **{name: int(value) for name, value in box.items()},
                    "area": int(mask.sum()),
                    "height": mask.shape[0],
                    "width": mask.shape[1],
                    "counts": rle.encode(mask).tolist(),
                }
            )
    return pa.Table.from_pylist(rows, schema=MASKS.columns)


def stated(images: dict[int, list[np.ndarray]], pairs: int = 100) -> set[tuple]:
    """What the backend says: (image, subject, predicate, object)."""
    found = geometry.relations(table(images), geometry.Settings(pairs)).to_pylist()
    assert all(row["score"] == 1.0 for row in found)
    result = [(r["image_id"], r["subject"], r["predicate"], r["object"]) for r in found]
    assert len(set(result)) == len(result)
    return set(result)


def gap(a: np.ndarray, b: np.ndarray) -> int:
    """The squared number of pixels between two boxes."""
    (ay, ax), (by, bx) = np.nonzero(a), np.nonzero(b)
    return sum(
        max(0, second.min() - first.max() - 1, first.min() - second.max() - 1) ** 2
        for first, second in ((ax, bx), (ay, by))
    )


def centroid(mask: np.ndarray) -> np.ndarray:
    """x, y by scikit-image."""
    (region,) = measure.regionprops(mask.astype(int))
    return np.array(region.centroid)[::-1]


def encloses(outer: np.ndarray, inner: np.ndarray) -> bool:
    """The definition in geometry.py, pixel by pixel."""
    (oy, ox), (iy, ix) = np.nonzero(outer), np.nonzero(inner)
    if ix.min() < ox.min() or ix.max() > ox.max() or iy.min() < oy.min() or iy.max() > oy.max():
        return False
    height = len(outer)
    pixels, by = inner.T.ravel(), outer.T.ravel()
    enclosed = 0
    for is_set, run in itertools.groupby(range(len(pixels)), lambda at: pixels[at]):
        positions = list(run)
        if is_set:
            column = positions[0] // height
            above = by[column * height : positions[0]].any()
            below = by[positions[-1] + 1 : (column + 1) * height].any()
            between = positions[-1] // height == column and above and below
            enclosed += len(positions) if between else by[positions].sum()
    return enclosed >= 0.9 * pixels.sum()


def expected(image_id: int, masks: list[np.ndarray], pairs: int) -> set[tuple]:
    """The definition in geometry.py, pair by pair."""
    order = sorted(
        itertools.combinations(range(len(masks)), 2),
        key=lambda p: (
            gap(masks[p[0]], masks[p[1]]),
            ((centroid(masks[p[0]]) - centroid(masks[p[1]])) ** 2).sum(),
            p,
        ),
    )
    found = set()
    for first, second in order[:pairs]:
        swap = masks[second].sum() < masks[first].sum()
        subject, object_ = (second, first) if swap else (first, second)
        a, b = masks[subject], masks[object_]
        names = []
        if encloses(b, a):
            names = ["inside"]
        elif encloses(a, b):
            names = ["around"]
        else:
            if (a & b).sum() >= 0.1 * a.sum():
                names.append("overlapping")
            elif (ndimage.binary_dilation(a, CROSS) & b).any():
                names.append("touching")
            dx, dy = centroid(a) - centroid(b)
            if abs(dx) >= abs(dy) and dx:
                names.append("left of" if dx < 0 else "right of")
            elif abs(dy) > abs(dx):
                names.append("above" if dy < 0 else "below")
        found |= {(image_id, subject, name, object_) for name in names}
    return found


@st.composite
def image(draw):
    """Masks of one image: blobs that overlap as instances do, or the parts of a label map."""
    height, width = draw(st.integers(1, 14)), draw(st.integers(1, 14))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    if draw(st.booleans()):
        labels = random.integers(0, 4, (height, width))
        labels = np.where(random.random((height, width)) < 0.2, labels, labels[0, 0])
        masks = [labels == each for each in np.unique(labels)]
    else:
        masks = []
        for _ in range(draw(st.integers(1, 4))):
            y, x = random.integers(0, height), random.integers(0, width)
            mask = np.zeros((height, width), bool)
            mask[y : y + random.integers(1, 9), x : x + random.integers(1, 9)] = True
            masks.append(mask & (random.random((height, width)) < 0.9))
    return [each for each in masks if each.any()]


@given(st.lists(image(), min_size=1, max_size=3), st.integers(0, 4))
def test_relations_are_those_of_the_drawn_masks(images, pairs):
    given_images = {7 * number: masks for number, masks in enumerate(images) if masks}
    want = set().union(*(expected(number, each, pairs) for number, each in given_images.items()))
    assert stated(given_images, pairs) == want


def canvas(*rectangles: tuple[int, int, int, int]) -> list[np.ndarray]:
    """One mask per (x, y, w, h) in an image of 40 x 30."""
    masks = []
    for x, y, w, h in rectangles:
        mask = np.zeros((30, 40), bool)
        mask[y : y + h, x : x + w] = True
        masks.append(mask)
    return masks


@pytest.mark.parametrize(
    ("small", "large", "says"),
    [
        ((2, 10, 5, 5), (20, 9, 10, 10), {"left of"}),
        ((33, 10, 5, 5), (20, 9, 10, 10), {"right of"}),
        ((22, 1, 5, 5), (20, 9, 10, 10), {"above"}),
        ((22, 24, 5, 5), (20, 9, 10, 10), {"below"}),
        ((15, 11, 5, 5), (20, 9, 10, 10), {"left of", "touching"}),
        ((16, 11, 5, 5), (20, 9, 10, 10), {"left of", "overlapping"}),
        ((22, 11, 5, 5), (20, 9, 10, 10), {"inside"}),
        # Diagonal neighbours share a corner, not an edge.
        ((15, 4, 5, 5), (20, 9, 10, 10), {"left of"}),
        # The last pixel of a column is no neighbour of the first one of the next.
        ((10, 25, 1, 5), (11, 0, 2, 5), {"below"}),
    ],
)
def test_each_predicate_says_what_people_mean(small, large, says):
    for order in (0, 1):
        masks = canvas(small, large) if order == 0 else canvas(large, small)
        assert stated({1: masks}) == {(1, order, name, 1 - order) for name in says}


def test_a_frame_is_around_what_it_frames_and_a_picture_hangs_inside_its_wall():
    (frame,), (picture,) = canvas((5, 5, 20, 20)), canvas((6, 6, 18, 18))
    assert stated({1: [frame & ~picture, picture]}) == {(1, 0, "around", 1)}
    (wall,), (clock,) = canvas((0, 0, 40, 30)), canvas((10, 10, 5, 5))
    assert stated({1: [wall & ~clock, clock]}) == {(1, 1, "inside", 0)}


def test_the_ends_of_neighbouring_columns_do_not_touch():
    small, large = np.zeros((2, 30, 40), bool)
    small[:3, 5] = True
    large[[29, 1, 1, 1], [4, 8, 9, 10]] = True  # their boxes overlap
    assert stated({1: [small, large]}) == {(1, 0, "above", 1)}
    turned = [small[::-1, ::-1], large[::-1, ::-1]]
    assert stated({1: turned}) == {(1, 0, "below", 1)}


def test_two_masks_that_are_equal_are_inside_one_another_once():
    assert stated({1: canvas((3, 3, 5, 5), (3, 3, 5, 5))}) == {(1, 0, "inside", 1)}


def test_only_the_nearest_pairs_are_stated_and_images_do_not_mix():
    row = canvas((0, 0, 3, 3), (10, 0, 4, 4), (30, 0, 5, 5))
    assert stated({1: row, 2: row[::-1]}, pairs=1) == {(1, 0, "left of", 1), (2, 2, "left of", 1)}


def test_images_are_worked_on_in_parts_with_the_same_result(monkeypatch, sample):
    sample.masks()
    sample.scene_graphs("whole")
    monkeypatch.setattr(geometry, "_PAIRS_AT_ONCE", 50)
    sample.scene_graphs("parts")
    assert sample.bytes("whole") == sample.bytes("parts")


def test_the_sample_says_what_its_drawn_masks_say(sample):
    sample.use(geometry={"pairs": 3})
    sample.masks(split="val")
    sample.scene_graphs(split="val")
    by_image: dict[int, list[np.ndarray]] = {}
    for row in sample.rows():
        drawn = rle.decode(row["counts"], row["height"], row["width"]).astype(bool)
        by_image.setdefault(row["image_id"], []).append(drawn)
    few = {number: masks for number, masks in by_image.items() if len(masks) <= 4}
    assert len(few) > 5
    rows = sample.rows("scene_graphs")
    assert {row["source"] for row in rows} == {"geometry"}
    for number, masks in few.items():
        found = {
            (r["image_id"], r["subject"], r["predicate"], r["object"])
            for r in rows
            if r["image_id"] == number
        }
        assert found == expected(number, masks, 3)
