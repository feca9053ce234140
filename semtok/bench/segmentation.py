"""Segmentation of what is salient, by TokenCut, over folders of images and masks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semtok.bench.overlap import Overlap, f_curve, overlap
from semtok.bench.patch_models import HubModel
from semtok.bench.token_cut import token_cut
from semtok.bench.token_maps import Features, TokenMap, of_patches
from semtok.bench.token_regions import paint
from semtok.data.salient import SalientImage, salient
from semtok.events import Emit, Progress, ignore

#: Reads an image file.
Reader = Callable[[Path], TokenMap]


@dataclass(frozen=True)
class Segmented:
    """What TokenCut found, 0..1.

    Attributes:
        images: how many.
        f, iou, accuracy: of the masks, means over images (`Overlap`).
        max_f: the largest mean F-measure of the eigenvector's pixels above any one threshold.
        floor: the means where the whole image is called salient.
        of_image: by file name.
    """

    images: int
    f: float
    iou: float
    accuracy: float
    max_f: float
    floor: Overlap
    of_image: dict[str, Overlap]


def segment(
    read: Reader, images: Sequence[SalientImage], tau: float, emit: Emit = ignore
) -> Segmented:
    """Find what is salient in each image, and hold it against the masks.

    Args:
        read: `image_tokens.reader` of a variant, or `reader_of_hub`.
        images: at least one.
        tau: of `token_cut`.
        emit: told of progress.

    Raises:
        SemtokError: an image or a mask cannot be read.
    """
    curve = np.zeros(())
    of_image: dict[str, Overlap] = {}
    floors: list[Overlap] = []
    for number, each in enumerate(images):
        emit(Progress("segmenting images", number, len(images)))
        truth = salient(each)
        mask, heat = cut(read(each.image), tau, truth.shape)
        of_image[each.image.name] = overlap(mask, truth)
        floors.append(overlap(np.ones_like(truth), truth))
        curve = curve + f_curve(heat, truth)
    emit(Progress("segmenting images", len(images), len(images)))
    mean, floor = (
        Overlap(*np.mean(each, axis=0).tolist()) for each in ([*of_image.values()], floors)
    )
    max_f = float(curve.max()) / len(images)
    return Segmented(len(images), mean.f, mean.iou, mean.accuracy, max_f, floor, of_image)


def cut(
    tokens: TokenMap, tau: float, size: tuple[int, ...]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """What `token_cut` finds in an image: its mask and the eigenvector, at all pixels.

    Args:
        tokens: of the image.
        tau: of `token_cut`.
        size: height and width of the image in pixels.
    """
    found = token_cut(tokens.features, tokens.owners, tau)
    height, width = size
    mask = paint(found.mask, tokens.owners, height, width)
    return mask, paint(found.heat, tokens.owners, height, width)


@dataclass(frozen=True)
class Look:
    """One image of H x W pixels, and what was found in it.

    Attributes:
        name: of its file.
        pixels: [H, W, 3] uint8.
        heat: [H, W], 0..1, the eigenvector.
        mask, truth: [H, W], what was found, and what is salient.
    """

    name: str
    pixels: NDArray[np.uint8]
    heat: NDArray[np.float64]
    mask: NDArray[np.bool_]
    truth: NDArray[np.bool_]


def look(read: Reader, each: SalientImage, tau: float) -> Look:
    """As `segment`, of one image."""
    from PIL import Image

    with Image.open(each.image) as image:
        pixels = np.asarray(image.convert("RGB"))
    truth = salient(each)
    mask, heat = cut(read(each.image), tau, truth.shape)
    return Look(each.image.name, pixels, heat, mask, truth)


def reader_of_hub(model: HubModel, features: Features) -> Reader:
    """Read images at their own size, resampled to the nearest size of whole patches."""
    return lambda path: of_patches(model.whole(path, stretch=True), features)
