"""Visual Genome's files (arXiv 1602.07332, version 1.4), as they lie in a COCO root.

Format from the spec, not run on the original.

annotations/visual_genome/image_data.json          which of its images are COCO's, and their sizes
annotations/visual_genome/relationships.json       subject, predicate, object: boxes, no masks
annotations/visual_genome/relationship_alias.txt   lines of predicates that say the same
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from semtok.data import documents
from semtok.errors import SemtokError
from semtok.remote import AnyPath

FOLDER = "annotations/visual_genome"  # not beside annotations/, where the files of benchmarks lie
RELATIONSHIPS = f"{FOLDER}/relationships.json"
IMAGES = f"{FOLDER}/image_data.json"
ALIASES = f"{FOLDER}/relationship_alias.txt"

Box = tuple[float, float, float, float]

_SIDES: documents.Fields = dict.fromkeys("xywh", (int, float))


class Image(NamedTuple):
    """An image that is COCO's too; Visual Genome has it in a size of its own (pixels)."""

    coco_id: int
    width: int
    height: int


class Relationship(NamedTuple):
    """One row; boxes are xywh in pixels of Visual Genome's image, and may reach beyond it."""

    number: int  # its id
    predicate: str  # as it was written
    subject: Box
    object: Box


def images(root: AnyPath) -> dict[int, Image] | None:
    """Visual Genome's id of an image -> COCO's and its size, of those that are COCO's.

    Returns:
        None where the file is not there.

    Raises:
        SemtokError: it is damaged.
    """
    path = root / IMAGES
    if not path.exists():
        return None
    fields: documents.Fields = {
        "image_id": int,
        "coco_id": (int, type(None)),
        "width": int,
        "height": int,
    }
    ids, *columns = documents.check_rows(path, "", documents.read_json(path, list), fields)
    if len(set(ids)) < len(ids):
        raise SemtokError(f"{path}: an image_id comes twice; download it again")
    rows = zip(ids, *columns, strict=True)
    return {key: Image(coco_id, *size) for key, coco_id, *size in rows if coco_id is not None}


def relationships(root: AnyPath) -> Iterator[tuple[int, list[Relationship]]]:
    """The relationships of one image after another, by Visual Genome's ids of these.

    The file is read as text and parsed image by image: as objects, all of it would take many times
    its own gigabyte.

    Raises:
        SemtokError: the file is missing or damaged.
    """
    path = root / RELATIONSHIPS
    fields: documents.Fields = {
        "relationship_id": int,
        "predicate": str,
        "subject": dict,
        "object": dict,
    }
    for at, entry in enumerate(_entries(path)):
        key, rows = _fields(path, at, entry)
        where = f"[{at}].relationships"
        numbers, predicates, *ends = documents.check_rows(path, where, rows, fields)
        boxes = [
            list(zip(*documents.check_rows(path, f"{where}.{name}", end, _SIDES), strict=True))
            for name, end in zip(("subject", "object"), ends, strict=True)
        ]
        columns = zip(numbers, predicates, *boxes, strict=True)
        yield key, [Relationship(*each) for each in columns]


def aliases(root: AnyPath) -> dict[str, str]:
    """Predicate -> the one that says the same, both as `normal` writes them.

    Of each line the first one stands for all; what an earlier line says holds. Empty where the
    file is not there.

    Raises:
        SemtokError: it is no text.
    """
    path = root / ALIASES
    if not path.exists():
        return {}
    found: dict[str, str] = {}
    for line in _text(path).splitlines():
        names = [name for name in map(normal, line.split(",")) if name]
        for name in names:
            found.setdefault(name, found.get(names[0], names[0]))
    return found


def normal(predicate: str) -> str:
    """A predicate in small letters, words apart by one blank and nothing else."""
    return " ".join(re.findall(r"[^\W_]+", predicate.lower()))


def _fields(path: AnyPath, at: int, entry: Any) -> tuple[int, list[Any]]:
    """The id of an image and its rows."""
    match entry:
        case {"image_id": int(key), "relationships": list(rows)}:
            return key, rows
    raise SemtokError(f"{path}: [{at}]: expected an image_id and a list of relationships")


_BETWEEN = re.compile(r"\s*(?:,\s*|(?=\]))")


def _entries(path: AnyPath) -> Iterator[Any]:
    """The elements of a JSON list, one at a time."""
    text, decoder = _text(path), json.JSONDecoder()
    between = re.match(r"\s*\[\s*", text)
    if between is None:
        raise SemtokError(f"{path}: holds no list; is this the file that its name says?")
    while not text.startswith("]", between.end()):
        try:
            entry, end = decoder.raw_decode(text, between.end())
        except json.JSONDecodeError as error:
            raise SemtokError(f"{path}: no complete JSON ({error}); download it again") from None
        yield entry
        between = _BETWEEN.match(text, end)
        if between is None:
            raise SemtokError(f"{path}: no complete JSON (char {end}); download it again")


def _text(path: AnyPath) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SemtokError(f"{path}: missing; put it there or choose another extractor") from None
    except UnicodeDecodeError as error:
        raise SemtokError(f"{path}: no text ({error}); download it again") from None
