"""The stage `masks`: what a backend finds, checked, measured and ordered, in shards."""

import hashlib
import marshal
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from semtok.data import rejects
from semtok.data.rejects import Reject
from semtok.extract import rle
from semtok.extract.backends import (
    FOUND,
    Backend,
    FoundMasks,
    Job,
    MaskBackend,
    find_backend,
    reject_row,
)
from semtok.extract.corruptions import CLEAN, Corruption
from semtok.params import ExtractorSettings
from semtok.sharding import Partition, rebuild, shard_of
from semtok.tables import FINGERPRINT, REJECTED, TableSchema, read_table, write_table
from semtok.workers import work
from semtok.workers.crew import Make, Shard
from semtok.workspace import fingerprint

MASKS = TableSchema(
    "masks",
    1,
    pa.schema(
        [
            ("image_id", pa.int64()),
            ("mask_id", pa.int32()),  # 0.. within the image
            ("source_id", pa.int64()),  # annotation or segment
            ("category_id", pa.int32()),
            ("category", pa.string()),
            ("score", pa.float32()),
            ("x", pa.int32()),  # tight box of the runs, pixels
            ("y", pa.int32()),
            ("w", pa.int32()),
            ("h", pa.int32()),
            ("area", pa.int32()),  # pixels
            ("height", pa.int32()),  # of the image
            ("width", pa.int32()),
            ("counts", pa.list_(pa.uint32())),  # uncompressed COCO RLE, canonical (rle.py)
        ]
    ),
    unlike=("counts",),
)

#: Images that a backend is asked about at once: enough for long arrays, few enough for caches.
_BATCH = 128


