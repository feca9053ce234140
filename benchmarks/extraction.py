"""COCO's annotation files -> a table of masks on disk, beside pycocotools.

Real annotations, all that both sides do counted, one core: reading the JSON, run lengths, areas,
tight boxes, writing a Parquet file.
"""

import contextlib
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pycocotools import mask as pycocotools_mask
from pycocotools.coco import COCO

from benchmarks.result import Result
from benchmarks.tokenizing import SAMPLE
from semtok.data import files, indexing
from semtok.data.index import split_images
from semtok.extract import masks
from semtok.params import SPLITS, DataSettings, ExtractorSettings
from semtok.sharding import Partition

EXTRACTOR = ExtractorSettings(masks="instances", scene_graphs="geometry")
COLUMNS = ("source_id", "area", "x", "y", "w", "h")
_PEERS = (
    *("image_id", "source_id", "category_id", "category"),
    *("x", "y", "w", "h", "area", "height", "width", "counts"),
)


def run(scale: float) -> Iterator[Result]:
    """Measure both, after their areas and boxes were seen to be the same."""
    root = Path(os.environ.get("SEMTOK_COCO_SAMPLE", SAMPLE)).resolve()
    if not (root / "annotations").is_dir():
        yield _result(None, None, "no COCO sample: set SEMTOK_COCO_SAMPLE to a root")
        return
    with tempfile.TemporaryDirectory() as folder:
        yield _measure(root, Path(folder), repetitions=max(3, round(11 * scale)))


def _result(ours: float | None, peer: float | None, note: str) -> Result:
    return Result(
        name="masks of COCO's annotations",
        ours=ours,
        peer=peer,
        unit="images/s",
        at_least=1.5,
        command="python -m benchmarks --only extraction",
        packages=("numpy", "pyarrow", "pycocotools"),
        note=note,
    )


def _measure(root: Path, folder: Path, repetitions: int) -> Result:
    """Both sides take turns and change places; processor time of all threads counts."""
    data = DataSettings("coco", "coco", str(root), shards=1, rejected_share=0.01)
    listed = files.list_files(root)
    index, ours, theirs = folder / "index", folder / "masks", folder / "peer.parquet"
    index.mkdir()
    indexing.build(root, listed, data, index)
    images = pa.concat_tables([split_images(index, split) for split in SPLITS])
    images = images.sort_by("image_id")

    def build() -> None:
        ours.mkdir(exist_ok=True)
        partition = Partition(root, images, data, ours, folder / "none", source="")
        masks.build(partition, listed, EXTRACTOR)

    ways: dict[str, Callable[[], Any]] = {
        "ours": build,
        "peer": lambda: _pycocotools(root, images, theirs),
    }
    times: dict[str, list[float]] = defaultdict(list)
    for repetition in range(repetitions):
        for name in list(ways)[:: 1 if repetition % 2 else -1]:
            start = time.process_time()
            ways[name]()
            times[name].append(time.process_time() - start)
    found = _compared(ours / "000.parquet", theirs)
    count = images.num_rows
    rates = {name: count / float(np.median(each)) for name, each in times.items()}
    note = (
        "pycocotools: COCO, annToRLE, area and toBbox, into Parquet; "
        f"{found:,} masks of {count} images, with the same areas and boxes on both sides"
    )
    return _result(rates["ours"], rates["peer"], note)


def _pycocotools(root: Path, images: pa.Table, path: Path) -> None:
    """The masks of some images, as the library's own users find them."""
    wanted = set(images["image_id"].to_pylist())
    columns: dict[str, list[Any]] = defaultdict(list)
    for file in sorted((root / "annotations").glob("instances_*.json")):
        with contextlib.redirect_stdout(None):  # it says how long it took
            coco = COCO(str(file))
        for each in coco.anns.values():
            if each["iscrowd"] or each["image_id"] not in wanted:
                continue
            runs = coco.annToRLE(each)
            box = pycocotools_mask.toBbox(runs).astype(np.int32).tolist()
            height, width = runs["size"]
            row = (each["image_id"], each["id"], each["category_id"])
            name = coco.cats[each["category_id"]]["name"]
            area = int(pycocotools_mask.area(runs))
            values = (*row, name, *box, area, height, width, runs["counts"])
            for column, value in zip(_PEERS, values, strict=True):
                columns[column].append(value)
    pq.write_table(pa.table(columns), path)


def _compared(ours: Path, theirs: Path) -> int:
    """The number of masks.

    Raises:
        ValueError: an area or a box differs.
    """
    some, others = (
        pq.read_table(path, columns=list(COLUMNS)).sort_by("source_id") for path in (ours, theirs)
    )
    for name in COLUMNS:
        if some[name].to_pylist() != others[name].to_pylist():
            raise ValueError(f"{name}: pycocotools says something else")
    return int(some.num_rows)
