"""Trains the relation model's networks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from semtok.errors import SemtokError
from semtok.events import Emit, ignore
from semtok.extract import learning, trained
from semtok.extract.image_rows import rows_of
from semtok.extract.photos import read_image
from semtok.extract.relation_model.network import Network
from semtok.extract.relation_model.pairs import every_pair, look, masks_of
from semtok.params import RelationModelSettings
from semtok.remote import AnyPath

#: Other pairs of an image beside those that have an annotated relation.
_OTHERS = 6

#: Crops, geometry and [N, P] float32, 1 where a predicate is annotated.
Batch = tuple[Tensor, Tensor, Tensor]


def train(
    root: AnyPath,
    images: pa.Table,
    masks: pa.Table,
    relations: pa.Table,
    settings: RelationModelSettings,
    staging: Path,
    emit: Emit = ignore,
) -> None:
    """Train one network a fold on annotated relations among annotated masks.

    On annotated masks, so that fold k is all that network k has to do without: masks of a detector
    would bring what other folds' networks learned from fold k.

    Args:
        root: the data root.
        images: schema `IMAGES`, the training images.
        masks: schema `MASKS`, ordered by image_id, mask_id.
        relations: schema `SCENE_GRAPHS`.
        settings: how.
        staging: the folder to write to.
        emit: told of progress and metrics.

    Raises:
        SemtokError: there is no relation to learn from, an image cannot be read, a fold has no
            image, or a loss is not finite.
    """
    if not relations.num_rows:
        raise SemtokError("relation_model: no training image has an annotated relation")
    pairs = _Pairs(root, images, masks, relations, settings.crop_size)
    device = trained.device()

    def parts(network: Network, batch: Batch, random: torch.Generator) -> Mapping[str, Tensor]:
        crops, geometry, wanted = (each.to(device) for each in batch)
        logits = network(crops, geometry)
        said = F.binary_cross_entropy_with_logits(logits, wanted, reduction="sum")
        return {"predicates": said / len(logits)}

    task = learning.Task(
        "training the relation model",
        lambda: Network(settings.width, len(pairs.predicates)),
        pairs.image_ids,
        pairs.read,
        parts,
    )
    config = {
        "width": settings.width,
        "crop_size": settings.crop_size,
        "predicates": pairs.predicates,
    }
    learning.learn(task, settings, config, staging, emit)


class _Pairs:
    """The pairs of masks that a training draws from: of images with two masks or more."""

    def __init__(
        self, root: AnyPath, images: pa.Table, masks: pa.Table, relations: pa.Table, size: int
    ) -> None:
        counts = masks.group_by("image_id").aggregate([("mask_id", "count")])
        able = counts.filter(pc.greater(counts["mask_id_count"], 1))["image_id"]
        images = images.filter(pc.is_in(images["image_id"], able.combine_chunks()))
        self.image_ids: NDArray[np.int64] = images["image_id"].to_numpy()
        self.predicates: list[str] = sorted(set(relations["predicate"].to_pylist()))
        self._paths = [root / path for path in images["path"].to_pylist()]
        self._masks, self._size = masks, size
        self._owner = masks["image_id"].to_numpy()
        self._stated: dict[int, list[tuple[int, int, int]]] = {}
        number = {name: at for at, name in enumerate(self.predicates)}
        names = ("image_id", "subject", "object", "predicate")
        for image_id, *ends, name in zip(*(relations[n].to_pylist() for n in names), strict=True):
            self._stated.setdefault(image_id, []).append((ends[0], ends[1], number[name]))

    def read(self, places: NDArray[np.int64], random: torch.Generator) -> Batch:
        """Pairs of some images. None is mirrored: predicates may speak of left and right."""
        seen, where, wanted = [], [], []
        for place in places.tolist():
            image_id = int(self.image_ids[place])
            masks = masks_of(self._masks[rows_of(self._owner, image_id)])
            at = {mask_id: number for number, mask_id in enumerate(masks.mask_ids.tolist())}
            stated = [
                (at[subject], at[object_], predicate)
                for subject, object_, predicate in self._stated.get(image_id, [])
            ]
            pairs = self._draw(len(at), {each[:2] for each in stated}, random)
            image = read_image(self._paths[place])
            crops, geometry = look(image, masks, pairs, self._size)
            truth = torch.zeros(len(pairs), len(self.predicates))
            for subject, object_, predicate in stated:
                truth[pairs.index((subject, object_)), predicate] = 1
            seen.append(crops)
            where.append(geometry)
            wanted.append(truth)
        return torch.cat(seen), torch.cat(where), torch.cat(wanted)

    @staticmethod
    def _draw(
        masks: int, related: set[tuple[int, int]], random: torch.Generator
    ) -> list[tuple[int, int]]:
        """All related pairs, and some others."""
        others = [each for each in every_pair(masks) if each not in related]
        order = torch.randperm(len(others), generator=random)[:_OTHERS]
        return [*sorted(related), *(others[at] for at in order.tolist())]
