"""Shuffled, collated batches from token shards, beside `webdataset` on the same stored bytes.

One epoch each, opened anew, in one process without workers: ours in a random order of all images,
theirs with shuffled shards and the usual buffer of 1,000 images. Both end in the same `Collate`.
Cold: the files' pages are dropped from the system's cache before each epoch.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import webdataset

from benchmarks import made_shards
from benchmarks.result import Result
from semtok.tokens.collate import Collate
from semtok.tokens.loader import batches
from semtok.tokens.shards import TokenShards

BATCH, BUFFER = 64, 1000
IMAGES = {"grid": 1000, "semantic": 24_000}
GOALS = {"grid": 1.0, "semantic": 5.0}


def run(scale: float) -> Iterator[Result]:
    """Measure both families, cold and warm."""
    repetitions = max(3, round(5 * scale))
    for family, images in IMAGES.items():
        with made_shards.folder() as folder:
            made_shards.write(family, max(4 * BATCH, round(images * scale)), folder)
            for state in ("cold", "warm"):
                ours, peer = _measure(family, folder, state == "cold", repetitions)
                yield Result(
                    name=f"batches: {family}, {state}",
                    ours=ours,
                    peer=peer,
                    unit="images/s",
                    at_least=GOALS[family],
                    command="python -m benchmarks --only loading",
                    packages=("numpy", "pyarrow", "torch", "webdataset"),
                    note="webdataset on the same bytes",
                )


def _measure(family: str, folder: Path, cold: bool, repetitions: int) -> tuple[float, float]:
    """Median images per second, ours and theirs, taking turns."""
    collate = Collate(patch_size=16) if family == "grid" else Collate(intangible=True)
    ways: dict[str, Callable[[], int]] = {
        "shards": lambda: _ours(folder / "shards", collate),
        "tars": lambda: _theirs(folder / "tars", family, collate),
    }
    speeds: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(repetitions):
        for name, way in ways.items():
            if cold:
                _drop(folder / name)
            start = time.perf_counter()
            images = way()
            speeds[name].append(images / (time.perf_counter() - start))
    return statistics.median(speeds["shards"]), statistics.median(speeds["tars"])


def _ours(folder: Path, collate: Collate) -> int:
    opened = TokenShards(folder)
    steps = islice(batches(opened, BATCH, seed=0), len(opened) // BATCH)
    return sum(len(collate(rows)) for _, rows in steps)


def _theirs(folder: Path, family: str, collate: Collate) -> int:
    tars = [str(path) for path in sorted(folder.iterdir())]
    samples = webdataset.WebDataset(tars, shardshuffle=len(tars), seed=0).shuffle(BUFFER)
    grouped = samples.batched(BATCH, collation_fn=list, partial=False)
    return sum(len(collate(made_shards.from_bytes(each, family))) for each in grouped)


def _drop(folder: Path) -> None:
    """Drop the files' pages from the system's cache; nothing may hold them mapped."""
    for path in folder.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
