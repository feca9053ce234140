"""What a benchmark is: a module of this folder, named in `params.yaml`, that fits `Benchmark`."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench.embedding import Model
from semtok.errors import SemtokError
from semtok.events import Emit
from semtok.tokens.shards import TokenShards


@dataclass(frozen=True)
class SplitData:
    """What a benchmark may use of a split.

    Attributes:
        name: train, val or test.
        images: the images' token sets.
        captions: columns caption_id, image_id, caption; those of `images` alone, by caption_id;
            each image has one at least.
    """

    name: str
    images: TokenShards
    captions: pa.Table


class Benchmark(Protocol):
    """The interface of a benchmark's module.

    Attributes:
        TASKS: names of the questions that it asks.
    """

    TASKS: tuple[str, ...]

    def score(self, model: Model, data: SplitData, emit: Emit) -> pa.Table:
        """Score a model on one split.

        Returns:
            The columns task, case_id, cluster_id, rank and candidates of `cases.CASES`.
        """
        ...


def find(name: str) -> Benchmark:
    """Look a benchmark up by name.

    Raises:
        SemtokError: there is none of that name.
    """
    path = f"semtok.bench.{name}"
    module = import_module(path) if name.isidentifier() and find_spec(path) else None
    if not hasattr(module, "TASKS"):
        raise SemtokError(f"bench.benchmarks: {name!r} is no benchmark of semtok/bench")
    return cast(Benchmark, module)


def split_data(name: str, images: TokenShards, captions: pa.Table) -> SplitData:
    """Join the images and captions of a split.

    Args:
        name: of the split.
        images: their token shards.
        captions: caption_id, image_id, caption; of any images.

    Raises:
        SemtokError: an image has no caption.
    """
    kept = captions.filter(pc.is_in(captions["image_id"], pa.array(images.image_ids)))
    missing = np.setdiff1d(images.image_ids, kept["image_id"].to_numpy())
    if len(missing):
        raise SemtokError(
            f"{images.folder}: {len(missing)} images have no caption, the first is image "
            f"{missing[0]}; leave such images out of the index"
        )
    return SplitData(name, images, kept.sort_by("caption_id"))
