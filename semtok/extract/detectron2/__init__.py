"""Masks from detectron2: any model of its zoo, or a config file of one's own, with a weights file.

Images go through its own augmentations and the model's own batched call, a list of inputs.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import MinLen
from torch import Tensor

from semtok.errors import SemtokError
from semtok.extract import predicted, rle, trained
from semtok.extract.backends import Job
from semtok.extract.detectron2 import configs
from semtok.extract.detectron2.weights import read_weights
from semtok.extract.predicted import Predicted, Seen, UInt8, check_finite
from semtok.params import Count, Share

#: Things, which may overlap; or all that there is, by models that see that (panoptic FPN).
Task = Literal["instance", "panoptic"]

_SETTING = "params.yaml: extractors: settings.detectron2"


@dataclass(frozen=True)
class Settings:
    """Which model, and how much of what it finds is stated."""

    config: Annotated[str, MinLen(1)]  # a name of the model zoo, or a file, each with .yaml
    weights: Annotated[str, MinLen(1)]  # file: .pth or .safetensors
    task: Task = "instance"
    score: Share = 0.5  # masks below it are left out
    same: Share = 0.8  # IoU from which on two masks of an image are one; the better stays
    masks: Count = 100  # at most, of an image; the best ones stay
    batch_size: Count = 8  # images looked at at once


def open_masks(job: Job) -> Predicted:
    """Build the model and read its weights.

    Raises:
        SemtokError: detectron2 is not installed, or there is no such config or weights file.
    """
    return predicted.open_masks(Detectron2, job)


def cost(settings: Settings, project: Path) -> dict[str, float]:
    """What the model takes, as `cost.hand_down` writes it."""
    return predicted.cost(Detectron2, settings, project)


class Detectron2:
    """A model of detectron2; see `predicted.Segmenter`."""

    def __init__(self, settings: Settings, project: Path) -> None:
        """See `open_masks`."""
        self._settings = settings
        config = _config(settings.config, project)
        import detectron2
        from detectron2.data import MetadataCatalog
        from detectron2.data.transforms import ResizeShortestEdge
        from detectron2.modeling import build_model

        stated = config.dump()  # masks are the same on any device
        config.MODEL.DEVICE = str(trained.device())
        with _refused(settings.config):
            self.network = build_model(config).requires_grad_(False).eval()
        weights = project / settings.weights
        self._load(read_weights(weights, f"{_SETTING}.weights"))
        side = config.INPUT.MIN_SIZE_TEST
        self._augmentation = ResizeShortestEdge([side, side], config.INPUT.MAX_SIZE_TEST)
        self._is_bgr = config.INPUT.FORMAT == "BGR"
        data = config.DATASETS.TEST or config.DATASETS.TRAIN
        metadata = MetadataCatalog.get(data[0]) if data else None
        self._things = list(metadata.get("thing_classes", [])) if metadata else []
        self._stuff = list(metadata.get("stuff_classes", [])) if metadata else []
        with weights.open("rb") as stream:
            content = hashlib.file_digest(stream, hashlib.blake2b)
        content.update(f"{detectron2.__version__} {stated}".encode())
        self.identity = content.digest()

    def prepare(self, image: UInt8) -> Tensor:
        """See `predicted.Segmenter`."""
        pixels = np.ascontiguousarray(image[..., ::-1] if self._is_bgr else image)
        pixels = self._augmentation.get_transform(pixels).apply_image(pixels)
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32))

    def segment(self, pixels: Tensor, sizes: Sequence[tuple[int, int]]) -> list[list[Seen]]:
        """See `predicted.Segmenter`."""
        inputs = [
            {"image": image, "height": height, "width": width}
            for image, (height, width) in zip(pixels, sizes, strict=True)
        ]
        key = "instances" if self._settings.task == "instance" else "panoptic_seg"
        read = self._of_instances if self._settings.task == "instance" else self._of_panoptic
        answers = self.network(inputs)
        if answers and key not in answers[0]:
            raise SemtokError(
                f"{_SETTING}.task: {self._settings.config} does not answer {self._settings.task}; "
                f"it answers {', '.join(answers[0])}"
            )
        return [
            [each for each in read(answer[key]) if each.score >= self._settings.score]
            for answer in answers
        ]

    def _of_instances(self, found: Any) -> list[Seen]:
        """The things of an image, as its `Instances` have them."""
        if not found.has("pred_masks"):
            raise SemtokError(
                f"{_SETTING}.config: {self._settings.config} finds boxes without masks; name "
                "one of COCO-InstanceSegmentation, LVISv0.5-InstanceSegmentation or Cityscapes"
            )
        check_finite(found.scores, f"{_SETTING}.weights: {self._settings.weights}")
        columns = (
            found.scores.tolist(),
            found.pred_classes.tolist(),
            found.pred_masks.cpu().numpy(),
        )
        return [
            Seen(score, number, _name(self._things, number), rle.encode(mask))
            for score, number, mask in zip(*columns, strict=True)
        ]

    def _of_panoptic(self, found: tuple[Tensor, list[dict[str, Any]]]) -> list[Seen]:
        """Things and stuff of an image. Stuff has no score of its own: it is what is left."""
        numbers, masks = rle.of_labels(found[0].cpu().numpy().astype(np.int64))
        of = {number: masks[at] for at, number in enumerate(numbers.tolist())}
        seen = []
        for segment in found[1]:
            number, score = segment["category_id"], float(segment.get("score", 1.0))
            names, first = (
                (self._things, 0) if segment["isthing"] else (self._stuff, len(self._things))
            )
            seen.append(Seen(score, first + number, _name(names, number), of[segment["id"]]))
        return seen

    def _load(self, weights: dict[str, Tensor]) -> None:
        """Fill the network.

        Raises:
            SemtokError: a weight is missing or of another shape.
        """
        try:
            missing = self.network.load_state_dict(weights, strict=False).missing_keys
        except RuntimeError as error:
            first = str(error).strip().splitlines()[1:2] or [str(error)]
            raise SemtokError(
                f"{_SETTING}.weights: {self._settings.weights}: are of another model than "
                f"{self._settings.config} ({first[0].strip()})"
            ) from None
        if missing:
            raise SemtokError(
                f"{_SETTING}.weights: {self._settings.weights}: has no weights for "
                f"{', '.join(sorted(missing)[:3])}; take those of {self._settings.config}"
            )


def _config(name: str, project: Path) -> Any:
    """The configuration of a file, or of a name of the zoo.

    Raises:
        SemtokError: detectron2 is not installed, or there is neither.
    """
    try:
        from detectron2 import model_zoo
        from detectron2.config import get_cfg
    except ImportError as error:
        raise SemtokError(
            f"{_SETTING}: needs detectron2, which is not on the package registry ({error}); "
            "docs/extractors.md says how to install it"
        ) from None
    config, path = get_cfg(), project / name
    with _refused(name):
        path = path if path.is_file() else Path(model_zoo.get_config_file(name))
    configs.check(path, f"{_SETTING}.config")
    with _refused(name):
        config.merge_from_file(str(path.absolute()), allow_unsafe=False)
    config.MODEL.WEIGHTS = ""  # read here, and not by its own pickles
    return config


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """Tell in one line what is wrong with a config."""
    try:
        yield
    except Exception as error:  # of yaml, yacs, the zoo and the registries, each its own
        reason = str(error).strip().partition("\n")[0]
        raise SemtokError(
            f"{_SETTING}.config: {name}: no config of detectron2 ({reason})"
        ) from None


def _name(names: list[str], number: int) -> str:
    """The name of a category; its number where nobody knows a name."""
    return names[number] if number < len(names) else str(number)
