"""Editions of official files: those that their makers have replaced are refused.

Scores on an earlier edition are of other rows, and nothing in the file says so. A file of no
edition known to `semtok/data/editions.py` is taken as it is: a sample, or one of a data set's own;
unless `bench.checksums` in `params.yaml` states which it must be.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from semtok.data.editions import CURRENT, SUPERSEDED
from semtok.data.index import BENCHMARKS
from semtok.errors import SemtokError


def hold(index: Path, checksums: Mapping[str, str]) -> None:
    """Refuse official files that are not those that a person has stated.

    Args:
        index: the artifact that has them.
        checksums: `BENCHMARK/FILE` -> SHA-256.

    Raises:
        SemtokError: one is another, or missing; says its checksum and the expected one.
    """
    for name, expected in checksums.items():
        path = index / BENCHMARKS / name
        if not path.is_file():
            raise SemtokError(
                f"{path}: missing; put {name} into the data root (SHA-256 {expected}) and run the "
                "stages again from images on, or take it out of bench.checksums in params.yaml"
            )
        if (found := _checksum(path)) != expected:
            raise SemtokError(
                f"{path}: SHA-256 {found}, expected {expected} (bench.checksums in params.yaml); "
                "put that file into the data root and run the stages again from images on, or "
                "correct the checksum"
            )


def check(path: Path, name: str, source: str) -> None:
    """Refuse an earlier edition of an official file.

    Args:
        path: of the file.
        name: `BENCHMARK/FILE`, as in the data root.
        source: where people get the present one.

    Raises:
        SemtokError: it is one; says its checksum and the expected one.
    """
    if name in CURRENT:
        found = _checksum(path)
        if found in SUPERSEDED:
            raise SemtokError(
                f"{path}: an earlier edition of {name}: SHA-256 {found}, expected {CURRENT[name]}; "
                f"put the present one into the data root (from {source}) and run the stages again "
                "from images on"
            )


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
