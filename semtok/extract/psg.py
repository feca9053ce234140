"""Relations of the PSG data set (OpenPSG, arXiv 2207.11247) among panoptic segments.

`psg.json` names the ends of a relation by their place in `segments_info`, and predicates by their
place in `predicate_classes`, both from 0.
"""

import marshal
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from semtok.data import coco, documents
from semtok.data.rejects import FOLLOWS, NOT_ANNOTATED, Reject
from semtok.errors import SemtokError
from semtok.extract.backends import RELATIONS, FoundRelations, Job
from semtok.remote import AnyPath

#: Relations name segments, which only these masks have as their `source_id`.
READS_MASKS = ("panoptic",)

_FILE = "annotations/psg.json"
_FIELDS: documents.Fields = {"file_name": str, "segments_info": list, "relations": list}


#: It repeats what somebody has annotated.
READS_ANNOTATIONS = True


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


class _Annotation(NamedTuple):
    segments: list[int]
    relations: list[list[int]]  # subject, object, predicate


def open_scene_graphs(job: Job) -> "PSG":
    """Read the relations of the images."""
    return PSG(job)


class PSG:
    """The annotated relations of some images."""

    def __init__(self, job: Job) -> None:
        """Read and check the file; see `open_scene_graphs`."""
        path = job.root / _FILE
        document = documents.read_json(path)
        self._predicates = _names(path, document.get("predicate_classes"))
        ids = dict(
            zip(job.images["path"].to_pylist(), job.images["image_id"].to_pylist(), strict=True)
        )
        self._of_image: dict[int, list[_Annotation]] = defaultdict(list)
        rows = documents.columns(path, document, "data", _FIELDS)
        for number, (name, segments, relations) in enumerate(zip(*rows, strict=True)):
            if name.partition("/")[0] not in coco.EDITIONS[2017]:
                raise SemtokError(
                    f"{path}: data[{number}].file_name: {name!r} does not begin with "
                    f"{' or '.join(f'{folder}/' for folder in coco.EDITIONS[2017])}"
                )
            if name in ids:
                where = f"data[{number}]"
                _check_triplets(path, f"{where}.relations", relations)
                (found,) = documents.check_rows(
                    path, f"{where}.segments_info", segments, {"id": int}
                )
                self._of_image[ids[name]].append(_Annotation(found, relations))

    def inputs(self, images: pa.Table) -> bytes:
        """The annotations of these images and the names of the predicates."""
        rows = [
            [tuple(each) for each in self._of_image.get(image_id, ())]
            for image_id in images["image_id"].to_pylist()
        ]
        return marshal.dumps((self._predicates, rows), 2)

    def find(self, images: pa.Table, masks: pa.Table) -> FoundRelations:
        """The relations of these images; those of segments that were set aside are left out."""
        keys = zip(masks["image_id"].to_pylist(), masks["source_id"].to_pylist(), strict=True)
        mask_ids = dict(zip(keys, masks["mask_id"].to_pylist(), strict=True))
        rows: list[tuple[int, int, int, str]] = []
        rejected: list[Reject] = []
        for image_id, path in zip(
            images["image_id"].to_pylist(), images["path"].to_pylist(), strict=True
        ):
            if image_id not in self._of_image:
                rejected.append(Reject(image_id, None, path, NOT_ANNOTATED))
            for annotation in self._of_image.get(image_id, ()):
                for number, triplet in enumerate(annotation.relations):
                    if reason := self._fault(annotation, triplet):
                        rejected.append(Reject(image_id, number, _FILE, reason))
                        continue
                    subject, object_ = (
                        mask_ids.get((image_id, annotation.segments[end])) for end in triplet[:2]
                    )
                    if subject is None or object_ is None:
                        rejected.append(Reject(image_id, number, _FILE, FOLLOWS))
                    else:
                        rows.append((image_id, subject, object_, self._predicates[triplet[2]]))
        values = [list(each) for each in zip(*rows, strict=True)] if rows else [[]] * 4
        relations = pa.table([*values, [1.0] * len(rows)], schema=RELATIONS)
        return FoundRelations(relations, _FILE, rejected)

    def _fault(self, annotation: _Annotation, triplet: list[int]) -> str | None:
        subject, object_, predicate = triplet
        if not all(0 <= end < len(annotation.segments) for end in (subject, object_)):
            return f"an end of relation {triplet} is not in segments_info"
        if not 0 <= predicate < len(self._predicates):
            return f"the predicate of relation {triplet} is not in predicate_classes"
        if subject == object_:
            return f"relation {triplet} is of a segment with itself"
        return None


def _names(path: AnyPath, values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
        raise SemtokError(f"{path}: predicate_classes: expected a list of names")
    if not documents.is_utf8("".join(values)):
        raise SemtokError(f"{path}: predicate_classes: a name is not UTF-8; correct it")
    return values


def _check_triplets(path: AnyPath, where: str, relations: list[Any]) -> None:
    for number, each in enumerate(relations):
        if not isinstance(each, list) or [type(end) for end in each] != [int, int, int]:
            raise SemtokError(
                f"{path}: {where}[{number}]: expected three integers: subject, object, predicate"
            )
