"""Class folders: pictures to be classified, one folder a class, read where they lie.

train/CLASS/*.jpg, val/CLASS/*.jpg    as of imagenette; any depth below CLASS (CLASS/images/*.JPEG),
                                      where links are followed
test/CLASS/*.jpg                      where there is one; else val is cut into val and test
val/images/, val/val_annotations.txt  instead of val/CLASS, as of tiny-imagenet: FILE, tab, CLASS
words.txt                             names for folders, where there is one: CLASS, tab, name, ...
classification/templates.json         sentences for zero-shot models, where there are some

The caption of an image is the name of its class: what `words.txt` calls the folder, up to the first
comma where that is no other class's name too, else the folder's own name. Names that begin with a
dot are other programs' (.ipynb_checkpoints, ._picture.jpg), and are passed over.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from semtok.data.halves import half
from semtok.data.index import SIBLINGS, TRUTH
from semtok.data.listing import Listing
from semtok.errors import SemtokError
from semtok.remote import AnyPath, within

_REQUIRED = ("train", "val")
_FOLDERS = (*_REQUIRED, "test")
_ANNOTATIONS = "val/val_annotations.txt"
_WORDS = "words.txt"
_UNLABELLED = "images"  # tiny-imagenet's test/images
_IMAGES = (".jpg", ".jpeg", ".png")

#: Pictures all the same, which are set aside; other files, as tiny-imagenet's boxes, are no inputs.
_OTHER_IMAGES = (".avif", ".bmp", ".gif", ".heic", ".jfif", ".jp2", ".tif", ".tiff", ".webp")

#: Where the benchmark finds the classes, and sentences to put them into.
CLASSES, _TEMPLATES = "classification/classes.json", "classification/templates.json"


@dataclass(frozen=True)
class Settings:
    """What the folders do not tell."""

    ordered: bool = False  # whether classes are grades: by number where folders are, else by name


def check_layout(root: AnyPath) -> None:
    """Fail unless there are folders to train and to score on.

    Raises:
        SemtokError: names the first one missing.
    """
    for folder in _REQUIRED:
        if not (root / folder).is_dir():
            raise SemtokError(
                f"{root / folder}: missing; data.source must hold train/CLASS/ and val/CLASS/ with "
                "the images of each class"
            )


def required(there: Sequence[str]) -> Sequence[str]:
    """The folders of images that a root must have, whatever it has."""
    return _REQUIRED


def list_files(root: AnyPath) -> list[AnyPath]:
    """Every file of the root that the line may read, in order of their names."""
    found: list[AnyPath] = [
        root / file
        for folder in _FOLDERS
        for each in _folders(root / folder)
        for file in _pictures(root, each)
    ]
    others = (_ANNOTATIONS, _WORDS, _TEMPLATES)
    found += [root / name for name in others if (root / name).is_file()]
    return sorted(found, key=str)


def listing(root: AnyPath, settings: Settings) -> Listing:
    """Read the classes and the images of each.

    Raises:
        SemtokError: a class is empty, one of val or test is none of train, links lead in a circle,
            or a name or a file is not UTF-8.
    """
    folders = [each.name for each in _folders(root / "train")]
    if settings.ordered and all(name.isdecimal() for name in folders):
        folders.sort(key=int)
    if len(folders) < 2:
        raise SemtokError(f"{root / 'train'}: holds {len(folders)} classes; make a folder for each")
    names = _names(root, folders)
    rows = [
        (_image_id(file), file, folder, None if label is None else names[label])
        for folder in _FOLDERS
        for file, label in _labelled(root, folder, names)
    ]
    ids, files, places, captions = zip(*rows, strict=True)
    whole = "test" not in places
    nothing = pl.lit(None, pl.Int64)
    images = pl.DataFrame(
        {"image_id": ids, "file": files, "folder": places},
        schema={"image_id": pl.Int64, "file": pl.String, "folder": pl.String},
    )
    splits = [
        None if not _is_read(file) else half(each) if whole and place == "val" else place
        for each, file, place in zip(ids, files, places, strict=True)
    ]
    named = images.with_columns(
        source_id="image_id", caption=pl.Series(captions, dtype=pl.String)
    ).drop_nulls("caption")
    told = {"classes": [names[each] for each in folders], "ordered": settings.ordered}
    return Listing(
        images=images.with_columns(
            source_id=nothing,
            listed_width=nothing,
            listed_height=nothing,
            split=pl.Series(splits, dtype=pl.String),
        ),
        captions=named.select("image_id", "file", "source_id", "caption"),
        truth=pl.DataFrame(TRUTH.columns.empty_table()),
        siblings=pl.DataFrame(SIBLINGS.columns.empty_table()),
        without_split=f"read are {', '.join(_IMAGES)} alone: convert it, or take it out",
        official={CLASSES: json.dumps(told).encode()}
        | {name: root / name for name in (_TEMPLATES,) if (root / name).is_file()},
    )


def _labelled(
    root: AnyPath, folder: str, names: Mapping[str, str]
) -> Iterator[tuple[str, str | None]]:
    """Each image of train, val or test, relative to the root, and the folder of its class.

    None where nobody says of which class a picture is.
    """
    if folder == "val" and (root / _ANNOTATIONS).is_file():
        yield from _annotated(root, names)
        return
    for path in _folders(root / folder):
        if path.name not in names:
            if (folder, path.name) == ("test", _UNLABELLED):
                continue
            raise SemtokError(
                f"{path}: no class of train; add train/{path.name} or take this folder out"
            )
        found = sorted(_pictures(root, path))
        if not any(map(_is_read, found)):
            raise SemtokError(f"{path}: holds no image; add some, or take the class out")
        for each in found:
            yield each, path.name


def _annotated(root: AnyPath, names: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """The images of val that `val_annotations.txt` names, and what else lies there."""
    path, named = root / _ANNOTATIONS, set[str]()
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        file, _, rest = line.partition("\t")
        label = rest.partition("\t")[0]
        if label not in names:
            raise SemtokError(
                f"{path}: line {number}: {label!r} is no class of train; write FILE, a tab, and "
                "the name of a folder in train/"
            )
        named.add(f"val/images/{file}")
        yield f"val/images/{file}", label
    for folder in _folders(root / "val"):
        yield from ((each, None) for each in sorted(_pictures(root, folder)) if each not in named)


def _names(root: AnyPath, folders: list[str]) -> dict[str, str]:
    """Folder of a class -> its name, no two alike."""
    path, words = root / _WORDS, dict[str, str]()
    if path.is_file():
        words = dict(line.split("\t", 1) for line in _lines(path) if "\t" in line)
    full = {folder: words.get(folder, folder).strip() or folder for folder in folders}
    names = {folder: name.partition(",")[0].strip() or folder for folder, name in full.items()}
    counts = Counter(names.values())
    names = {each: name if counts[name] == 1 else full[each] for each, name in names.items()}
    # Whoever goes back to its folder's name may meet another that `words.txt` calls so.
    while len(counts := Counter(names.values())) < len(names):
        names = {each: name if counts[name] == 1 else each for each, name in names.items()}
    return names


def _lines(path: AnyPath) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise SemtokError(f"{path}: is not UTF-8; save it as UTF-8") from None


def _folders(place: AnyPath) -> list[AnyPath]:
    """The folders of train, val or test, in order; none where there is no such place."""
    if not place.is_dir():
        return []
    found = (each for each in place.iterdir() if each.is_dir() and each.name[0] != ".")
    return sorted(found, key=str)


def _pictures(root: AnyPath, folder: AnyPath) -> Iterator[str]:
    """The pictures of a class, at any depth, relative to the root."""
    for place, inner, files in _walk(folder) if isinstance(folder, Path) else folder.walk():
        inner[:] = [name for name in inner if name[0] != "."]
        for name in files:
            if name[0] == "." or Path(name).suffix.lower() not in (*_IMAGES, *_OTHER_IMAGES):
                continue
            file = within(place / name, root).as_posix()
            try:
                file.encode()
            except UnicodeEncodeError:
                raise SemtokError(f"{root}: {file!r}: the name is not UTF-8; rename it") from None
            yield file


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `RemotePath.walk`, through links, too.

    Raises:
        SemtokError: a link leads back to a folder on the way to it.
    """
    ways = {folder: {folder.resolve()}}
    for name, inner, files in os.walk(folder, followlinks=True):
        place = Path(name)
        yield place, inner, files
        way = ways.pop(place)
        for path in (place / each for each in inner):
            if (real := path.resolve()) in way:
                raise SemtokError(f"{path}: is a link to a folder that it lies in; take it out")
            ways[path] = {*way, real}


def _is_read(file: str) -> bool:
    return file.lower().endswith(_IMAGES)


def _image_id(file: str) -> int:
    """By the file's name alone, so that further images change no other's id."""
    return int.from_bytes(hashlib.blake2b(file.encode(), digest_size=8).digest(), "little") >> 4
