"""Rows of official files whose image the data set lacks: listed, and borne up to a share.

Lacking is an image of no split, and one that was set aside: when images were indexed, or when
tokens were made of them. One of train is there, and so are those of splits that are not scored:
rows on them are left out by design, however many they are.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from semtok.bench import official
from semtok.bench.benchmark import TRAIN, Benchmark
from semtok.bench.embedding import Images
from semtok.data.index import BENCHMARKS
from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore
from semtok.tables import TableSchema, write_table

NAME = "missing.parquet"
MISSING = TableSchema(
    "missing",
    1,
    pa.schema(
        [
            ("file", pa.string()),  # as in the data root
            ("image", pa.string()),  # as the file names it
            ("rows", pa.int32()),  # of the file, on this image
            ("reason", pa.string()),
        ]
    ),
)

#: Images that a message names; `missing.parquet` has all.
_NAMED = 5


def hold(
    index: Path | None,
    benchmarks: Mapping[str, Benchmark],
    images: Mapping[str, Images],
    share: float,
    staging: Path,
    emit: Emit = ignore,
) -> None:
    """Write `missing.parquet`, or refuse a benchmark of which too many images are missing.

    Args:
        index: the artifact that has the files; None: there is none.
        benchmarks: by name, before any of them is asked.
        images: split -> those that there are to score.
        share: of the rows of each file, the largest that may be missing (0..1).
        staging: folder to write into.
        emit: told how many rows are left out.

    Raises:
        SemtokError: there are more; names the file, the first images, and what to do.
    """
    scored = {split: each.image_ids.tolist() for split, each in images.items() if split != TRAIN}
    asked = {
        name: module.row_images(index)
        for name, module in benchmarks.items()
        if hasattr(module, "row_images")
    }
    of_files = [rows for files in asked.values() for rows in files.values()]
    names = {each for rows in of_files for row in rows for each in row}
    absent = official.absent(index, names, scored) if names else {}
    found = []
    for name, files in asked.items():
        for file, rows in files.items():
            reasons = {each: absent[each] for row in rows for each in row if each in absent}
            missing = sum(any(each in reasons for each in row) for row in rows)
            if not missing:
                continue
            counts = Counter(each for row in rows for each in row if each in reasons)
            found += [
                {"file": file, "image": image, "rows": count, "reason": reasons[image]}
                for image, count in sorted(counts.items())
            ]
            told = f"lacks the images of {missing} of {len(rows)} rows ({missing / len(rows):.2%})"
            some = ", ".join(f"{image} ({reasons[image]})" for image in sorted(reasons)[:_NAMED])
            more = f", and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
            if missing > share * len(rows):
                assert index is not None, "where there is none, its files are missing"
                raise SemtokError(
                    f"{index / BENCHMARKS / file}: the data set {told}, bench.missing_share allows "
                    f"{share:.2%}: {some}{more}; put the images into the data root and run the "
                    f"stages again from images on, take {name} out of bench.benchmarks, or raise "
                    f"bench.missing_share in params.yaml, and {NAME} beside the scores lists them"
                )
            emit(Message(f"{file}: the data set {told}: {some}{more}; {NAME} lists them"))
    write_table(staging / NAME, pa.Table.from_pylist(found, schema=MISSING.columns), MISSING)
