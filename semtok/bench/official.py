"""Benchmarks' official files: found in the index, checked, and tied to a split's images."""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from semtok.bench import editions
from semtok.bench.benchmark import SplitData
from semtok.data.index import BENCHMARKS, IMAGES, SPLITS, split_images
from semtok.errors import SemtokError
from semtok.events import Emit, Message
from semtok.tables import REJECTED, read_table

#: What stands before and behind the part of a file's name that tells an image from others.
_NOT_ITS_OWN = re.compile(r"^COCO_[a-z]+2014_|(?i:\.(jpe?g|png))$")

#: Of which split an image is that is of none.
_ABSENT = "no image of the data set"


def find(index: Path | None, name: str, source: str, benchmark: str = "") -> Path:
    """The path of an official file.

    Args:
        index: the artifact that has them; None: there is none.
        name: `BENCHMARK/FILE`, as in the data root.
        source: where people get it.
        benchmark: which one asks for it; default: that of the file's folder.

    Raises:
        SemtokError: the data set does not have it, or an earlier edition; says where it belongs.
    """
    path = _path(index, name)
    if not has(index, name):
        asking = benchmark or name.partition("/")[0]
        raise SemtokError(
            f"{path}: missing; put {name} into the data root (from {source}) and run the stages "
            f"again from images on, or take {asking} out of bench.benchmarks in params.yaml"
        )
    editions.check(path, name, source)
    return path


def files_of_images(data: SplitData, folder: str, source: str) -> dict[int, Path]:
    """The official files that are named as images of the split, by the ids of these.

    Args:
        data: of the split.
        folder: `BENCHMARK/FOLDER`, as in the data root.
        source: where people get it.

    Raises:
        SemtokError: as `find`.
    """
    files = image_files(data.index, folder, source)
    found: dict[int, Path] = {}
    for each, file in zip(image_ids(data, [each.stem for each in files]), files, strict=True):
        if each >= 0 and (other := found.setdefault(int(each), file)) != file:
            raise SemtokError(
                f"{file}: is of the same image as {other.name}; remove one of the two files"
            )
    return found


def image_files(index: Path | None, folder: str, source: str) -> list[Path]:
    """The official files that are named as images; arguments as of `files_of_images`."""
    files = sorted(_path(index, folder).glob("*"))
    if not files:
        find(index, folder, source)
    return files


def has(index: Path | None, name: str) -> bool:
    """Whether the data set has an official file of that name."""
    return _path(index, name).is_file()


def _path(index: Path | None, name: str) -> Path:
    return (Path() if index is None else index) / BENCHMARKS / name


def lines(path: Path) -> list[Any]:
    """The rows of a file of one JSON value a line (`.jsonl`).

    Raises:
        SemtokError: a line is something else; names it.
    """
    rows = []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise SemtokError(f"{path}: line {number}: no JSON ({error}); correct it") from None
    return rows


