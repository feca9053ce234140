"""`scene_classes`: pictures of `scenes` to be classified, with their masks and scene graphs.

Whatever `scenes` writes stays, but that an image's only caption is the name of its class:

- `largest`: what kind of thing covers most of the picture, a figure, an animal, a vehicle or
  another object.
- `count`: how many things can be seen. These classes are grades.

Classes are balanced: each split keeps as many pictures of every class as it has of the rarest,
those of lowest id; so fewer are left than are drawn.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from semtok.data import coco, documents, scenes
from semtok.errors import SemtokError
from semtok.events import Emit, ignore
from semtok.remote import within

Record = dict[str, Any]
Label = Literal["largest", "count"]

#: Where the names of classes stand, for the benchmark.
CLASSES = "classification/classes.json"

_KINDS = ("figure", "animal", "vehicle")
_OBJECT = "object"
_FEWEST, _MOST = 3, 7


class _Labelling(NamedTuple):
    """The classes, in the order of grades where they are grades, and what tells an image's."""

    classes: tuple[str, ...]
    ordered: bool
    label: Callable[[list[Record], Mapping[int, str]], str]


@dataclass(frozen=True)
class Settings(scenes.Settings):
    """What distinguishes one data set from another: of which scenes, and by what."""

    label: Label = "largest"


def write(root: Path, settings: Settings, emit: Emit = ignore) -> None:
    """Write the data set in COCO's layout.

    Args:
        root: an empty or missing folder.

    Raises:
        SemtokError: a setting is out of range, or a class has no picture.
    """
    of_scenes = asdict(settings)
    label = of_scenes.pop("label")
    scenes.write(root, scenes.Settings(**of_scenes), emit)
    relabel(root, label)


def relabel(root: Path, label: Label) -> None:
    """Make a data set of scenes one of classes, in place.

    Args:
        root: what `scenes.write` has written.
        label: by what.

    Raises:
        SemtokError: a class has no picture.
    """
    labelling = _LABELLINGS[label]
    # What is true of other captions, and benchmarks made of them.
    for path in (*root.glob("annotations/truth_*.json"), *coco.benchmark_files(root)):
        (root / within(path, root)).unlink()
    for folder in coco.folders(root):
        _label(root, folder, labelling)
    target = root / CLASSES
    target.parent.mkdir()
    told = {"classes": labelling.classes, "ordered": labelling.ordered}
    target.write_text(json.dumps(told), encoding="utf-8")


def _label(root: Path, folder: str, labelling: _Labelling) -> None:
    """Replace the captions of one folder's images by classes, and drop what is too many."""
    instances = documents.read_json(root / f"annotations/instances_{folder}.json")
    kinds = {each["id"]: each["supercategory"] for each in instances["categories"]}
    things: dict[int, list[Record]] = {each["id"]: [] for each in instances["images"]}
    for each in instances["annotations"]:
        things[each["image_id"]].append(each)
    found = {
        image_id: labelling.label(own, kinds) for image_id, own in sorted(things.items()) if own
    }
    kept = _balanced(found, labelling.classes)
    if not kept:
        raise SemtokError(
            f"params.yaml: data.settings.scene_classes: a class has no picture in {folder}; "
            "draw more of them"
        )
    path = root / f"annotations/captions_{folder}.json"
    document = documents.read_json(path)
    for each in document["images"]:
        if each["id"] not in kept:
            (root / folder / each["file_name"]).unlink()
    document["images"] = [each for each in document["images"] if each["id"] in kept]
    document["annotations"] = [
        {"id": image_id, "image_id": image_id, "caption": found[image_id]}
        for image_id in sorted(kept)
    ]
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def _balanced(found: Mapping[int, str], classes: Iterable[str]) -> set[int]:
    """As many images of each class as there are of the rarest."""
    of_class = [[image_id for image_id, name in found.items() if name == one] for one in classes]
    least = min(map(len, of_class))
    return {image_id for ids in of_class for image_id in ids[:least]}


def _largest(things: list[Record], kinds: Mapping[int, str]) -> str:
    """The kind of the thing of most pixels, of several the first."""
    kind = kinds[max(things, key=lambda each: each["area"])["category_id"]]
    return kind if kind in _KINDS else _OBJECT


def _count(things: list[Record], kinds: Mapping[int, str]) -> str:
    """The number of things, fewer and more taken together at both ends."""
    return _COUNTS[min(max(len(things), _FEWEST), _MOST) - _FEWEST]


_COUNTS = (
    f"{_FEWEST} or fewer",
    *(str(count) for count in range(_FEWEST + 1, _MOST)),
    f"{_MOST} or more",
)
_LABELLINGS: dict[Label, _Labelling] = {
    "largest": _Labelling((*_KINDS, _OBJECT), False, _largest),
    "count": _Labelling(_COUNTS, True, _count),
}
