"""The official COCO layout: where its files lie, and readers that say what is wrong with them.

train2017/ val2017/                              the images
annotations/captions_{train,val}2017.json
annotations/instances_{train,val}2017.json       masks: polygons and RLE
annotations/panoptic_{train,val}2017.json        segments; their PNGs in a folder of that name
annotations/psg.json                             relations among panoptic segments (PSG)
annotations/visual_genome/*                      relations among boxes (Visual Genome)
annotations/dataset_coco.json                    Karpathy's splits, or
annotations/coco_karpathy_{val,test}.json        the same as lists of captioned images
novel2017/ and annotations/KIND_novel2017.json   a second split to test on, where there is one
annotations/truth_{train,val}2017.json           every image that each caption is true of (`scenes`)
annotations/siblings_{train,val}2017.json        pairs of images that one exchange tells apart (")
BENCHMARK/*.json, BENCHMARK/*.jsonl              official files of a benchmark that reads some
saliency/ground_truth_mask/*.png                 masks of what is salient, as ECSSD has them
corloc/Annotations/*.xml                         boxes, as VOC has them

The layout of 2014 is the same, with 2014 for 2017 and images that are named
COCO_train2014_000000000009.jpg; COCO has nothing panoptic of it. Format from the spec, not run on
the original.
"""

import gc
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from semtok.errors import SemtokError
from semtok.remote import AnyPath, within

#: Year of an edition -> its folders of images, each with files of its own; the first two are always
#: there. COCO's images of both are the same, shared out among train and val in another way.
EDITIONS = {year: (f"train{year}", f"val{year}", f"novel{year}") for year in (2017, 2014)}

_IMAGES = (".jpg", ".jpeg", ".png")
_OF_A_FOLDER = (
    *(f"{kind}_{{}}.json" for kind in ("captions", "instances", "truth", "siblings", "panoptic")),
    "panoptic_{}/*.png",
)
_OF_ALL = (
    "annotations/psg.json",
    *(
        f"annotations/visual_genome/{name}"
        for name in ("image_data.json", "relationships.json", "relationship_alias.txt")
    ),
    "annotations/dataset_coco.json",
    "annotations/coco_karpathy_*.json",
)
_OF_BENCHMARKS = (
    *("*/*.json", "*/*.jsonl"),
    *("saliency/ground_truth_mask/*.png", "corloc/Annotations/*.xml"),
)
_KARPATHY = {"train": "train", "restval": "train", "val": "val", "test": "test"}

#: Bytes of JSON up to which orjson reads it: it needs three times as many besides, for a while.
_QUICK = 1 << 27

#: A field's name -> the types that it may have.
Fields = Mapping[str, type | tuple[type, ...]]


def check_layout(root: AnyPath) -> None:
    """Fail unless the files that every line needs are there.

    Raises:
        SemtokError: names the first one missing and where to get it.
    """
    there = _there(root)
    which, source = (
        ("2014", "coco/2014")
        if edition(there) == 2014
        else ("2017; 2014 where no folder of 2017 is", "coco")
    )
    for folder in required(there):
        for name in (folder, f"annotations/captions_{folder}.json"):
            if not (root / name).exists():
                remedy = (
                    f"unpack the images and the annotations of cocodataset.org/#download ({which}) "
                    f"side by side, or semtok data fetch {source} --root {root}"
                    if isinstance(root, Path)
                    else "see to its bucket and prefix, or copy a root there"
                )
                raise SemtokError(
                    f"{root / name}: missing; data.source must be a COCO root: {remedy}"
                )


def edition(there: Sequence[str]) -> int:
    """Which of `EDITIONS` is read: 2014 where it alone has a folder there, else 2017.

    Args:
        there: the folders that a root has.
    """
    return next((year for year, own in EDITIONS.items() if {*own} & {*there}), 2017)


def required(there: Sequence[str]) -> Sequence[str]:
    """The folders of images that a root must have, by those that it has."""
    return EDITIONS[edition(there)][:2]


def folders(root: AnyPath) -> list[str]:
    """The folders of images of a root, of the edition that is read."""
    there = _there(root)
    return [folder for folder in EDITIONS[edition(there)] if folder in there]


def passed_over(root: AnyPath) -> list[str]:
    """The folders of images of a root that are of the edition that is not read."""
    there = _there(root)
    return [folder for folder in there if folder not in EDITIONS[edition(there)]]


