"""The gate of `images`: the list of the data set's files."""

import os
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from semtok.checks.rules import Rule, Suite, at_least, beside, count, none
from semtok.checks.subject import Subject
from semtok.data.files import FILES, required
from semtok.tables import read_table


@dataclass(frozen=True)
class Settings:
    """Limits of the gate."""

    images_per_folder: int = 1  # at least, of those to train and of those to score on


_OF_A_FILE = (
    Rule("empty_files", "every file has content", pl.col("bytes") <= 0),
    Rule(
        "malformed_hashes",
        "every hash is 64 hexadecimal digits",
        ~pl.col("sha256").str.contains("^[0-9a-f]{64}$"),
    ),
    Rule("duplicate_paths", "every file is listed once", pl.col("path").is_duplicated()),
    Rule(
        "paths_outside_root",
        "every path is relative and stays below the data root",
        pl.col("path").str.contains(r"^/|^[A-Za-z]:|\\|(^|/)\.\.(/|$)"),
    ),
)
_OF_A_FILE_HELD = (
    Rule(
        "files_not_as_listed",
        "every file that the artifact itself holds is listed, with its size",
        pl.col("bytes").ne_missing(pl.col("found")),
    ),
)


def summarise(subject: Subject) -> dict[str, pl.DataFrame]:
    """Count the faults of the list of files, and the images of each folder."""
    files = pl.DataFrame(read_table(subject.artifact / "files.parquet", FILES))
    tops = files["path"].str.split("/").list.first()
    folders = required(subject.params["data"]["format"], tops.unique().to_list())
    images = [files.filter(tops == name).height for name in folders]
    held = _held(subject.artifact)
    # A data root that lies elsewhere is not looked at again.
    both = files.head(len(files) if len(held) else 0)
    both = both.join(held, on="path", how="full", coalesce=True, maintain_order="left_right")
    return {
        "files": beside(
            count(files, _OF_A_FILE, ["path", "bytes"]),
            count(both, _OF_A_FILE_HELD, ["path", "bytes", "found"]),
        ),
        "folders": pl.DataFrame({"folder": folders, "images_per_folder": images}),
    }


def suite(settings: Settings) -> Suite:
    """What must hold."""
    return {
        "files": none(*_OF_A_FILE, *_OF_A_FILE_HELD),
        "folders": [
            at_least(
                "images_per_folder", settings.images_per_folder, "every folder of images has some"
            )
        ],
    }


def _held(artifact: Path) -> pl.DataFrame:
    """The files in the artifact's folders; none where the data root lies elsewhere."""
    paths, sizes = [], []
    for folder, _, names in os.walk(artifact):
        inside = Path(folder).relative_to(artifact).as_posix()
        if inside != ".":
            paths += [f"{inside}/{name}" for name in names]
            sizes += [os.path.getsize(f"{folder}/{name}") for name in names]  # noqa: PTH202
    schema = {"path": pl.String, "found": pl.Int64}
    return pl.DataFrame({"path": paths, "found": sizes}, schema=schema).sort("path")
