"""Masks from `instances_*.json`: polygons, compressed RLE and uncompressed RLE."""

import marshal
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pycocotools import mask as pycocotools_mask

from semtok.data import documents
from semtok.data.rejects import CROWD, Reject
from semtok.extract import polygons, rle
from semtok.extract.backends import FOUND, FoundMasks, Job, reject_row
from semtok.extract.rle import Int, Runs
from semtok.remote import AnyPath

_FIELDS: documents.Fields = {
    "image_id": int,
    "id": int,
    "category_id": int,
    "iscrowd": int,
    "segmentation": (list, dict),
}


#: It repeats what somebody has annotated.
READS_ANNOTATIONS = True


@dataclass(frozen=True)
class Settings:
    """Nothing to set."""


#: The annotations in flat arrays: far less memory than the objects of a parsed JSON, and nothing
#: for the garbage collector to walk over.
_ROWS = pa.schema(
    [
        ("image_id", pa.int64()),
        ("source_id", pa.int64()),
        ("category_id", pa.int64()),
        ("category", pa.string()),  # null: the file knows none of that id
        ("file", pa.string()),
        ("crowd", pa.bool_()),
        ("outline", polygons.OUTLINE),  # null: it is a crowd, or has runs
        ("runs", pa.binary()),  # the RLE object by marshal; null: it is a crowd, or has polygons
    ]
)


#: Annotations whose polygons are read at once: an array that grows is held twice.
_PIECE = 1 << 15


def open_masks(job: Job) -> "Instances":
    """Read the annotation files that belong to the images' folders."""
    return Instances(job)


class Instances:
    """The instance annotations of some images."""

    def __init__(self, job: Job) -> None:
        """Read and check the files; see `open_masks`."""
        self.strays: list[Reject] = []
        wanted = job.images["image_id"].to_numpy()
        folders = sorted({path.partition("/")[0] for path in job.images["path"].to_pylist()})
        tables = [_ROWS.empty_table()]
        for folder in folders:
            with documents.collector_paused():
                tables.append(self._read(job.root, f"annotations/instances_{folder}.json", wanted))
        self._rows = pa.concat_tables(tables).combine_chunks()
        image_id, source_id = (self._rows[name].to_numpy() for name in ("image_id", "source_id"))
        self._order = np.lexsort((source_id, image_id))
        self._image_id = image_id[self._order]

    def _read(self, root: AnyPath, file: str, wanted: Int) -> pa.Table:
        """The annotations of a file that are of wanted images; those of none become strays."""
        path = root / file
        document = documents.read_json(path)
        categories = documents.categories(path, document)
        (images,) = documents.columns(path, document, "images", {"id": int})
        columns = documents.columns(path, document, "annotations", _FIELDS)
        image_id, source_id = (np.array(each, np.int64) for each in columns[:2])
        unknown = ~np.isin(image_id, np.array(images, np.int64))
        repeats = np.ones(len(source_id), bool)
        repeats[np.unique(source_id, return_index=True)[1]] = False
        for at in np.flatnonzero(unknown | repeats).tolist():
            reason = "no image of that id" if unknown[at] else "repeats an annotation id"
            self.strays.append(Reject(columns[0][at], columns[1][at], file, reason))
        kept = np.flatnonzero(np.isin(image_id, wanted) & ~unknown & ~repeats)
        category_id, crowd, shapes = ([each[at] for at in kept.tolist()] for each in columns[2:])
        shapes = [None if no else shape for shape, no in zip(shapes, crowd, strict=True)]
        drawn = [each if type(each) is list else None for each in shapes]
        pieces = [drawn[i : i + _PIECE] for i in range(0, len(drawn), _PIECE)]
        values = [
            image_id[kept],
            source_id[kept],
            category_id,
            [categories.get(each) for each in category_id],
            pa.repeat(file, len(kept)),
            np.array(crowd, np.int64) != 0,
            pa.chunked_array(map(polygons.read, pieces), polygons.OUTLINE),
            [marshal.dumps(each, 2) if type(each) is dict else None for each in shapes],
        ]
        return pa.table(values, schema=_ROWS)

    def _of(self, images: pa.Table) -> pa.Table:
        """The annotations of some images."""
        asked = images["image_id"].to_numpy()
        first, last = (np.searchsorted(self._image_id, asked, side) for side in ("left", "right"))
        at = rle.positions(rle.starts(last - first)) + np.repeat(first, last - first)
        return self._rows.take(self._order[at])

    def inputs(self, images: pa.Table) -> bytes:
        """The annotations of these images."""
        stream = pa.BufferOutputStream()
        with pa.ipc.new_stream(stream, _ROWS) as writer:
            writer.write_table(self._of(images).combine_chunks())
        return bytes(stream.getvalue())

    def find(self, images: pa.Table) -> FoundMasks:
        """The masks of these images; crowds and what is malformed are set aside."""
        rows = self._of(images)
        crowd, unknown = (
            each.to_numpy(zero_copy_only=False)
            for each in (rows["crowd"], rows["category"].is_null())
        )
        reason = "its category_id is not in the file's categories"
        rejected = [
            reject_row(rows, at, CROWD if crowd[at] else reason)
            for at in np.flatnonzero(crowd | unknown).tolist()
        ]
        place = np.searchsorted(images["image_id"].to_numpy(), rows["image_id"].to_numpy())
        heights, widths = (
            images[side].to_numpy().astype(np.int64)[place] for side in ("height", "width")
        )
        outlines, objects = (rows[name].combine_chunks() for name in ("outline", "runs"))
        parts, sound = [], []
        for values, read in ((outlines, polygons.rasterise), (objects, _decompressed)):
            at = np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False) & ~unknown)
            runs, faults = read(values.take(at), heights[at], widths[at])
            rejected += [reject_row(rows, at[each], fault) for each, fault in faults.items()]
            good = np.delete(np.arange(len(at)), list(faults))
            parts.append(runs.take(good))
            sound.append(at[good])
        masks = rows.append_column("score", pa.repeat(np.float32(1), rows.num_rows))
        masks = masks.select(FOUND.names).take(np.concatenate(sound))
        return FoundMasks(masks, Runs.joined(parts), rejected)


def _decompressed(
    objects: pa.BinaryArray, heights: Int, widths: Int
) -> tuple[Runs, dict[int, str]]:
    """The runs of RLE objects, and what is wrong with some, by their place."""
    rows = zip(objects.to_pylist(), heights.tolist(), widths.tolist(), strict=True)
    found = [_compressed(marshal.loads(each), height, width) for each, height, width in rows]
    runs, sound = rle.decompress([string for string, _ in found])
    malformed = dict.fromkeys(np.flatnonzero(~sound).tolist(), "its RLE string is malformed")
    return runs, malformed | {at: fault for at, (_, fault) in enumerate(found) if fault}


def _compressed(rle_object: dict[str, Any], height: int, width: int) -> tuple[bytes, str | None]:
    """The compressed string of an RLE object, and what is wrong with it."""
    size, counts = rle_object.get("size"), rle_object.get("counts")
    if size != [height, width]:
        return b"", f"its RLE's size is {size}, the image's [{height}, {width}]"
    if isinstance(counts, str):
        return counts.encode(errors="surrogatepass"), None
    if isinstance(counts, list) and all(
        type(each) is int and 0 <= each <= height * width for each in counts
    ):
        return pycocotools_mask.frPyObjects(rle_object, height, width)["counts"], None
    return b"", "its RLE's counts are neither a string nor a list of run lengths"
