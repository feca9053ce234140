"""What a benchmark is: a module of this folder, named in `params.yaml`, that fits `Benchmark`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench import contestant
from semtok.bench.contestant import Contestant
from semtok.bench.embedding import Embedder, Images
from semtok.data.index import Annotations
from semtok.errors import SemtokError
from semtok.events import Emit
from semtok.params import Params

#: The split that models are trained on.
TRAIN = "train"


@dataclass(frozen=True)
class SplitData:
    """What a benchmark may use of a split.

    Attributes:
        name: train, val, test or novel.
        images: its images, in what form the model reads them.
        captions: columns caption_id, image_id, caption; those of `images` alone, by caption_id;
            each image has one at least.
        truth: columns caption_id, image_id: each of `captions` and each of `images` that it is
            true of, its own included; None where the data set does not say.
        siblings: schema `index.SIBLINGS`: pairs of `images`; no rows where the data set has none.
        index: the artifact that says so, with the official files of benchmarks (`official.py`);
            None where there is none.
        settings: of benchmarks that have some, by name, as `params.yaml` says them.
        train: the same of train, which a benchmark may learn from and never asks about; None where
            nobody gave it.
    """

    name: str
    images: Images
    captions: pa.Table
    truth: pa.Table | None
    siblings: pa.Table
    index: Path | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    train: "SplitData | None" = None

    def clusters(self, image_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The cluster of each image: its own id, of siblings the smaller one."""
        ends = (self.siblings[f"{end}_image_id"].to_pylist() for end in ("second", "first"))
        first_of = dict(zip(*ends, strict=True))
        return np.array([first_of.get(each, each) for each in image_ids.tolist()], np.int64)


class Benchmark(Protocol):
    """The interface of a benchmark's module.

    Three functions are optional: `questions` (question.py); `refusal(contestant)`, why it cannot
    be asked of a model, in words, or nothing; and, where it has official files,
    `row_images(index)`, which names the images of each row of each (missing.py).

    Attributes:
        CLEARS_CHANCE: whether every model that has learned something does better than one who
            guesses, in each task; the gate holds models to it.
        NEEDS_TOKENS: whether it reads or alters token shards; a model that reads image files is
            not asked.
        NEEDS_SENTENCES: whether its captions are any sentences, of which a variant with names of
            classes for text knows nothing; such a variant is not asked.
    """

    CLEARS_CHANCE: bool
    NEEDS_TOKENS: bool
    NEEDS_SENTENCES: bool

    def case_ids(self, data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
        """The cases of each task; a task that the data set cannot be asked is left out."""
        ...

    def score(self, model: Embedder, data: SplitData, emit: Emit) -> pa.Table:
        """Score a model on one split.

        Returns:
            The columns task, case_id and cluster_id of `cases.CASES`; rank, candidates, answers
            and truths, or value and loss; and, where there are such, the others.
        """
        ...


def find(name: str) -> Benchmark:
    """Look a benchmark up by name.

    Raises:
        SemtokError: there is none of that name.
    """
    path = f"semtok.bench.{name}"
    module = import_module(path) if name.isidentifier() and find_spec(path) else None
    if not hasattr(module, "case_ids"):
        raise SemtokError(f"bench.benchmarks: {name!r} is no benchmark of semtok/bench")
    return cast(Benchmark, module)


def refusals(contestant: Contestant, names: Sequence[str]) -> dict[str, str]:
    """Which benchmarks a model cannot be asked, and why: no others are there.

    Args:
        contestant: the model.
        names: of benchmarks.

    Raises:
        SemtokError: there is none of that name.
    """
    reasons = {name: _refusal(contestant, find(name)) for name in names}
    return {name: reason for name, reason in reasons.items() if reason}


def _refusal(contestant: Contestant, module: Benchmark) -> str:
    if module.NEEDS_TOKENS and not contestant.shards:
        return "it reads or alters token shards, and this model reads image files"
    if module.NEEDS_SENTENCES and contestant.classes:
        return "it asks about sentences, and text.tower: classes knows names of classes alone"
    return str(module.refusal(contestant)) if hasattr(module, "refusal") else ""


def check_askable(params: Params) -> None:
    """Find out before anything is trained that a benchmark can be asked of no variant.

    Raises:
        SemtokError: such a benchmark, or a variant that no benchmark can be asked of.
    """
    names = params.bench.benchmarks
    refused = {
        each: refusals(contestant.of_params(params, each), names) for each in params.variants
    }
    for name in names:
        if all(name in of_variant for of_variant in refused.values()):
            variant, reasons = next(iter(refused.items()))
            raise SemtokError(
                f"params.yaml: bench.benchmarks: {name} can be asked of no variant; {variant}: "
                f"{reasons[name]}; take it off, or add a variant that fits"
            )
    for variant, reasons in refused.items():
        if len(reasons) == len(names):
            raise SemtokError(
                f"params.yaml: variants.{variant}: no benchmark of bench.benchmarks can be asked "
                f"of it; {names[0]}: {reasons[names[0]]}; add one that fits, or drop the variant"
            )


def splits_data(
    images: Mapping[str, Images],
    annotations: Annotations,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[SplitData]:
    """The splits that a model is asked about, each with train, if that is there, to learn from.

    Args:
        images: split -> all of its images.
        annotations: of any images, these included.
        settings: of benchmarks that have some, by name.

    Raises:
        SemtokError: an image has no caption.
    """
    train = split_data(TRAIN, images[TRAIN], annotations) if TRAIN in images else None
    for name, each in images.items():
        if name != TRAIN:
            yield replace(split_data(name, each, annotations, settings), train=train)


def split_data(
    name: str,
    images: Images,
    annotations: Annotations,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> SplitData:
    """Join the images of a split with what the index says of them.

    Args:
        name: of the split.
        images: all of them.
        annotations: of any images, these included.
        settings: of benchmarks, as of `SplitData`.

    Raises:
        SemtokError: an image has no caption.
    """
    image_ids = pa.array(images.image_ids)
    captions = annotations.captions.filter(pc.is_in(annotations.captions["image_id"], image_ids))
    missing = np.setdiff1d(images.image_ids, captions["image_id"].to_numpy())
    if len(missing):
        raise SemtokError(
            f"{images.folder}: {len(missing)} images have no caption, the first is image "
            f"{missing[0]}; leave such images out of the index"
        )
    truth = annotations.truth.filter(
        pc.and_(
            pc.is_in(annotations.truth["image_id"], image_ids),
            pc.is_in(annotations.truth["caption_id"], captions["caption_id"].combine_chunks()),
        )
    )
    siblings = annotations.siblings.filter(
        pc.and_(
            pc.is_in(annotations.siblings["first_image_id"], image_ids),
            pc.is_in(annotations.siblings["second_image_id"], image_ids),
        )
    )
    captions = captions.sort_by("caption_id")
    known = truth if len(truth) else None
    return SplitData(name, images, captions, known, siblings, annotations.folder, settings or {})