def build(
    partition: Partition,
    files: pa.Table,
    extractor: ExtractorSettings,
    model: Path | None = None,
    corruption: Corruption = CLEAN,
) -> int:
    """Fill a staging folder with the shards of one partition, redoing only what is stale.

    Rows are ordered by image_id, then source_id; mask_id counts them within the image. Areas and
    boxes are the runs' own, whatever the annotations say. A mask that is empty, of another size
    than its image, or outside it, is set aside, and so is a crowd (which is no fault).

    Args:
        files: schema `FILES`, those of the data root.
        model: the artifact of the model that the backend runs, if it runs one.
        corruption: of the images that it is shown.

    Returns:
        The number of shards that were built.

    Raises:
        SemtokError: no such backend, a damaged annotation file, or more faulty masks than
            `data.rejected_share` allows.
    """
    backend = find_backend("masks", extractor.masks, extractor.settings)
    root, images, data = partition.root, partition.images, partition.data
    job = Job(root, files, images, backend.settings, model, corruption, partition.project)
    opened: MaskBackend = backend.open(job)
    shards = partition.assign(".parquet")
    names = list(shards)
    strays: Mapping[str, list[Reject]] = {name: [] for name in names}
    for stray in opened.strays:
        strays[names[shard_of(stray.image_id or 0, data.shards)]].append(stray)
    wanted = {
        name: fingerprint(
            MASKS.label,
            backend.label,
            str(corruption),
            partition.source,
            _image_rows(images.take(positions)),
            hashlib.blake2b(opened.inputs(images.take(positions))).hexdigest(),
            repr(strays[name]),
        )
        for name, positions in shards.items()
    }

    def build_shards(stale: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        orders = [Shard(name, images.take(shards[name]), wanted[name]) for name in stale]
        elsewhere = partial(_open, backend, backend.job_of_a_worker(job))
        before = images.num_rows - sum(order.images.num_rows for order in orders)
        made = work(
            orders,
            partition.staging,
            maker(opened),
            elsewhere,
            partition.workers,
            partition.emit,
            "masks",
            before,
        )
        for name, rejected in made:
            yield name, pa.concat_tables([rejects.table(strays[name], name), rejected])

    built = rebuild(partition.staging, partition.published, wanted, build_shards)
    kept = sum(pq.read_metadata(partition.staging / name).num_rows for name in names)
    rejected = read_table(partition.staging / "rejected.parquet", REJECTED)
    rejects.enforce(rejected, kept, data.rejected_share, "masks", root)
    return built


def _open(backend: Backend, job: Job) -> Make:
    return maker(backend.open(job))


def maker(opened: MaskBackend) -> Make:
    """What makes a shard of what a backend finds."""

    def make(shard: Shard, path: Path, tell: Callable[[int], None]) -> pa.Table:
        tables, rejected = [MASKS.columns.empty_table()], list[Reject]()
        for first in range(0, shard.images.num_rows, _BATCH):
            batch = shard.images.slice(first, _BATCH)
            found = opened.find(batch)
            tables.append(arranged(found, batch))
            rejected += found.rejected
            tell(batch.num_rows)
        write_table(path, pa.concat_tables(tables), MASKS, {FINGERPRINT: shard.fingerprint})
        return rejects.table(rejected, shard.name)

    return make


def cost(extractor: ExtractorSettings, project: Path) -> dict[str, Mapping[str, float]]:
    """What a model takes that was trained elsewhere and finds masks, for `cost.hand_down`."""
    backend = find_backend("masks", extractor.masks, extractor.settings)
    return {"masks": backend.cost(backend.settings, project)} if backend.cost else {}


def reads_pixels(extractor: ExtractorSettings) -> bool:
    """Whether other masks are found in a corrupted image."""
    return find_backend("masks", extractor.masks, extractor.settings).reads_pixels


def runs_model_from_elsewhere(extractor: ExtractorSettings) -> bool:
    """Whether masks are found by a model that the line has not trained."""
    return find_backend("masks", extractor.masks, extractor.settings).cost is not None


def _image_rows(images: pa.Table) -> str:
    """Identify what the index says of some images, their bytes aside."""
    rows = images.select(["image_id", "path", "width", "height"]).to_pydict()
    return hashlib.blake2b(marshal.dumps(rows, 2)).hexdigest()


def arranged(found: FoundMasks, images: pa.Table) -> pa.Table:
    """Check, measure and order what was found; what does not fit joins `found.rejected`.

    Args:
        found: in some images.
        images: these, schema `IMAGES`, ordered by image_id.

    Returns:
        Schema `MASKS`.
    """
    image_id, source_id = (found.masks[name].to_numpy() for name in ("image_id", "source_id"))
    order = np.lexsort((source_id, image_id))
    place = np.searchsorted(images["image_id"].to_numpy(), image_id[order])
    height = images["height"].to_numpy().astype(np.int64)[place]
    width = images["width"].to_numpy().astype(np.int64)[place]
    runs = found.runs.take(order)
    pixels = rle.sums(runs)
    area, box = rle.measure(runs, height)
    for at in np.flatnonzero(pixels != height * width).tolist():
        reason = f"its runs cover {pixels[at]} pixels, the image has {height[at] * width[at]}"
        found.rejected.append(reject_row(found.masks, order[at], reason))
    for at in np.flatnonzero((pixels == height * width) & (area == 0)).tolist():
        found.rejected.append(reject_row(found.masks, order[at], "empty"))

    good = np.flatnonzero((pixels == height * width) & (area > 0))
    masks, runs = found.masks.take(order[good]), rle.canonical(runs.take(good))
    image_id = masks["image_id"].to_numpy()
    first = np.flatnonzero(np.diff(image_id, prepend=image_id[:1] - 1))
    columns = {
        **{name: masks[name] for name in FOUND.names if name != "file"},
        "mask_id": rle.positions(np.append(first, len(image_id))),
        **dict(zip("xywh", box[good].T, strict=True)),
        "area": area[good],
        "height": height[good],
        "width": width[good],
        "counts": pa.ListArray.from_arrays(
            runs.offsets.astype(np.int32), runs.counts.astype(np.uint32)
        ),
    }
    return pa.table(columns).select(MASKS.columns.names).cast(MASKS.columns)