def image_ids(data: SplitData, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """The split's images of the given names.

    Args:
        names: of files, with their folders or without, and with their extension or without.

    Returns:
        [N]; -1 where the image is of another split or the data set does not have it.

    Raises:
        SemtokError: several images of the data set have one of the names.
    """
    splits = _splits(data.index, names)
    here = set(data.images.image_ids.tolist())
    known = [splits.get(_short(name), (-1, ""))[0] for name in names]
    return np.array([each if each in here else -1 for each in known], np.int64)


def images_of(index: Path, names: Sequence[str]) -> list[int]:
    """The ids of the images of the given names, whatever split they are of.

    Args:
        index: the artifact.
        names: of files of images that the data set has, as of `image_ids`.
    """
    splits = _splits(index, names)
    return [splits[_short(name)][0] for name in names]


def whole_images(
    data: SplitData, names: Sequence[str], boxes: Sequence[tuple[float, ...]]
) -> list[bool]:
    """Whether each box is its whole image.

    Args:
        names: N files of images that the data set has.
        boxes: N times x, y, width and height in pixels.
    """
    assert data.index is not None, "`find` comes first"
    images = read_table(data.index / "images.parquet", IMAGES)
    columns = (images[name].to_pylist() for name in ("path", "width", "height"))
    sizes = {
        _short(path): (0, 0, width, height) for path, width, height in zip(*columns, strict=True)
    }
    return [box == sizes[_short(name)] for name, box in zip(names, boxes, strict=True)]


def sizes(data: SplitData) -> dict[int, tuple[int, int]]:
    """Width and height of the split's images in pixels, by their ids."""
    assert data.index is not None, "`find` comes first"
    images = split_images(data.index, data.name)
    columns = (images[name].to_pylist() for name in ("image_id", "width", "height"))
    return {image_id: (width, height) for image_id, width, height in zip(*columns, strict=True)}


def tell(data: SplitData, benchmark: str, names: Sequence[str], emit: Emit) -> None:
    """Say on images of which split rows are; those of others, or of none, are not asked.

    Args:
        names: the image of each row.
    """
    splits = _splits(data.index, names)
    here = set(data.images.image_ids.tolist())
    counts = Counter(
        split if split != data.name or each in here else f"{split}, set aside"
        for each, split in (splits.get(_short(name), (-1, _ABSENT)) for name in names)
    )
    others = ", ".join(f"{split} {n}" for split, n in sorted(counts.items()) if split != data.name)
    text = f"{benchmark}: {counts[data.name]} of {len(names)} rows are on images of {data.name}"
    emit(Message(f"{text}; not asked: {others}" if others else text))


def absent(
    index: Path | None, names: Collection[str], images: Mapping[str, Iterable[int]]
) -> dict[str, str]:
    """Of names of images those that the data set lacks, each with the reason.

    Args:
        index: the artifact.
        names: as of `image_ids`.
        images: split -> the ids of those that were not set aside behind the index.
    """
    splits = _splits(index, names)
    there = {split: set(ids) for split, ids in images.items()}
    assert index is not None, "`find` comes first"
    rejected = read_table(index / "rejected.parquet", REJECTED)
    whole = rejected.filter(pc.is_null(rejected["source_id"]))
    pairs = zip(whole["file"].to_pylist(), whole["reason"].to_pylist(), strict=True)
    reasons = {_short(file): reason for file, reason in pairs}
    found = {}
    for name in names:
        image_id, split = splits.get(_short(name), (-1, ""))
        if not split:
            found[name] = reasons.get(_short(name), _ABSENT)
        elif image_id not in there.get(split, {image_id}):
            found[name] = "set aside when tokens were made of it"
    return found


def _splits(index: Path | None, names: Iterable[str]) -> dict[str, tuple[int, str]]:
    """Name of an image -> its id and split; none of the given names may be of two images."""
    assert index is not None, "`find` comes first"
    splits = read_table(index / "splits.parquet", SPLITS)
    split_of = dict(zip(*(splits[name].to_pylist() for name in ("image_id", "split")), strict=True))
    images = read_table(index / "images.parquet", IMAGES)
    asked = {_short(name) for name in names}
    found: dict[str, tuple[int, str]] = {}
    paths: dict[str, str] = {}
    pairs = zip(images["path"].to_pylist(), images["image_id"].to_pylist(), strict=True)
    for path, image_id in pairs:
        name = _short(path)
        if name in found and name in asked:
            raise SemtokError(
                f"{index}: images {paths[name]} and {path} have one name, {name}, which a file of "
                "benchmarks asks for; rename one of the two in the data root, and what is of it"
            )
        found[name], paths[name] = (image_id, split_of[image_id]), path
    return found


def _short(name: str) -> str:
    """COCO's names are unique without their folders and, as in 2014, what stands before the id.

    Winoground's have no extension.
    """
    return _NOT_ITS_OWN.sub("", name.rpartition("/")[2])