def _there(root: AnyPath) -> list[str]:
    """The folders of images of a root, of any edition."""
    return [each for own in EDITIONS.values() for each in own if (root / each).is_dir()]


def list_files(root: AnyPath) -> list[AnyPath]:
    """Every file of the root that the line may read, in order of their names."""
    there = _there(root)
    own = EDITIONS[edition(there)]
    images: list[AnyPath] = [
        path
        for folder in own
        if folder in there
        for path in (root / folder).iterdir()
        if path.suffix.lower() in _IMAGES
    ]
    of_folders = [f"annotations/{each.format(folder)}" for each in _OF_A_FOLDER for folder in own]
    annotations = [path for pattern in (*of_folders, *_OF_ALL) for path in root.glob(pattern)]
    some = [path for pattern in _OF_BENCHMARKS for path in root.glob(pattern)]
    of_benchmarks = [path for path in some if is_of_a_benchmark(path, root)]
    return sorted(images + annotations + of_benchmarks, key=str)


def is_of_a_benchmark(path: AnyPath, root: AnyPath) -> bool:
    """Whether a file lies where the official files of benchmarks do."""
    below = within(path, root)
    of_data = {"annotations", *(folder for own in EDITIONS.values() for folder in own)}
    return below.parts[0] not in of_data and any(
        below.match(pattern) and len(below.parts) == pattern.count("/") + 1
        for pattern in _OF_BENCHMARKS
    )


