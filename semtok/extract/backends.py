"""What a backend of an extractor offers: the seam between `masks.py`, `scene_graphs.py` and it.

A backend is a module of semtok/extract with a frozen dataclass `Settings` and one function,
`open_masks` or `open_scene_graphs`. It reads its annotations (or loads its model) once and is then
asked about a few images at a time.
"""

import importlib
import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from semtok.data.rejects import Reject
from semtok.errors import SemtokError
from semtok.extract.corruptions import CLEAN, Corruption
from semtok.extract.rle import Int, Runs
from semtok.parsing import parse
from semtok.remote import AnyPath


@dataclass(frozen=True)
class Job:
    """What every backend is opened with.

    Attributes:
        root: the data root.
        files: schema `FILES`, the hash of every file below it.
        images: schema `IMAGES`, the images of the split.
        settings: the backend's own `Settings`.
        model: the artifact of the model that the backend runs; None where there is none.
        corruption: of the images that a model is shown; annotations know of none.
        project: the project's folder, from which settings name files.
    """

    root: AnyPath
    files: pa.Table
    images: pa.Table
    settings: Any
    model: Path | None = None
    corruption: Corruption = CLEAN
    project: Path = Path()


#: What is known of masks beside their runs.
FOUND = pa.schema(
    [
        ("image_id", pa.int64()),
        ("source_id", pa.int64()),  # annotation or segment
        ("category_id", pa.int64()),
        ("category", pa.string()),
        ("score", pa.float32()),
        ("file", pa.string()),  # where it was found, relative to the data root
    ]
)


class FoundMask(NamedTuple):
    """A mask of a backend that finds one after the other: a row of `FOUND`, and its runs."""

    image_id: int
    source_id: int
    category_id: int
    category: str
    score: float
    file: str
    runs: Int


@dataclass(frozen=True)
class FoundMasks:
    """Masks in any order, unchecked: `masks.py` checks, measures and orders them.

    Attributes:
        masks: N rows, schema `FOUND`.
        runs: the run lengths of each, column-major, background first.
        rejected: what the backend itself set aside.
    """

    masks: pa.Table
    runs: Runs
    rejected: list[Reject]

    @classmethod
    def of(cls, masks: Sequence[FoundMask], rejected: list[Reject]) -> "FoundMasks":
        """Join single masks."""
        *columns, runs = zip(*masks, strict=True) if masks else [()] * len(FoundMask._fields)
        return cls(pa.table(columns, schema=FOUND), Runs.of(runs), rejected)


def reject_row(masks: pa.Table, at: int, reason: str) -> Reject:
    """Set one of the masks of a table aside that has the columns of `FOUND`."""
    image_id, source_id, file = (
        masks[name][at].as_py() for name in ("image_id", "source_id", "file")
    )
    return Reject(image_id, source_id, file, reason)


@dataclass(frozen=True)
class FoundRelations:
    """Relations in any order, repetitions and all.

    Attributes:
        relations: image_id, subject, object (mask ids), predicate, score (schema `RELATIONS`).
        file: where they were found, relative to the data root.
        rejected: what the backend itself set aside.
    """

    relations: pa.Table
    file: str
    rejected: list[Reject]


RELATIONS = pa.schema(
    [
        ("image_id", pa.int64()),
        ("subject", pa.int32()),
        ("object", pa.int32()),
        ("predicate", pa.string()),
        ("score", pa.float32()),
    ]
)


class MaskBackend(Protocol):
    """Masks of images, from annotations or a model."""

    #: Annotations of images that do not exist; each is listed in the shard its image would be in.
    strays: list[Reject]

    def inputs(self, images: pa.Table) -> bytes:
        """Whatever the masks of these images depend on, settings and source aside."""

    def find(self, images: pa.Table) -> FoundMasks:
        """The masks of these images."""


class SceneGraphBackend(Protocol):
    """Relations among the masks of images, from annotations or a model."""

    def inputs(self, images: pa.Table) -> bytes:
        """Whatever the relations depend on, the masks, settings and source aside."""

    def find(self, images: pa.Table, masks: pa.Table) -> FoundRelations:
        """The relations of these images.

        Args:
            masks: their masks, schema `MASKS`, ordered by image_id, mask_id.
        """


@dataclass(frozen=True)
class Backend:
    """A backend's opening function, its settings and what identifies both in a fingerprint."""

    open: Callable[[Job], Any]
    settings: Any
    label: str
    reads_masks: tuple[str, ...]  # scene graphs: the mask backends it works on; empty: any
    reads_annotations: bool  # so it knows nothing of an image that nobody has annotated
    reads_pixels: bool  # so it finds something else in a corrupted image
    #: settings, project -> what a model that was trained elsewhere takes, for `cost.hand_down`
    cost: Callable[[Any, Path], Mapping[str, float]] | None = None

    def job_of_a_worker(self, job: Job) -> Job:
        """A job as workers are sent it, which are told of images shard by shard.

        What reads annotations has to know all its images; what does not is as large as its model.
        """
        if self.reads_annotations:
            return job
        return replace(
            job, files=job.files.schema.empty_table(), images=job.images.schema.empty_table()
        )


def find_backend(kind: str, name: str, settings: Mapping[str, Mapping[str, Any]]) -> Backend:
    """Look a backend up by its module's name and parse its settings.

    Args:
        kind: masks or scene_graphs.
        name: a module of semtok/extract.
        settings: the extractor's `settings`, a block per backend.

    Raises:
        SemtokError: there is no such backend, or a setting is wrong.
    """
    path = f"semtok.extract.{name}"
    known = name.isidentifier() and importlib.util.find_spec(path)
    module = importlib.import_module(path) if known else None
    opener = getattr(module, f"open_{kind}", None)
    if module is None or opener is None:
        raise SemtokError(
            f"params.yaml: extractors: {name!r} is no backend for {kind}: "
            f"there is no open_{kind} in semtok/extract/{name}.py"
        )
    where = f"params.yaml: extractors: settings.{name}"
    own = parse(module.Settings, dict(settings.get(name, {})), where)
    label = f"{name} {json.dumps(asdict(own), sort_keys=True)}"
    reads_masks = getattr(module, "READS_MASKS", ())
    annotated = getattr(module, "READS_ANNOTATIONS", False)
    pixels = getattr(module, "READS_PIXELS", not annotated)
    return Backend(
        opener, own, label, reads_masks, annotated, pixels, getattr(module, "cost", None)
    )
