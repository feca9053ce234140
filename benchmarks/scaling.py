"""Superpixels of COCO images by two workers beside one, and what a worker takes for more images.

A rate is that between the first shard that is there and the last: starting a process is no matter
of hours of work. By the clock on the wall, so another load on the machine counts against two.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa

from benchmarks.result import Result
from benchmarks.tokenizing import SAMPLE
from semtok.data import files, indexing
from semtok.data.index import IMAGES, split_images
from semtok.events import Emit, Event, Progress, ignore
from semtok.extract import masks
from semtok.extract.backends import Backend, Job, find_backend
from semtok.params import DataSettings, WorkersSettings
from semtok.workers import work
from semtok.workers.crew import Make, Shard

IMAGES_PER_SHARD = 4
COMMAND = "python -m benchmarks --only scaling"
PACKAGES = ("numpy", "opencv-python-headless", "pyarrow")
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENCV_FOR_THREADS_NUM": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # as there: no address but loopback
}

#: Goals of two workers' rate, each, in that of one: processes, actors. On fewer than four cores the
#: stage's own process and whatever else runs share theirs, and there is no goal.
GOALS = {"processes": 0.9, "Ray": 0.8}
CORES = 4


def run(scale: float) -> Iterator[Result]:
    """Measure processes, Ray where it is installed, and memory."""
    root = Path(os.environ.get("SEMTOK_COCO_SAMPLE", SAMPLE)).resolve()
    kinds = {"processes": WorkersSettings(count=2)}
    if find_spec("ray"):
        kinds["Ray"] = WorkersSettings(count=2, ray="local")
    if not (root / "annotations").is_dir():
        for kind in kinds:
            yield _efficiency(kind, None, None, "no COCO sample: set SEMTOK_COCO_SAMPLE to a root")
        return
    os.environ.update(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        images = _images(root, Path(folder))
        count = max(16, round(160 * scale))
        repetitions = max(1, round(3 * scale))
        for kind, two in kinds.items():
            pairs = [
                (_rate(root, images, count, two) / 2, _rate(root, images, count, WorkersSettings()))
                for _ in range(repetitions)
            ]
            ours, peer = (statistics.median(each) for each in zip(*pairs, strict=True))
            note = f"one worker; load of the machine before: {os.getloadavg()[0]:.1f}"
            yield _efficiency(kind, ours, peer, f"{note}; {os.cpu_count()} cores")
    once, four_times = (_peak_of_children(root, each) for each in (count, 4 * count))
    yield Result(
        name="workers: memory of one, four times the images",
        ours=four_times,
        peer=once,
        unit="MB",
        at_most=1.1,
        command=COMMAND,
        packages=PACKAGES,
        note=f"once the images, {count}; resident memory at its peak, shards of equal size",
    )


def _efficiency(kind: str, ours: float | None, peer: float | None, note: str) -> Result:
    return Result(
        name=f"workers: two, {kind}",
        ours=ours,
        peer=peer,
        unit="images/s each",
        at_least=GOALS[kind] if (os.cpu_count() or 1) >= CORES else None,
        command=COMMAND,
        packages=(*PACKAGES, "ray") if kind == "Ray" else PACKAGES,
        note=note,
    )


def _images(root: Path, folder: Path) -> pa.Table:
    data = DataSettings("coco", "coco", str(root), shards=1, rejected_share=0.01)
    indexing.build(root, files.list_files(root), data, folder)
    return split_images(folder, "train")


def _shards(images: pa.Table, count: int) -> list[Shard]:
    """So many images, some of them several times, in shards of equal size."""
    firsts = range(0, count, IMAGES_PER_SHARD)
    rows = [
        # In the order of an index, also where the images begin anew within a shard.
        sorted(at % images.num_rows for at in range(first, first + IMAGES_PER_SHARD))
        for first in firsts
    ]
    return [
        Shard(f"{first:06d}.parquet", images.take(positions), "")
        for first, positions in zip(firsts, rows, strict=True)
    ]


def _rate(root: Path, images: pa.Table, count: int, workers: WorkersSettings) -> float:
    """Images per second."""
    told: list[tuple[float, int]] = []

    def emit(event: Event) -> None:
        if isinstance(event, Progress) and event.done:
            told.append((time.perf_counter(), event.done))

    _make(root, _shards(images, count), workers, emit)
    (began, first), (ended, last) = told[0], told[-1]
    return (last - first) / (ended - began)


def _make(root: Path, shards: list[Shard], workers: WorkersSettings, emit: Emit = ignore) -> None:
    backend = find_backend("masks", "superpixels", {})
    nothing = IMAGES.columns.empty_table()
    opening = partial(opened, backend, Job(root, nothing, nothing, backend.settings))
    with tempfile.TemporaryDirectory() as staging:
        for _ in work(shards, Path(staging), opening(), opening, workers, emit):
            pass


def opened(backend: Backend, job: Job) -> Make:
    """What a worker does."""
    return masks.maker(backend.open(job))


def _peak_of_children(root: Path, count: int) -> float:
    code = "import sys; from benchmarks import scaling; scaling.print_peak(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(root), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def print_peak(root: str, count: str) -> None:
    """Work with two workers, and print the memory of the larger one in MB."""
    with tempfile.TemporaryDirectory() as folder:
        images = _images(Path(root), Path(folder))
    _make(Path(root), _shards(images, int(count)), WorkersSettings(count=2))
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
