"""The official COCO layout: where its files lie, and whose split their images are.

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
BENCHMARK/*.json, BENCHMARK/*.jsonl              official files, for a module of semtok/bench
saliency/ground_truth_mask/*.png                 masks of what is salient, as ECSSD has them
corloc/Annotations/*.xml                         boxes, as VOC has them

The layout of 2014 is the same, with 2014 for 2017 and images that are named
COCO_train2014_000000000009.jpg; COCO has nothing panoptic of it. Format from the spec, not run on
the original.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from semtok.data import documents
from semtok.errors import SemtokError
from semtok.remote import AnyPath

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
#: Files of benchmarks that are no JSON.
_BESIDE_JSON = ("saliency/ground_truth_mask/*.png", "corloc/Annotations/*.xml")
_KARPATHY = {"train": "train", "restval": "train", "val": "val", "test": "test"}


def check_layout(root: AnyPath) -> None:
    """Fail unless the files that every line needs are there.

    Raises:
        SemtokError: names the first one missing and what it holds, or where to get them all.
    """
    there = _there(root)
    begun = bool(there) or (root / "annotations").is_dir()
    for folder in required(there):
        for name, holds in (
            (folder, "its folder of images (.jpg, .jpeg or .png)"),
            (
                f"annotations/captions_{folder}.json",
                f"the images and captions of {folder}, {_JSON}",
            ),
        ):
            if not (root / name).exists():
                remedy = f"this one lacks {holds}" if begun else _whence(root)
                raise SemtokError(
                    f"{root / name}: missing; data.source must be a COCO root: {remedy}"
                )


#: What a file of captions has at least.
_JSON = (
    '{"images": [{"id", "file_name", "width", "height"}], '
    '"annotations": [{"id", "image_id", "caption"}]}'
)


def _whence(root: AnyPath) -> str:
    """Where to get a root from, if nothing is there."""
    if not isinstance(root, Path):
        return "see to its bucket and prefix, or copy a root there"
    return (
        "unpack the images and the annotations of cocodataset.org/#download (2017; 2014 where it "
        f"alone is whole) side by side, or semtok data fetch coco --root {root}"
    )


def edition(there: Sequence[str]) -> int:
    """Which of `EDITIONS` is read: the first that is whole, else the first of which there is any.

    Args:
        there: the folders that a root has.
    """
    whole = [year for year, own in EDITIONS.items() if {*own[:2]} <= {*there}]
    begun = [year for year, own in EDITIONS.items() if {*own} & {*there}]
    return [*whole, *begun, *EDITIONS][0]


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
    return sorted([*images, *annotations, *benchmark_files(root)], key=str)


def benchmark_files(root: AnyPath) -> list[AnyPath]:
    """The official files of benchmarks, in the folders that modules of `semtok/bench` name.

    Whatever else somebody keeps in the root, say the JSON of LVIS, is none of the line's.
    """
    found: list[AnyPath] = [
        path
        for folder in root.glob("*")
        if folder.name.isidentifier() and importlib.util.find_spec(f"semtok.bench.{folder.name}")
        for pattern in ("*.json", "*.jsonl")
        for path in folder.glob(pattern)
    ]
    return found + [path for pattern in _BESIDE_JSON for path in root.glob(pattern)]


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
        ids, names = documents.columns(path, documents.read_json(path), "images", fields)
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
        (names,) = documents.check_rows(path, "", documents.read_json(path, list), {"image": str})
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
