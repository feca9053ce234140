"""Object discovery by LOST over image files with boxes, by a variant or another model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semtok.bench.lost import Box, drawn, gram_bias, hits, lost
from semtok.bench.patch_models import HubModel
from semtok.bench.token_maps import Features, TokenMap, of_patches
from semtok.data.voc import BoxedImage

#: Reads an image, and says how many of its pixels a cell is wide and high.
Reader = Callable[[BoxedImage], tuple[TokenMap, float, float]]


@dataclass(frozen=True)
class Discovered:
    """What LOST found.

    Attributes:
        images: how many.
        corloc: share (0..1) of images whose box has an IoU of 0.5 or more with a true one.
        floor: the same share, were each box the whole image.
        bias: of the products of features.
        boxes: by file name, in pixels.
    """

    images: int
    corloc: float
    floor: float
    bias: float
    boxes: dict[str, Box]


def discover(read: Reader, images: Sequence[BoxedImage], bias: str) -> Discovered:
    """Find a box in each image and hold it against the annotated ones.

    Args:
        read: `reader_of_files` or `reader_of_hub`.
        images: to look at.
        bias: a rule of `gram_bias`; asked of the images that `drawn` names.
    """
    found_bias = gram_bias([read(images[each])[0].features for each in drawn(len(images))], bias)
    boxes: dict[str, Box] = {}
    for image in images:
        tokens, wide, high = read(image)
        box = lost(tokens.features, tokens.owners, found_bias)
        boxes[image.path.name] = (
            box[0] * wide,
            box[1] * high,
            min(box[2] * wide, image.width),
            min(box[3] * high, image.height),
        )
    right = np.mean([hits(boxes[each.path.name], each.boxes) for each in images])
    floor = np.mean([hits((0, 0, each.width, each.height), each.boxes) for each in images])
    return Discovered(len(images), float(right), float(floor), found_bias, boxes)


def reader_of_files(read: Callable[[Path], TokenMap]) -> Reader:
    """Read images as the tokens of a variant, whose grid is stretched over them."""

    def of(image: BoxedImage) -> tuple[TokenMap, float, float]:
        tokens = read(image.path)
        rows, columns = tokens.owners.shape
        return tokens, image.width / columns, image.height / rows

    return of


def reader_of_hub(model: HubModel, features: Features) -> Reader:
    """Read images at their own size, padded on the right and below to whole patches."""

    def read(image: BoxedImage) -> tuple[TokenMap, float, float]:
        tokens = of_patches(model.whole(image.path), features)
        return tokens, model.patch_size, model.patch_size

    return read
