"""Trains the detector's networks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.events import Emit, ignore
from semtok.extract import learning, trained
from semtok.extract.detector.loss import loss
from semtok.extract.detector.network import Network
from semtok.extract.detector.samples import Sample, Samples
from semtok.params import DetectorSettings
from semtok.remote import AnyPath


def train(
    root: AnyPath,
    images: pa.Table,
    masks: pa.Table,
    settings: DetectorSettings,
    staging: Path,
    emit: Emit = ignore,
) -> None:
    """Train one network a fold on annotated masks, categories aside.

    Args:
        root: the data root.
        images: schema `IMAGES`, the training images.
        masks: schema `MASKS`, ordered by image_id: what is to be found in them.
        settings: how.
        staging: the folder to write to.
        emit: told of progress and metrics.

    Raises:
        SemtokError: an image cannot be read, a fold has no image, or a loss is not finite.
    """
    samples = Samples(root, images, masks, settings.image_size)
    device = trained.device()

    def read(places: NDArray[np.int64], random: torch.Generator) -> Sample:
        # Neither captions nor relations are read here, which left and right could make false.
        mirrored = torch.rand(len(places), generator=random) < 0.5
        return samples.take(places.tolist(), mirrored.tolist())

    def parts(network: Network, sample: Sample, random: torch.Generator) -> Mapping[str, Tensor]:
        drawn = _one_of_each(sample.owner, random)
        sample = Sample(*(each.to(device) for each in sample))
        find, draw = loss(network(sample.pixels), sample, drawn.to(device))
        return {"find": find, "draw": draw}

    task = learning.Task(
        "training the detector", lambda: Network(settings.width), samples.image_ids, read, parts
    )
    config = {"width": settings.width, "image_size": settings.image_size}
    learning.learn(task, settings, config, staging, emit)


def _one_of_each(owner: Tensor, random: torch.Generator) -> Tensor:
    """One cell of each mask, drawn at random: [N] masks of cells -> [M] places of cells."""
    order = torch.randperm(len(owner), generator=random)
    ordered = owner[order].sort(stable=True)
    first = torch.ones(len(owner), dtype=torch.bool)
    first[1:] = ordered.values[1:] != ordered.values[:-1]
    return order[ordered.indices[first]]
