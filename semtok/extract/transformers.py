"""Masks from segmenters of transformers: Mask2Former, MaskFormer, OneFormer and DETR-panoptic.

The library's own classes prepare the images (in Pillow's version, whether torchvision is there or
not), run, and turn what the network says into masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from annotated_types import MinLen
from torch import Tensor

from semtok.errors import SemtokError
from semtok.extract import predicted, pretrained, rle
from semtok.extract.backends import Job
from semtok.extract.predicted import Predicted, Seen, UInt8, check_finite
from semtok.params import Count, Share

#: What is looked for: all that there is, in masks that leave each other alone; or things, which may
#: overlap where the model's own post-processing lets them.
Task = Literal["panoptic", "instance"]

_SETTING = "params.yaml: extractors: settings.transformers.model"

#: Kind of model, as its config.json names it -> its class.
_KINDS = {
    "mask2former": "Mask2FormerForUniversalSegmentation",
    "maskformer": "MaskFormerForInstanceSegmentation",
    "oneformer": "OneFormerForUniversalSegmentation",
    "detr": "DetrForSegmentation",
}

#: Those whose things may overlap.
_OVERLAPPING = ("mask2former", "maskformer")

#: The one that is told its task, in words.
_ONEFORMER = "oneformer"


@dataclass(frozen=True)
class Settings:
    """Which model, and how much of what it finds is stated."""

    model: Annotated[str, MinLen(1)]  # folder, or hub id that the cache of this machine holds
    task: Task = "panoptic"
    score: Share = 0.5  # masks below it are left out
    pixel: Share = 0.5  # a pixel is a mask's own from this probability on
    visible: Share = 0.8  # panoptic: of a mask's own pixels more must be left to it, or it goes
    same: Share = 0.8  # IoU from which on two masks of an image are one; the better stays
    masks: Count = 100  # at most, of an image; the best ones stay
    batch_size: Count = 8  # images looked at at once


def open_masks(job: Job) -> Predicted:
    """Read the model.

    Raises:
        SemtokError: transformers is not installed, or there is no such model here.
    """
    return predicted.open_masks(SegmentationModel, job)


def cost(settings: Settings, project: Path) -> dict[str, float]:
    """What the model takes, as `cost.hand_down` writes it."""
    return predicted.cost(SegmentationModel, settings, project)


class SegmentationModel:
    """A segmenter of transformers; see `predicted.Segmenter`."""

    def __init__(self, settings: Settings, project: Path) -> None:
        """See `open_masks`."""
        folder = pretrained.locate(settings.model, _SETTING, project)
        config = pretrained.read(folder, _SETTING, "AutoConfig", "model of transformers")
        self._kind = str(config.model_type)
        if self._kind not in _KINDS:
            raise SemtokError(
                f"{_SETTING}: {folder}: is a {self._kind} model; those of {', '.join(_KINDS)} can "
                "be read"
            )
        # OneFormer's would fetch the names of classes, which config.json holds as well.
        told = {"class_info_file": ""} if self._kind == _ONEFORMER else {}
        self._processor = pretrained.read(
            folder, _SETTING, "AutoImageProcessor", "image processor", backend="pil", **told
        )
        self.network = pretrained.read_weights(folder, _SETTING, _KINDS[self._kind])
        self.identity = pretrained.identity(folder)
        self._task_tokens = _task(folder, settings.task) if self._kind == _ONEFORMER else None
        self._names: dict[int, str] = config.id2label
        self._settings, self._folder = settings, folder

    def prepare(self, image: UInt8) -> Tensor:
        """See `predicted.Segmenter`."""
        told = [[self._settings.task]] if self._kind == _ONEFORMER else []
        found = self._processor(
            [image], *told, return_tensors="pt", input_data_format="channels_last"
        )
        if not bool(found["pixel_mask"].all()):
            raise SemtokError(
                f"{_SETTING}: {self._folder}: its image processor pads images (pad_size), which "
                "its post-processing does not undo; take that out of preprocessor_config.json"
            )
        pixels: Tensor = found["pixel_values"][0].float()
        return pixels

    def segment(self, pixels: Tensor, sizes: Sequence[tuple[int, int]]) -> list[list[Seen]]:
        """See `predicted.Segmenter`."""
        told = {}
        if self._task_tokens is not None:
            told["task_inputs"] = self._task_tokens.to(pixels.device).expand(len(pixels), -1)
        outputs = self.network(pixel_values=pixels, **told)
        for name in ("logits", "class_queries_logits"):
            if name in outputs:
                check_finite(outputs[name], f"{_SETTING}: {self._folder}")
        return [self._masks(each) for each in self._post_processed(outputs, sizes)]

    def _post_processed(
        self, outputs: Any, sizes: Sequence[tuple[int, int]]
    ) -> list[dict[str, Any]]:
        """What the image processor makes of a batch: `segmentation` and `segments_info` of each."""
        settings = self._settings
        limits: dict[str, Any] = {
            "threshold": settings.score,
            "mask_threshold": settings.pixel,
            "overlap_mask_area_threshold": settings.visible,
        }
        if settings.task == "panoptic":
            process = self._processor.post_process_panoptic_segmentation
            limits["label_ids_to_fuse"] = set()
        else:
            process = self._processor.post_process_instance_segmentation
            if self._kind in _OVERLAPPING:
                limits["return_binary_maps"] = True
        if self._kind != _ONEFORMER:
            found: list[dict[str, Any]] = process(outputs, target_sizes=[*sizes], **limits)
            return found
        return [process(_at_size(outputs, at, size), **limits)[0] for at, size in enumerate(sizes)]

    def _masks(self, answer: dict[str, Any]) -> list[Seen]:
        """What was found in one image."""
        segmentation = answer["segmentation"].cpu().numpy()
        segments = answer["segments_info"]
        if segmentation.ndim == 3:
            runs = [rle.encode(each.astype(bool)) for each in segmentation]
        else:
            numbers, masks = rle.of_labels(segmentation.astype(np.int64))
            of = {number: masks[at] for at, number in enumerate(numbers.tolist())}
            runs = [of[each["id"]] for each in segments]
        return [
            Seen(each["score"], each["label_id"], self._names[each["label_id"]], mask)
            for each, mask in zip(segments, runs, strict=True)
        ]


def _at_size(outputs: Any, at: int, size: tuple[int, int]) -> Any:
    """One image of a batch of OneFormer, with masks at its own size.

    Its image processor would enlarge them by torchvision.
    """
    likely = outputs.masks_queries_logits[at : at + 1].sigmoid()
    enlarged = F.interpolate(likely, size=size, mode="bilinear", align_corners=False)
    return type(outputs)(
        class_queries_logits=outputs.class_queries_logits[at : at + 1],
        masks_queries_logits=torch.logit(enlarged),
    )


def _task(folder: Any, task: Task) -> Tensor:
    """What OneFormer is told to do, in tokens: [1, L]."""
    words = pretrained.read(folder, _SETTING, "AutoTokenizer", "text tokenizer")
    length = pretrained.read(folder, _SETTING, "AutoConfig", "model of transformers").task_seq_len
    found = words(
        [f"the task is {task}"],
        padding="max_length",
        max_length=length,
        truncation=True,
        return_tensors="pt",
    )
    # As the library's own processor has it: padding reads as token 0.
    tokens: Tensor = found["input_ids"] * found["attention_mask"]
    return tokens
