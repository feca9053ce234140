"""Superpixels beside scikit-image's SLIC: time, and how well they keep to the masks of COCO.

Images and panoptic masks at 224 pixels a side, about 200 regions, one core. SLIC keeps its default
compactness and makes fewer regions than it is asked for, so ours are asked for as many as it made.
Those of superpixel tokens cannot be asked: SLIC is, for as many as they are. Both measures are of
Neubert and Protzel (2012), the masks of an image and what is left of it being its segments G:

- boundary recall: of the pixels at a boundary of segments, those with a boundary of superpixels S
  within one pixel (0.0025 of the diagonal);
- undersegmentation error: sum over G and S of min(|S and G|, |S outside G|), over the pixels.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries, slic

from benchmarks.result import Result
from benchmarks.tokenizing import SAMPLE
from semtok.extract.photos import read_image
from semtok.extract.superpixels import Settings
from semtok.extract.superpixels.merging import Int, superpixels
from semtok.tokens import superpixel
from semtok.tokens.superpixel import hierarchy

SIDE = 224
ASKED = 245  # of SLIC, which makes about 200 of them
IMAGES = 60
Goal: TypeAlias = tuple[str, float | None, float | None]  # unit; at most, at least of the ratio
GOALS: dict[str, Goal] = {
    "time": ("ms/image", 1.0, None),
    "recall": ("%", None, 1.0),
    "error": ("%", 1.0, None),
}
MADE = 0.82  # regions that SLIC makes of one that it is asked for
NAMES = {"time": "time", "recall": "boundary recall", "error": "undersegmentation error"}


class Photo(NamedTuple):
    """An image and what is annotated on it."""

    pixels: NDArray[np.uint8]  # [S, S, 3] RGB
    segments: Int  # [S, S], the number of each pixel's mask


def run(scale: float) -> Iterator[Result]:
    """Measure on the images of the sample that have panoptic masks."""
    root = Path(os.environ.get("SEMTOK_COCO_SAMPLE", SAMPLE)).resolve()
    photos = _read(root, max(8, round(IMAGES * scale)))
    if not photos:
        note = "no panoptic masks of COCO: set SEMTOK_COCO_SAMPLE to a root that has them"
        for name in ("superpixels", "superpixel tokens"):
            yield from (_result(name, each, None, None, note) for each in GOALS)
        return
    yield from _masks(photos)
    yield from _tokens(photos)


def _masks(photos: list[Photo]) -> Iterator[Result]:
    """Superpixels as masks, as many as SLIC makes."""
    theirs, ours, times = [], [], np.zeros((2, len(photos)))
    for number, photo in enumerate(photos):
        start = time.process_time()
        theirs.append(np.asarray(slic(photo.pixels, n_segments=ASKED), np.int64))
        times[1, number] = time.process_time() - start
        count = len(np.unique(theirs[-1]))
        start = time.process_time()
        ours.append(superpixels(photo.pixels, count, Settings().compactness))
        times[0, number] = time.process_time() - start
    count = np.mean([labels.max() + 1 for labels in ours])
    note = f"SLIC of scikit-image, as many regions ({count:.0f} on average)"
    yield from _compared("superpixels", photos, (ours, theirs), times, note)


def _tokens(photos: list[Photo]) -> Iterator[Result]:
    """The partition of superpixel tokens, and SLIC's of about as many regions."""
    theirs, ours, times, whole = [], [], np.zeros((2, len(photos))), []
    settings = superpixel.Settings(SIDE)
    for number, photo in enumerate(photos):
        start = time.process_time()
        partition = hierarchy.superpixels(torch.from_numpy(photo.pixels[None]), settings.levels)
        times[0, number] = time.process_time() - start
        ours.append(partition.labels[0].numpy())
        asked = round(int(partition.counts) / MADE)
        start = time.process_time()
        theirs.append(np.asarray(slic(photo.pixels, n_segments=asked), np.int64))
        times[1, number] = time.process_time() - start
        image = np.dstack([photo.pixels, np.full((SIDE, SIDE), 255, np.uint8)])
        start = time.process_time()
        superpixel.tokenize([image], [], settings)
        whole.append(time.process_time() - start)
    counts = [np.mean([len(np.unique(each)) for each in side]) for side in (ours, theirs)]
    note = (
        f"SLIC of scikit-image, about as many regions ({counts[1]:.0f} on average, ours "
        f"{counts[0]:.0f}); ours with features and histograms {1e3 * np.median(whole):.0f} ms"
    )
    yield from _compared("superpixel tokens", photos, (ours, theirs), times, note)


def _compared(
    name: str,
    photos: list[Photo],
    sides: tuple[list[Int], list[Int]],
    times: NDArray[np.float64],
    note: str,
) -> Iterator[Result]:
    """Time and both measures of two ways to cut photos, ours and the peer's."""
    borders = [np.mean([find_boundaries(each).mean() for each in side]) for side in sides]
    note += (
        f"; {len(photos)} images; pixels at borders: ours {borders[0]:.1%}, SLIC's {borders[1]:.1%}"
    )
    ours, peer = (1e3 * np.median(times, axis=1)).tolist()
    yield _result(name, "time", ours, peer, note)
    for measured, measure in (("recall", _recall), ("error", _error)):
        ours, peer = (
            100 * float(np.mean([measure(each, photo.segments) for each, photo in pairs]))
            for pairs in (zip(side, photos, strict=True) for side in sides)
        )
        yield _result(name, measured, ours, peer, note)


def _result(
    name: str,
    measured: str,
    ours: float | None,
    peer: float | None,
    note: str,
) -> Result:
    unit, at_most, at_least = GOALS[measured]
    return Result(
        name=f"{name}: {NAMES[measured]}",
        ours=ours,
        peer=peer,
        unit=unit,
        at_most=at_most,
        at_least=at_least,
        command="python -m benchmarks --only superpixels",
        packages=("numpy", "opencv-python-headless", "scikit-image", "torch"),
        note=note,
    )


def _recall(labels: Int, segments: Int) -> float:
    """The share of the segments' boundary that superpixels have a boundary at."""
    wanted = find_boundaries(segments)
    near = cv2.dilate(find_boundaries(labels).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return float(near[wanted].mean())


def _error(labels: Int, segments: Int) -> float:
    """The undersegmentation error, 0 to 1."""
    shared = np.zeros((labels.max() + 1, segments.max() + 1), np.int64)
    np.add.at(shared, (labels, segments), 1)
    outside = shared.sum(axis=1, keepdims=True) - shared
    return float(np.minimum(shared, outside).sum() / labels.size)


def _read(root: Path, most: int) -> list[Photo]:
    """Images that have panoptic masks and more than one of them."""
    photos: list[Photo] = []
    for png in sorted(root.glob("annotations/panoptic_*2017/*.png")):
        path = root / png.parent.name.removeprefix("panoptic_") / f"{png.stem}.jpg"
        if path.is_file() and len(photos) < most:
            colours = read_image(png).astype(np.int64) @ [1, 256, 65536]
            places = ((np.arange(SIDE) + 0.5) * np.array(colours.shape)[:, None] / SIDE).astype(int)
            colours = colours[places[0][:, None], places[1]]
            segments = np.unique(colours, return_inverse=True)[1].reshape(colours.shape)
            if segments.any():
                photos.append(Photo(read_image(path, SIDE), segments))
    return photos
