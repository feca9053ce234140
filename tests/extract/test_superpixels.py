"""Superpixels by scipy, numpy and a merge at a time: what they promise, whatever the image."""

from collections.abc import Callable

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy import ndimage

from semtok.data.index import split_images
from semtok.extract import rle
from semtok.extract.backends import Job, find_backend
from semtok.extract.corruptions import Corruption, corrupt
from semtok.extract.photos import read_image
from semtok.extract.superpixels.merging import superpixels
from tests.extract.looked_at import look

COMPACTNESS = 10.0

#: Noise, a few plain colours (where nearly all merges add the same), and one colour alone.
IMAGES = st.tuples(st.integers(1, 16), st.integers(1, 16), st.sampled_from([255, 2, 0])).flatmap(
    lambda drawn: arrays(
        np.uint8, (*drawn[:2], 3), elements=st.integers(0, drawn[2]), fill=st.nothing()
    ).map(lambda pixels: pixels * np.uint8(255 // max(1, drawn[2])))
)
REGIONS = st.integers(1, 20)


def pieces(labels: np.ndarray) -> int:
    """How many connected regions (of 4) a label map has."""
    return sum(ndimage.label(labels == number)[1] for number in np.unique(labels))


@given(IMAGES, REGIONS, st.sampled_from([0.0, COMPACTNESS, 1000.0]))
@example(np.zeros((1, 1, 3), np.uint8), 1, COMPACTNESS)
@example(np.zeros((24, 24, 3), np.uint8), 7, 0.0)
def test_every_pixel_is_in_one_of_so_many_connected_regions(image, regions, compactness):
    labels = superpixels(image, regions, compactness)
    assert labels.shape == image.shape[:2]
    wanted = min(regions, labels.size)
    assert np.array_equal(np.unique(labels), np.arange(wanted))
    assert pieces(labels) == wanted


@given(IMAGES, REGIONS)
def test_the_same_image_gives_the_same_regions(image, regions):
    before = image.copy()
    labels = superpixels(image, regions, COMPACTNESS)
    np.testing.assert_array_equal(image, before)
    # Other memory, other strides.
    other = np.asfortranarray(image)
    np.testing.assert_array_equal(superpixels(other, regions, COMPACTNESS), labels)


@pytest.mark.parametrize("seed", range(5))
def test_what_differs_plainly_is_kept_apart(seed):
    """As many regions as there are patches of different colours, of very different sizes."""
    random = np.random.default_rng(seed)
    palette = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255], [0, 255, 0]])
    truth = np.repeat(np.repeat(random.integers(0, 5, (4, 4)), [3, 5, 9, 17], 0), [17, 3, 9, 5], 1)
    labels = superpixels(palette[truth].astype(np.uint8), pieces(truth), 0.1)
    for number in np.unique(labels):
        assert len(np.unique(truth[labels == number])) == 1


def test_plain_areas_are_cut_into_regions_of_like_size_and_no_stripes():
    labels = superpixels(np.full((96, 96, 3), 200, np.uint8), 36, COMPACTNESS)
    areas = np.bincount(labels.ravel())
    assert 0.3 * areas.mean() < areas.min() and areas.max() < 2.5 * areas.mean()
    for y, x in ndimage.find_objects(labels + 1):
        height, width = y.stop - y.start, x.stop - x.start
        assert 1 / 3 < height / width < 3


def test_regions_are_hardly_less_alike_than_by_merging_a_pair_at_a_time():
    """Many merges a round, against an oracle that always makes the cheapest of all."""
    ratios, squares = [], []
    for seed in range(6):
        noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3)).astype(np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 1)
        image = cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
        best = spread(image, by_single_merges(image, 8), 8)
        ratios.append(spread(image, superpixels(image, 8, COMPACTNESS), 8) / best)
        grid = np.kron(np.arange(8).reshape(2, 4), np.ones((8, 4), int))
        squares.append(spread(image, grid, 8) / best)
    assert np.mean(ratios) < 1.1
    assert np.mean(squares) > 1.5


def points(image: np.ndarray, regions: int) -> np.ndarray:
    """Colour and place of each pixel, [H * W, 5], as the regions' means are taken of them."""
    height, width = image.shape[:2]
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).reshape(-1, 3) * [100 / 255, 1, 1]
    places = np.indices((height, width)).reshape(2, -1).T
    return np.hstack([lab, places * COMPACTNESS / np.sqrt(height * width / regions)])


def spread(image: np.ndarray, labels: np.ndarray, regions: int) -> float:
    """The squared distances of all pixels from their region's mean."""
    found = points(image, regions)
    groups = [found[labels.ravel() == number] for number in np.unique(labels)]
    return sum(float(((each - each.mean(axis=0)) ** 2).sum()) for each in groups)


def by_single_merges(image: np.ndarray, regions: int) -> np.ndarray:
    """Ward's method, literally."""
    height, width = image.shape[:2]
    found, labels = points(image, regions), np.arange(height * width).reshape(height, width)
    members = {number: [number] for number in range(labels.size)}
    across, down = (labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])
    edges = {
        (int(a), int(b))
        for first, second in (across, down)
        for a, b in zip(first.flat, second.flat, strict=True)
    }
    means = dict(enumerate(found))

    def added(edge: tuple[int, int]) -> float:
        a, b = (len(members[end]) for end in edge)
        return a * b / (a + b) * float(((means[edge[0]] - means[edge[1]]) ** 2).sum())

    costs = {edge: added(edge) for edge in edges}
    while len(members) > regions:
        kept, gone = min(costs, key=lambda edge: costs[edge])
        members[kept] += members.pop(gone)
        means[kept] = found[members[kept]].mean(axis=0)
        for edge in [each for each in costs if kept in each or gone in each]:
            del costs[edge]
            ends = {kept if end == gone else end for end in edge}
            if len(ends) == 2:
                renamed = (min(ends), max(ends))
                costs[renamed] = added(renamed)
    for number, pixels in enumerate(members.values()):
        labels.ravel()[pixels] = number
    return labels


