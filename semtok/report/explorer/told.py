"""What a variant makes of an image, in a form that the page reads."""

from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from semtok.report.explorer import outlines
from semtok.report.explorer.extractions import Extraction
from semtok.report.explorer.views import View

#: What the values of each of `removal.ATTRIBUTIONS` mean, and by which of `COLOURS` they are shown.
_MEANINGS = {
    "attention": ("share", "share of [CLS]'s attention in the last block, mean over heads"),
    "rollout": ("share", "share of the token in [CLS] by attention rollout through all blocks"),
    "attention_flow": ("apart", "logarithm of rollout, heads apart, in standard deviations"),
    "prototype_component": (
        "apart",
        "place along the first component of tokens and captions, in standard deviations",
    ),
    "gradient_input": (
        "signed",
        "gradient of the log probability of the nearest caption, times the token",
    ),
    "attention_gradient": (
        "share",
        "attention times the gradient of the log probability of the nearest caption, through all "
        "blocks",
    ),
}
KINDS = [
    {"name": name, "label": name.replace("_", " "), "colours": colours, "about": about}
    for name, (colours, about) in _MEANINGS.items()
]

_STOPS = np.linspace(0, 1, 17)

#: From least to most, as hexadecimal: shares from 0, what lies apart from a mean, either way, and
#: what lies apart from 0.
COLOURS = {
    name: [matplotlib.colors.to_hex(each) for each in matplotlib.colormaps[colours](_STOPS)]
    for name, colours in (("share", "inferno"), ("apart", "coolwarm"), ("signed", "coolwarm"))
}


class Teller:
    """Tells what one variant makes of images."""

    def __init__(self, reads: str, extraction: Extraction | None) -> None:
        """Keep what its tokens are made of.

        Args:
            reads: name of the extraction; empty: none.
            extraction: that one, None where it is not on the page.
        """
        self._reads, self._extraction = reads, extraction

    def tell(self, image_id: int | None, pixels: tuple[int, int], view: View) -> dict[str, Any]:
        """Turn a view into what JSON can hold.

        Args:
            image_id: None where the image is not of the data set.
            pixels: its width and height.
            view: of it.

        Returns:
            `patches`, a side; `superpixels`, runs of `size` x `size` owners; `regions`, mask ids of
            the extraction, or paths of boxes where it is not here; `relations`; `values` by kind;
            `near` and `rank`, as of `Near`. What a view does not have is left out.
        """
        told: dict[str, Any] = {"near": view.near.captions, "rank": view.near.rank}
        if view.patches:
            told["patches"] = view.patches
        if view.owners is not None:
            told["size"], told["superpixels"] = len(view.owners), runs(view.owners)
        if len(view.regions):
            told["regions"] = self._regions(image_id, pixels, view.regions)
            told["relations"] = view.relations
        told["values"] = {name: rounded(values) for name, values in view.values.items()}
        return told

    def _regions(
        self, image_id: int | None, pixels: tuple[int, int], regions: NDArray[np.float32]
    ) -> list[int | str]:
        size = outlines.size(*pixels)
        boxes = [outlines.box(each, *size) for each in regions]
        if self._extraction is None or image_id is None:
            return list(boxes)
        masks = self._extraction.masks_of(image_id, regions)
        return [box if mask is None else mask for box, mask in zip(boxes, masks, strict=True)]


def runs(owners: NDArray[np.uint16]) -> list[int]:
    """A map [S, S] row by row: a number, how often it follows, the next number, and so on."""
    flat = owners.ravel()
    starts = np.flatnonzero(np.diff(flat, prepend=np.int64(flat[0]) - 1))
    lengths = np.diff(starts, append=len(flat))
    return [int(each) for pair in zip(flat[starts], lengths, strict=True) for each in pair]


def rounded(values: NDArray[np.float64]) -> list[float]:
    """Three digits that count of each."""
    return [float(f"{each:.3g}") for each in values.tolist()]