def read_json(path: AnyPath, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
    """Parse a JSON file that holds an object, or a list where `kind` says so.

    Raises:
        SemtokError: the file is missing, cut off, no JSON or of another kind.
    """
    try:
        document = _parsed(path.read_bytes())
    except FileNotFoundError:
        raise SemtokError(f"{path}: missing; put it there or choose another extractor") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SemtokError(f"{path}: no complete JSON ({error}); download it again") from None
    if not isinstance(document, kind):
        wanted = "an object" if kind is dict else "a list"
        raise SemtokError(f"{path}: holds no {wanted.split()[1]}; expected {wanted}")
    return document


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection in this block.

    A parsed document is millions of objects and no cycle among them: the collector finds nothing
    and walks over them, and whatever else there is, again and again.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parsed(content: bytes) -> Any:
    """JSON by orjson, which is quick; what is large, or what it refuses, by `json`.

    It refuses what `json` takes (NaN, half a surrogate pair, UTF-16), and `json` says better what
    is wrong. Where it is missing, as beside a training alone, `json` does it all.
    """
    if len(content) <= _QUICK:
        try:
            import orjson

            return orjson.loads(content)
        except (ImportError, ValueError):
            pass
    text = content.decode(json.detect_encoding(content), "surrogatepass")
    del content  # as `json` does, so that what is large is held once
    return json.loads(text)


def columns(
    path: AnyPath, document: Mapping[str, Any], table: str, fields: Fields
) -> list[list[Any]]:
    """The named fields of every row of one of a document's lists, checked.

    Args:
        path: the document's file, for messages.
        table: key of the list, e.g. `annotations`.

    Returns:
        One list per field, each as long as the table.

    Raises:
        SemtokError: names the file, the row and the field that is missing or of a wrong type.
    """
    rows = document.get(table)
    if not isinstance(rows, list):
        raise SemtokError(f"{path}: {table}: expected a list; is this the file that its name says?")
    return check_rows(path, table, rows, fields)


def check_rows(path: AnyPath, table: str, rows: list[Any], fields: Fields) -> list[list[Any]]:
    """`columns` of rows at hand; `table` says where in the file they stand."""
    kinds = {name: each if isinstance(each, tuple) else (each,) for name, each in fields.items()}
    try:
        found = [[row[name] for row in rows] for name in fields]
    except (KeyError, TypeError, IndexError):
        raise SemtokError(_blame(path, table, rows, kinds)) from None
    for name, values in zip(fields, found, strict=True):
        if not _all_fit(values, kinds[name]):
            raise SemtokError(_blame(path, table, rows, kinds))
    return found


def integers(path: AnyPath, document: Mapping[str, Any], table: str, width: int) -> list[list[int]]:
    """The rows of one of a document's lists, each a list of `width` integers.

    Raises:
        SemtokError: names the file and the row that is something else.
    """
    rows = document.get(table)
    if not isinstance(rows, list):
        raise SemtokError(f"{path}: {table}: expected a list; is this the file that its name says?")
    for number, row in enumerate(rows):
        if type(row) is not list or len(row) != width or not all(_fits(x, (int,)) for x in row):
            raise SemtokError(
                f"{path}: {table}[{number}]: {repr(row)[:40]} is not {width} integers of 64 bits; "
                "correct it or the file"
            )
    return rows


def categories(path: AnyPath, document: Mapping[str, Any]) -> dict[int, str]:
    """The names of a document's categories by their ids."""
    ids, names = columns(path, document, "categories", {"id": int, "name": str})
    return dict(zip(ids, names, strict=True))


class Karpathy(NamedTuple):
    """Karpathy's splits: of image ids, and of all others (None: they have none)."""

    splits: dict[int, str]
    others: str | None


def karpathy_splits(root: AnyPath) -> Karpathy | None:
    """Karpathy's splits, if the root has a file that says them.

    Images of `restval` are trained on, as everywhere in the literature. The lists of BLIP name val
    and test alone; the others are train.

    Raises:
        SemtokError: a file is damaged, or names a split that is not Karpathy's.
    """
    path = root / "annotations/dataset_coco.json"
    if path.exists():
        fields = {"cocoid": int, "split": str}
        ids, names = columns(path, read_json(path), "images", fields)
        for row, name in enumerate(names):
            if name not in _KARPATHY:
                known = ", ".join(_KARPATHY)
                raise SemtokError(f"{path}: images[{row}].split: {name!r} is not one of {known}")
        return Karpathy({i: _KARPATHY[name] for i, name in zip(ids, names, strict=True)}, None)
    lists = {each: root / f"annotations/coco_karpathy_{each}.json" for each in ("val", "test")}
    if not any(path.exists() for path in lists.values()):
        return None
    splits: dict[int, str] = {}
    for split, path in lists.items():
        (names,) = check_rows(path, "", read_json(path, list), {"image": str})
        splits |= dict.fromkeys(ids_of(path, "", "image", names), split)
    return Karpathy(splits, "train")


def ids_of(path: AnyPath, table: str, field: str, names: Sequence[str]) -> list[int]:
    """The ids of images by the names of their files.

    Args:
        path, table, field: where the names stand, for messages.
        names: COCO_val2014_000000391895.jpg or 000000391895.jpg: the id is the number at the end.

    Raises:
        SemtokError: names the file and the row that ends in no number.
    """
    found = [Path(name).stem.rpartition("_")[2] for name in names]
    for row, digits in enumerate(found):
        if not digits.isdecimal():
            where = f"{path}: {table}[{row}].{field}"
            raise SemtokError(f"{where}: {names[row]!r} does not end in an image id")
    return [int(digits) for digits in found]


def _all_fit(values: list[Any], kinds: tuple[type, ...]) -> bool:
    """Whether each value `_fits`, found without a call for each."""
    found = set(map(type, values))
    numbers = values if found == {int} else [each for each in values if type(each) is int]
    in_range = not numbers or -(2**63) <= min(numbers) <= max(numbers) < 2**63
    return found <= set(kinds) and in_range


def _fits(value: Any, kinds: tuple[type, ...]) -> bool:
    # A bool is an int to isinstance, and no column holds more than 64 bits.
    return type(value) in kinds and (type(value) is not int or -(2**63) <= value < 2**63)


def _blame(
    path: AnyPath, table: str, rows: list[Any], fields: Mapping[str, tuple[type, ...]]
) -> str:
    """The message for the first row that does not fit."""
    for number, row in enumerate(rows):
        where = f"{path}: {table}[{number}]"
        if not isinstance(row, dict):
            return f"{where}: expected an object"
        for name, kinds in fields.items():
            wanted = " or ".join(_NAMES[kind] for kind in kinds)
            if name not in row:
                return f"{where}.{name}: missing; expected {wanted}"
            if not _fits(row[name], kinds):
                found = repr(row[name])
                return f"{where}.{name}: {found[:40]} is not {wanted}; correct it or the file"
    raise AssertionError("every row fits")


_NAMES: dict[type, str] = {
    int: "an integer of 64 bits",
    float: "a number",
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    type(None): "null",
}
