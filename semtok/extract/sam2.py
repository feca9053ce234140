"""Masks from SAM 2 of transformers, asked about every point of a grid: masks without a category.

Its automatic mask generator (Ravi et al. 2024, arXiv 2408.00714; Kirillov et al. 2023, arXiv
2304.02643) without crops. Of masks that repeat one another those go that share pixels (IoU of
masks), where the generator compares boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import MinLen
from torch import Tensor

from semtok.errors import SemtokError
from semtok.extract import predicted, pretrained
from semtok.extract.annotated_categories import UNNAMED
from semtok.extract.backends import Job
from semtok.extract.predicted import Predicted, Seen, UInt8, check_finite
from semtok.params import Count, Share

_SETTING = "params.yaml: extractors: settings.sam2.model"

#: As its config.json names it: for images, or with the memory for videos, which images need not.
_KINDS = ("sam2", "sam2_video")

#: It tells masks apart and does not name them.
_CATEGORY_ID = 1

#: Points that the network is asked about at once.
_POINTS = 64

#: Bytes that masks may take at their image's full size, before they are filtered.
_BYTES = 2**29

#: Logits by which the edge of a mask is moved to see whether it stays where it is.
_OFFSET = 1.0


@dataclass(frozen=True)
class Settings:
    """Which model, and how much of what it finds is stated."""

    model: Annotated[str, MinLen(1)]  # folder, or hub id that the cache of this machine holds
    points: Count = 32  # a side of the grid
    score: Share = 0.8  # masks below it, by the IoU that the model itself expects, are left out
    stable: Share = 0.95  # IoU of a mask's stricter and its laxer version, at least
    same: Share = 0.7  # IoU from which on two masks of an image are one; the better stays
    masks: Count = 100  # at most, of an image; the best ones stay
    batch_size: Count = 4  # images encoded at once


def open_masks(job: Job) -> Predicted:
    """Read the model.

    Raises:
        SemtokError: transformers is not installed, or there is no such model here.
    """
    return predicted.open_masks(Sam2, job)


def cost(settings: Settings, project: Path) -> dict[str, float]:
    """What the model takes, as `cost.hand_down` writes it."""
    return predicted.cost(Sam2, settings, project)


class Sam2:
    """A SAM 2; see `predicted.Segmenter`."""

    def __init__(self, settings: Settings, project: Path) -> None:
        """See `open_masks`."""
        folder = pretrained.locate(settings.model, _SETTING, project)
        config = pretrained.read(folder, _SETTING, "AutoConfig", "model of transformers")
        if config.model_type not in _KINDS:
            raise SemtokError(
                f"{_SETTING}: {folder}: is a {config.model_type} model; those of "
                f"{', '.join(_KINDS)} can be read"
            )
        # SAM 2's own needs torchvision. This one does the same by Pillow, and SAM's own filters
        # masks by the same rules.
        self._processor = pretrained.read(
            folder, _SETTING, "ViTImageProcessorPil", "image processor"
        )
        from transformers import SamImageProcessorPil

        self._filter: Any = SamImageProcessorPil().filter_masks
        self.network = pretrained.read_weights(folder, _SETTING, "Sam2Model")
        self.identity = pretrained.identity(folder)
        side = (np.arange(settings.points) + 0.5) / settings.points
        grid = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 1, 2)
        self._grid = torch.from_numpy(grid).float()  # [P, 1, 2] x, y, 0 to 1
        self._settings, self._folder = settings, folder

    def prepare(self, image: UInt8) -> Tensor:
        """See `predicted.Segmenter`."""
        found = self._processor([image], return_tensors="pt", input_data_format="channels_last")
        pixels: Tensor = found["pixel_values"][0].float()
        return pixels

    def segment(self, pixels: Tensor, sizes: Sequence[tuple[int, int]]) -> list[list[Seen]]:
        """See `predicted.Segmenter`."""
        height, width = pixels.shape[-2:]
        grid = self._grid.to(pixels.device) * torch.tensor([width, height], device=pixels.device)
        maps = self.network.get_image_embeddings(pixels)
        return [
            [
                seen
                for points in torch.split(grid, _POINTS)
                for seen in self._drawn([each[at : at + 1] for each in maps], points, size)
            ]
            for at, size in enumerate(sizes)
        ]

    def _drawn(self, maps: list[Tensor], points: Tensor, size: tuple[int, int]) -> list[Seen]:
        """The masks of some points of one image.

        Args:
            maps: what the encoder made of it.
            points: [P, 1, 2] x, y in pixels of the prepared image.
            size: height and width of the image.
        """
        labels = torch.ones(1, *points.shape[:2], dtype=torch.int64, device=points.device)
        answer = self.network(image_embeddings=maps, input_points=points[None], input_labels=labels)
        check_finite(answer.iou_scores, f"{_SETTING}: {self._folder}")
        drawn, scores = answer.pred_masks[0], answer.iou_scores[0]
        step = max(1, _BYTES // (4 * drawn.shape[1] * size[0] * size[1]))
        return [
            seen
            for some, sure in zip(torch.split(drawn, step), torch.split(scores, step), strict=True)
            for seen in self._kept(some, sure, size)
        ]

    def _kept(self, drawn: Tensor, sure: Tensor, size: tuple[int, int]) -> list[Seen]:
        """The masks of some points that are sure and stable.

        Args:
            drawn: [P, M, h, w] logits, as the network draws them.
            sure: [P, M] IoU that it expects of each.
            size: height and width of the image.
        """
        enlarged = F.interpolate(drawn, size, mode="bilinear", align_corners=False)
        whole = [0, 0, size[1], size[0]]
        masks, scores, _ = self._filter(
            enlarged,
            sure,
            size,
            whole,
            self._settings.score,
            self._settings.stable,
            stability_score_offset=_OFFSET,
        )
        return [
            Seen(score, _CATEGORY_ID, UNNAMED, np.array(mask["counts"], np.int64))
            for mask, score in zip(masks, scores.tolist(), strict=True)
        ]
