"""Full-size JPEG -> semantic token set, beside decoding the same JPEGs at the same scale alone.

Real COCO images and annotation masks, relations by geometry, 224 pixels, one core. The peer is the
faster of simplejpeg and OpenCV, both libjpeg-turbo; OpenCV knows halves, quarters and eighths only
and leaves the other images to simplejpeg.
"""

import json
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import simplejpeg
from pycocotools import mask as pycocotools_mask

from benchmarks.result import Result
from semtok.data import files, indexing
from semtok.data.index import split_images
from semtok.extract import masks, polygons, rle, scene_graphs
from semtok.params import SPLITS, DataSettings, ExtractorSettings
from semtok.sharding import Partition
from semtok.tokens import semantic
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction, ExtractionShard
from semtok.tokens.pixels import decode

SETTINGS = semantic.Settings(
    image_size=224, crop_size=16, max_masks=32, max_relations=16, neighbours=5
)
TOGETHER = 12  # images, as in semtok/tokens/tokenize.py
SAMPLE = Path(__file__).parents[1] / ".." / "shared" / "samples" / "coco"


@dataclass(frozen=True)
class Sample:
    """JPEGs, and what is known of them in the two forms that tokenizing may start from."""

    image_ids: list[int]
    jpegs: list[bytes]
    opencv_flags: list[int | None]  # for the same scale as simplejpeg's; None: OpenCV lacks it
    shard: tuple[Path, Path]  # masks and scene graphs of all images
    annotations: list[tuple[list[Any], int, int]]  # polygons and RLE as in the JSON, height, width


def run(scale: float) -> Iterator[Result]:
    """Measure from the tables of the extraction, and from the annotations themselves."""
    root = Path(os.environ.get("SEMTOK_COCO_SAMPLE", SAMPLE)).resolve()
    if not (root / "annotations").is_dir():
        yield _result("masks table", None, None, "no COCO sample: set SEMTOK_COCO_SAMPLE to a root")
        return
    with tempfile.TemporaryDirectory() as folder:
        sample = _prepare(root, Path(folder))
        times = _measure(sample, repetitions=max(3, round(7 * scale)))
    peer = min(times["simplejpeg"], times["opencv"])
    note = f"decoding alone, the faster of simplejpeg and OpenCV; {len(sample.jpegs)} images"
    yield _result("masks table", times["table"], peer, note)
    yield _result("polygons and RLE", times["annotations"], peer, note)


def _result(start: str, ours: float | None, peer: float | None, note: str) -> Result:
    return Result(
        name=f"tokenize: JPEG and {start}",
        ours=ours and 1e3 * ours,
        peer=peer and 1e3 * peer,
        unit="ms/image",
        at_most=1.4,
        command="python -m benchmarks --only tokenizing",
        packages=("numpy", "opencv-python-headless", "simplejpeg", "pycocotools", "pyarrow"),
        note=note,
    )


def _prepare(root: Path, folder: Path) -> Sample:
    """Run the stages up to the scene graphs, all images in one shard."""
    data = DataSettings("coco", "coco", str(root), shards=1, rejected_share=0.01)
    extractor = ExtractorSettings(masks="instances", scene_graphs="geometry")
    listed = files.list_files(root)
    places = {name: folder / name for name in ("index", "masks", "scene_graphs", "none")}
    for place in places.values():
        place.mkdir()
    indexing.build(root, listed, data, places["index"])
    images = pa.concat_tables([split_images(places["index"], split) for split in SPLITS])
    images = images.sort_by("image_id")
    partition = Partition(root, images, data, places["masks"], places["none"], source="")
    masks.build(partition, listed, extractor)
    partition = replace(partition, staging=places["scene_graphs"])
    scene_graphs.build(partition, listed, places["masks"], extractor)
    annotations = defaultdict(list)
    for path in (root / "annotations").glob("instances_*.json"):
        for each in json.loads(path.read_text())["annotations"]:
            if not each["iscrowd"]:
                annotations[each["image_id"]].append(each["segmentation"])
    rows = images.to_pylist()
    jpegs = [(root / row["path"]).read_bytes() for row in rows]
    return Sample(
        image_ids=[row["image_id"] for row in rows],
        jpegs=jpegs,
        opencv_flags=[
            _opencv_flags(row["height"], len(_simplejpeg(jpeg)))
            for row, jpeg in zip(rows, jpegs, strict=True)
        ],
        shard=(places["masks"] / "000.parquet", places["scene_graphs"] / "000.parquet"),
        annotations=[(annotations[r["image_id"]], r["height"], r["width"]) for r in rows],
    )