@pytest.fixture
def maps(tiny) -> Callable[..., dict[int, np.ndarray]]:
    """A function: settings -> image id -> label map, counted from the masks of train."""

    def of(**settings) -> dict[int, np.ndarray]:
        tiny.use(masks="superpixels", superpixels=settings)
        tiny.masks()
        found: dict[int, np.ndarray] = {}
        for row in tiny.rows():
            size = row["height"], row["width"]
            labels = found.setdefault(row["image_id"], np.full(size, -1))
            mask = rle.decode(row["counts"], *size) > 0
            assert (labels[mask] == -1).all()
            labels[mask] = row["mask_id"]
        return found

    return of


def test_masks_partition_their_image(tiny, maps):
    for labels in maps(regions=6).values():
        assert labels.min() == 0 and labels.max() == 5
        assert pieces(labels) == 6
    assert {(row["category"], row["category_id"], row["score"]) for row in tiny.rows()} == {
        ("region", 1, 1.0)
    }
    assert len({row["image_id"] for row in tiny.rows()}) == 5
    assert tiny.rejected() == []


def test_a_root_needs_no_annotations_but_captions(tiny, maps):
    for path in (tiny.root / "annotations").glob("*.json"):
        if not path.name.startswith("captions_"):
            path.unlink()
    assert len(maps(regions=6)) == 5


def test_large_images_are_looked_at_smaller_and_their_regions_stay_connected(maps):
    for labels in maps(regions=6, image_size=13).values():
        assert labels.min() == 0
        assert pieces(labels) == len(np.unique(labels)) == 6


def save(tiny, image_id: int, pixels: np.ndarray) -> None:
    """Put another image in the place of one, which keeps its id and its captions."""
    name = f"{image_id:012d}.jpg"
    Image.fromarray(pixels).save(tiny.root / "train2017" / name)
    for kind in ("captions", "instances"):
        tiny.edit(
            f"{kind}_train2017",
            lambda document: [
                each.update(height=pixels.shape[0], width=pixels.shape[1])
                for each in document["images"]
                if each["id"] == image_id
            ],
        )


@pytest.mark.parametrize(
    ("shape", "looked_at"),
    [((1, 1), 1), ((1, 300), 64), ((300, 1), 64), ((3, 2), 6), ((2, 500, 3), 64), ((7, 5), 35)],
    ids=str,
)
def test_grey_tiny_and_thin_images(tiny, maps, shape, looked_at):
    save(tiny, 4, np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8))
    labels = maps(regions=20, image_size=64)[4]
    assert labels.shape == shape[:2]
    assert labels.min() == 0
    assert pieces(labels) == len(np.unique(labels)) == min(20, looked_at)


def test_an_image_that_cannot_be_read_is_set_aside(tiny):
    tiny.use(masks="superpixels")
    tiny.indexed = tiny.index()  # damaged behind the index's back
    (tiny.root / "train2017/000000000004.jpg").write_bytes(b"no image")
    tiny.masks()
    (row,) = tiny.rejected()
    assert (row["image_id"], row["reason"]) == (4, "unreadable")
    assert 4 not in {row["image_id"] for row in tiny.rows()}


def test_a_batch_is_its_images_one_by_one_and_repeats_itself(tiny):
    tiny.use(masks="superpixels", superpixels={"regions": 5})
    tiny.masks("first")
    tiny.masks("second")
    assert tiny.bytes("first") == tiny.bytes("second")
    listed, index = tiny.index()
    images = split_images(index, "train")
    backend = find_backend("masks", "superpixels", tiny.extractor.settings)
    opened = backend.open(Job(tiny.root, listed, images, backend.settings))
    together = opened.find(images)
    singles = [opened.find(images.slice(at, 1)) for at in range(images.num_rows)]
    assert together.masks.equals(pa.concat_tables([each.masks for each in singles]))
    counts = [each.runs.counts for each in singles]
    np.testing.assert_array_equal(together.runs.counts, np.concatenate(counts))


def test_a_corrupted_image_is_cut_as_it_looks(tiny):
    blur = Corruption("blur", 5)
    spoilt = look(tiny, "superpixels", blur, regions=6)
    _, index = tiny.index()
    for row in split_images(index, "train").to_pylist():
        seen = corrupt(read_image(tiny.root / row["path"]), row["image_id"], blur)
        _, wanted = rle.of_labels(superpixels(seen, 6, 10.0))
        of_image = np.flatnonzero(spoilt.masks["image_id"].to_numpy() == row["image_id"])
        assert [spoilt.runs[at].tolist() for at in of_image] == [each.tolist() for each in wanted]
    clean = look(tiny, "superpixels", regions=6)
    assert spoilt.runs.counts.tolist() != clean.runs.counts.tolist()


def test_another_image_makes_its_shard_anew_and_no_other(tiny):
    tiny.use(masks="superpixels", superpixels={"regions": 5})
    assert tiny.masks() == 3
    assert tiny.masks() == 0
    save(tiny, 4, np.zeros((16, 16, 3), np.uint8))
    assert tiny.masks() == 1
    tiny.use(masks="superpixels", superpixels={"regions": 6})
    assert tiny.masks() == 3
