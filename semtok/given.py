"""Masks and relations that come with a request, checked: what `semtok predict` and clients give."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from semtok.errors import SemtokError
from semtok.extract import polygons, rle
from semtok.tokens.extraction import Extraction

#: One mask as COCO's `segmentation`: polygons [[x, y, x, y, ...], ...] in pixels of the image, or
#: an RLE {"size": [height, width], "counts": string or list of runs}.
Mask: TypeAlias = Sequence[Sequence[float]] | Mapping[str, Any]

#: Indices of the subject's and the object's mask, with the predicate between them.
Relation: TypeAlias = tuple[int, str, int]


def read_found(path: Path) -> tuple[list[list[Mask]], list[list[Relation]]]:
    """Read masks and relations from a file.

    Args:
        path: JSON, a list with {"masks": [...], "relations": [...]} for each image.

    Raises:
        SemtokError: the file is missing or holds something else.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(rows, list):
            raise TypeError("no list")
        return [row["masks"] for row in rows], [row.get("relations", []) for row in rows]
    except OSError as error:
        raise SemtokError(f"{path}: unreadable ({error.strerror}); check the path") from None
    except (ValueError, TypeError, KeyError) as error:
        raise SemtokError(
            f'{path}: must hold a list with {{"masks": [...], "relations": [...]}} for each image '
            f"({type(error).__name__}: {error})"
        ) from None


def extraction_of(
    name: str, height: int, width: int, masks: Sequence[Mask], relations: Sequence[Relation]
) -> Extraction:
    """What was found in an image, checked.

    Args:
        name: of the image, for errors.
        height, width: of it in pixels.
        masks, relations: as given.

    Raises:
        SemtokError: a mask or relation is no such thing, or not of this image.
    """
    for what, given in (("masks", masks), ("relations", relations)):
        if not isinstance(given, list | tuple):
            raise SemtokError(f"{name}: {what}: give a list")
    runs = [_runs(f"{name}: masks[{at}]", mask, height, width) for at, mask in enumerate(masks)]
    for at, relation in enumerate(relations):
        match relation:
            case [subject, str(predicate), target] if _numbers(len(runs), subject, target):
                check_text(f"{name}: relations[{at}]", predicate)
                continue
        raise SemtokError(
            f"{name}: relations[{at}]: give [subject, predicate, object], where subject and object "
            f"number the {len(runs)} given masks from 0"
        )
    return Extraction.of(
        rle.Runs.of(runs),
        height,
        width,
        relations=[(subject, target) for subject, _, target in relations],
        predicates=[predicate for _, predicate, _ in relations],
    )


def check_text(name: str, text: str) -> None:
    """Refuse what JSON can say and no text tokenizer reads.

    Raises:
        SemtokError: the text of that name holds half a character (a lone surrogate).
    """
    if any("\ud800" <= each <= "\udfff" for each in text):
        raise SemtokError(f"{name}: holds a lone surrogate; give valid Unicode")


def _numbers(masks: int, *ends: Any) -> bool:
    # `true` would pass for 1.
    return all(type(each) is int and 0 <= each < masks for each in ends)


def _runs(name: str, mask: Mask, height: int, width: int) -> NDArray[np.int64]:
    """The canonical runs of one mask."""
    runs, fault = (
        _rle(mask, height, width) if isinstance(mask, Mapping) else _polygons(mask, height, width)
    )
    if fault is None and (covered := rle.sums(runs)[0]) != height * width:
        fault = f"its runs cover {covered} pixels, the image has {height * width}"
    if fault is None and not rle.areas(runs)[0]:
        fault = "it is empty"
    if fault is not None:
        raise SemtokError(f"{name}: {fault}")
    return rle.canonical(runs)[0]


def _rle(mask: Mapping[str, Any], height: int, width: int) -> tuple[rle.Runs, str | None]:
    size, counts = mask.get("size"), mask.get("counts")
    nothing = rle.Runs.of([])
    if size != [height, width]:
        return nothing, f"its size is {size}, the image's [{height}, {width}]"
    if isinstance(counts, str):
        runs, (sound,) = rle.decompress([counts.encode(errors="surrogatepass")])
        return runs, None if sound else "its counts are no RLE string"
    if isinstance(counts, list) and all(
        type(each) is int and 0 <= each <= height * width for each in counts
    ):
        return rle.Runs.of([counts]), None
    return nothing, "its counts are neither a string nor a list of run lengths"


def _polygons(mask: Any, height: int, width: int) -> tuple[rle.Runs, str | None]:
    if not isinstance(mask, list):
        return rle.Runs.of([]), "it is neither a list of polygons nor an RLE object"
    if any(type(each) is bool for part in mask if isinstance(part, list) for each in part):
        return rle.Runs.of([]), polygons.NO_NUMBER
    runs, faults = polygons.rasterise(polygons.read([mask]), *np.array([[height], [width]]))
    return runs, faults.get(0)
