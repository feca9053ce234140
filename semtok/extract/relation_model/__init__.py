"""Relations from the model that the stage `relation_model` trained.

Every ordered pair of an image's best masks is judged by the network of the image's own fold, which
has not been trained on it (`semtok.extract.crossfit`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from semtok.data.rejects import Reject
from semtok.errors import SemtokError, UnreadableImageError
from semtok.extract import trained
from semtok.extract.backends import RELATIONS, FoundRelations, Job
from semtok.extract.corruptions import corrupt
from semtok.extract.crossfit import folds_of
from semtok.extract.image_rows import rows_of
from semtok.extract.photos import read_image
from semtok.extract.relation_model.network import Network
from semtok.extract.relation_model.pairs import Masks, every_pair, look, masks_of
from semtok.json_files import read_json
from semtok.params import Count, Share

#: Pairs that a network is shown at once.
_BATCH = 256


@dataclass(frozen=True)
class Settings:
    """How much to state."""

    score: Share = 0.4  # relations below it are left out
    relations: Count = 16  # at most, of an image; the best ones stay
    masks: Count = 12  # of an image whose pairs are judged: the best ones


def open_scene_graphs(job: Job) -> "RelationModel":
    """Load the networks, one a fold.

    Raises:
        SemtokError: there is no trained model, or it cannot be read.
    """
    return RelationModel(job)


class RelationModel:
    """What the networks say of pairs of masks."""

    def __init__(self, job: Job) -> None:
        """See `open_scene_graphs`."""
        if job.model is None:
            raise SemtokError(
                "params.yaml: extraction: scene graphs of the backend relation_model need "
                "`scene_graphs: relation_model/NAME`, a trained one"
            )
        config = read_json(job.model / "config.json")
        self._root, self._settings, self._corruption = job.root, job.settings, job.corruption
        self._size = int(config["crop_size"])
        self._predicates = pa.array(config["predicates"], pa.string())
        self._networks = trained.load(job.model, new_network)
        self._identity = trained.identity(job.model)

    def inputs(self, images: pa.Table) -> bytes:
        """The networks and the images' bytes."""
        content = hashlib.blake2b(self._identity)
        content.update("".join(images["sha256"].to_pylist()).encode())
        return content.digest()

    def find(self, images: pa.Table, masks: pa.Table) -> FoundRelations:
        """The relations of these images; images that cannot be read are set aside."""
        found, rejected = [RELATIONS.empty_table()], []
        owner = masks["image_id"].to_numpy()
        own = folds_of(images["image_id"].to_numpy(), len(self._networks))
        for row, fold in zip(images.to_pylist(), own.tolist(), strict=True):
            rows = masks[rows_of(owner, row["image_id"])]
            best = pc.sort_indices(rows["score"], sort_keys=[("", "descending")])
            rows = rows.take(np.sort(best.to_numpy()[: self._settings.masks]))
            if rows.num_rows < 2:
                continue
            try:
                image = read_image(self._root / row["path"])
                image = corrupt(image, row["image_id"], self._corruption)
            except UnreadableImageError:
                rejected.append(Reject(row["image_id"], None, row["path"], "unreadable"))
                continue
            found.append(self._state(row["image_id"], image, masks_of(rows), self._networks[fold]))
        return FoundRelations(pa.concat_tables(found), "", rejected)

    def _state(
        self, image_id: int, image: NDArray[np.uint8], masks: Masks, network: Network
    ) -> pa.Table:
        """The likeliest relations of one image."""
        pairs = every_pair(len(masks.mask_ids))
        chances = judge(network, image, masks, pairs, self._size)
        likely = np.argsort(-chances.ravel(), kind="stable")[: self._settings.relations]
        likely = likely[chances.ravel()[likely] >= self._settings.score]
        pair, predicate = np.divmod(likely, chances.shape[1])
        ends = masks.mask_ids[np.array(pairs, np.int64)[pair]]
        return pa.table(
            [
                np.full(len(likely), image_id),
                ends[:, 0].astype(np.int32),
                ends[:, 1].astype(np.int32),
                self._predicates.take(pa.array(predicate)),
                chances.ravel()[likely],
            ],
            schema=RELATIONS,
        )


@torch.inference_mode()
def judge(
    network: Network,
    image: NDArray[np.uint8],
    masks: Masks,
    pairs: list[tuple[int, int]],
    size: int,
) -> NDArray[np.float32]:
    """How likely each predicate holds of each pair.

    Args:
        network: in evaluation mode.
        image: [H, W, 3] RGB.
        masks: of the image.
        pairs: N times subject and object, places in `masks`.
        size: side of the crops.

    Returns:
        [N, P] float32, 0 to 1.
    """
    device = trained.device()
    found = []
    for start in range(0, len(pairs), _BATCH):
        crops, geometry = look(image, masks, pairs[start : start + _BATCH], size)
        found.append(network(crops.to(device), geometry.to(device)).sigmoid().cpu())
    chances: NDArray[np.float32] = torch.cat(found).numpy()
    return chances


def new_network(config: Mapping[str, Any]) -> Network:
    """A fresh network of the given `config.json`."""
    return Network(int(config["width"]), len(config["predicates"]))
