"""Object discovery by LOST over a folder in VOC's layout, by a variant or another model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from semtok.bench.lost import Box, gram_bias, hits, lost
from semtok.bench.patch_models import HubModel, encoder_of_patches
from semtok.bench.token_maps import Features
from semtok.data.voc import BoxedImage
from semtok.errors import SemtokError
from semtok.models.patch_tokens import PatchTokens, of_encoder
from semtok.tokens.pixels import decode
from semtok.tokens.rows import PixelRows
from semtok.train import checkpoint

#: Images of which the bias is found, drawn with seed 0.
_OF_BIAS = 50

#: Reads an image, and says how many of its pixels a patch is wide and high.
Reader = Callable[[BoxedImage], tuple[PatchTokens, float, float]]


@dataclass(frozen=True)
class Discovered:
    """What LOST found.

    Attributes:
        images: how many.
        corloc: share (0..1) of images whose box has an IoU of 0.5 or more with a true one.
        bias: of the products of features.
        boxes: by file name, in pixels.
    """

    images: int
    corloc: float
    bias: float
    boxes: dict[str, Box]


def discover(
    read: Reader, images: Sequence[BoxedImage], features: Features, bias: str
) -> Discovered:
    """Find a box in each image and hold it against the annotated ones.

    Args:
        read: `reader_of_variant` or `reader_of_hub`.
        images: to look at.
        features: which ones of the last block.
        bias: a rule of `gram_bias`; asked of 50 images at most, drawn with seed 0.
    """
    drawn = np.random.default_rng(0).permutation(len(images))[:_OF_BIAS]
    chosen = [_of(read(images[each])[0], features) for each in sorted(drawn)]
    found_bias = gram_bias(chosen, bias)
    boxes: dict[str, Box] = {}
    for image in images:
        tokens, wide, high = read(image)
        box = lost(_of(tokens, features), tokens.rows, tokens.columns, found_bias)
        boxes[image.path.name] = (
            box[0] * wide,
            box[1] * high,
            min(box[2] * wide, image.width),
            min(box[3] * high, image.height),
        )
    right = [hits(boxes[each.path.name], each.boxes) for each in images]
    return Discovered(len(images), float(np.mean(right)), found_bias, boxes)


def reader_of_variant(folder: Path) -> Reader:
    """Read images, stretched to the training size, by a training of a variant of plain patches.

    Raises:
        SemtokError: the checkpoint cannot be read, or its tokens need more than pixels.
    """
    trained = checkpoint.load(folder)
    encoder = encoder_of_patches(trained)
    if encoder is None or trained.tokens["scheme"] != "grid":
        raise SemtokError(
            f"{folder}: its tokens need more than pixels; name a variant of the tokenizer grid, "
            "with encoder: tokens and without gates"
        )
    plain = encoder

    def read(image: BoxedImage) -> tuple[PatchTokens, float, float]:
        pixels = decode(image.path, trained.tokens["settings"]["image_size"])[None, ..., :3]
        tokens = of_encoder(plain, trained.collate(PixelRows(np.zeros(1, np.int64), pixels)))
        return tokens, image.width / tokens.columns, image.height / tokens.rows

    return read


def reader_of_hub(model: HubModel) -> Reader:
    """Read images at their own size, padded on the right and below to whole patches."""

    def read(image: BoxedImage) -> tuple[PatchTokens, float, float]:
        return model.whole(image.path), model.patch_size, model.patch_size

    return read


def _of(tokens: PatchTokens, features: Features) -> Tensor:
    found: Tensor = getattr(tokens, features)[0]
    return found
