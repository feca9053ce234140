import shutil
from pathlib import Path

from semtok.data.files import FILES
from tests.checks.planted import Fault, editing, repeating, setting
from tests.checks.tiny_line import Row

_TABLE = "files.parquet"


def _empty(folder: Path) -> None:
    (folder / "train2017/000000000002.jpg").write_bytes(b"")
    setting(_TABLE, FILES, 2, bytes=0)(folder)


def _another_root(folder: Path) -> None:
    """The root lies elsewhere, and nothing of val2017 was listed."""
    for name in ("train2017", "val2017", "annotations"):
        shutil.rmtree(folder / name)
    editing(_TABLE, FILES, _train_alone)(folder)


def _lose_folder(folder: Path) -> None:
    shutil.rmtree(folder / "val2017")


def _train_alone(rows: list[Row]) -> list[Row]:
    return [row for row in rows if "val2017" not in row["path"]]


FAULTS = [
    Fault("images", "empty_files", _empty, "000000000002.jpg bytes=0"),
    Fault(
        "images",
        "malformed_hashes",
        setting(_TABLE, FILES, 1, sha256="AB12"),
        "path=train2017/000000000001.jpg",
    ),
    Fault("images", "duplicate_paths", repeating(_TABLE, FILES), "captions_train2017.json"),
    Fault(
        "images",
        "paths_outside_root",
        editing(_TABLE, FILES, lambda rows: rows.append({**rows[0], "path": "../secret.jpg"})),
        "../secret.jpg",
        {"files_not_as_listed"},
    ),
    Fault(
        "images",
        "paths_outside_root",
        editing(_TABLE, FILES, lambda rows: rows.append({**rows[0], "path": "/root/secret.jpg"})),
        "/root/secret.jpg",
        {"files_not_as_listed"},
    ),
    Fault(
        "images",
        "files_not_as_listed",
        lambda folder: (folder / "train2017/000000000002.jpg").unlink(),
        "000000000002.jpg bytes=11 found=None",
    ),
    Fault(
        "images",
        "files_not_as_listed",
        lambda folder: (folder / "train2017/000000000002.jpg").write_bytes(b"cut"),
        "000000000002.jpg bytes=11 found=3",
    ),
    Fault(
        "images",
        "files_not_as_listed",
        lambda folder: (folder / "train2017/stray.jpg").write_bytes(b"stray"),
        "stray.jpg bytes=None found=5",
    ),
    Fault("images", "files_not_as_listed", _lose_folder, "000000000101.jpg bytes=13 found=None"),
    Fault("images", "images_per_folder", _another_root, "folder=val2017"),
]