def _measure(sample: Sample, repetitions: int) -> dict[str, float]:
    """Median seconds per image of each way.

    The ways take turns, a few images at a time as the stage does, and change places with every
    repetition. What counts is the processor time of all threads: waiting on a busy machine is
    nobody's work.
    """
    opening = []
    for _ in range(repetitions):
        start = time.process_time()
        shard = ExtractionShard.read(*sample.shard)
        opening.append(time.process_time() - start)
    groups = [slice(at, at + TOGETHER) for at in range(0, len(sample.jpegs), TOGETHER)]
    ways: dict[str, Callable[[slice], Any]] = {
        "simplejpeg": lambda some: [_simplejpeg(jpeg) for jpeg in sample.jpegs[some]],
        "opencv": lambda some: [
            cv2.imdecode(np.frombuffer(jpeg, np.uint8), flags) if flags else _simplejpeg(jpeg)
            for jpeg, flags in zip(sample.jpegs[some], sample.opencv_flags[some], strict=True)
        ],
        "table": lambda some: _tokenize(
            sample.jpegs[some], [shard.of(image_id) for image_id in sample.image_ids[some]]
        ),
        "annotations": lambda some: _tokenize(
            sample.jpegs[some], _extract(sample.annotations[some])
        ),
    }
    times = {name: np.zeros((repetitions, len(groups))) for name in ways}
    for repetition in range(repetitions):
        order = list(ways)[:: 1 if repetition % 2 else -1]
        for number, some in enumerate(groups):
            for name in order:
                start = time.process_time()
                ways[name](some)
                times[name][repetition, number] = time.process_time() - start
    count = len(sample.jpegs)
    medians = {name: float(np.median(each, axis=0).sum()) / count for name, each in times.items()}
    medians["table"] += float(np.median(opening)) / count
    return medians


def _simplejpeg(jpeg: bytes) -> Any:
    side = SETTINGS.image_size
    return simplejpeg.decode_jpeg(jpeg, "RGB", min_height=side, min_width=side)


def _opencv_flags(height: int, decoded: int) -> int | None:
    """How OpenCV decodes at the same scale, if it knows that scale."""
    scales = {
        1: cv2.IMREAD_COLOR_RGB,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }
    known = [flags for scale, flags in scales.items() if -(-height // scale) == decoded]
    return known[0] | cv2.IMREAD_IGNORE_ORIENTATION if known else None


def _tokenize(jpegs: list[bytes], extractions: list[Extraction]) -> Any:
    pixels = [decode(jpeg, SETTINGS.image_size) for jpeg in jpegs]
    return semantic.tokenize(pixels, extractions, SETTINGS)


def _extract(images: list[tuple[list[Any], int, int]]) -> list[Extraction]:
    """Masks from polygons and RLE as a COCO file has them; no relations."""
    heights = np.array([height for found, height, _ in images for _ in found], np.int64)
    widths = np.array([width for found, _, width in images for _ in found], np.int64)
    masks = [each for found, _, _ in images for each in found]
    drawn = np.array([isinstance(each, list) for each in masks], bool)
    some, others = np.flatnonzero(drawn), np.flatnonzero(~drawn)
    outlines = polygons.read([masks[at] for at in some])
    filled, _ = polygons.rasterise(outlines, heights[some], widths[some])
    strings = []
    for at in others:
        counts = masks[at]["counts"]
        if isinstance(counts, list):
            size = int(heights[at]), int(widths[at])
            counts = pycocotools_mask.frPyObjects(masks[at], *size)["counts"].decode()
        strings.append(counts.encode())
    joined = rle.Runs.joined([filled, rle.decompress(strings)[0]])
    runs = joined.take(np.argsort(np.concatenate([some, others])))
    areas, boxes = rle.measure(runs, heights)
    extractions = []
    first = 0
    for found, height, width in images:
        if not found:
            extractions.append(WHOLE_IMAGE)
            continue
        mine = slice(first, first + len(found))
        offsets = runs.offsets[first : first + len(found) + 1]
        first += len(found)
        extractions.append(
            Extraction(
                height=height,
                width=width,
                mask_id=np.arange(len(found)),
                boxes=boxes[mine],
                areas=areas[mine],
                mask_scores=np.ones(len(found), np.float32),
                runs=rle.Runs(runs.counts[offsets[0] : offsets[-1]], offsets - offsets[0]),
                relations=WHOLE_IMAGE.relations,
                predicates=WHOLE_IMAGE.predicates,
                scores=WHOLE_IMAGE.scores,
            )
        )
    return extractions
