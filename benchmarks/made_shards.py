"""Token sets of random content, as our shards and as `webdataset` tar files of the same bytes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import webdataset

from semtok.tables import TableSchema
from semtok.tokens import shards
from semtok.tokens.rows import PixelRows, RegionRows, Regions, Rows, TokenSet, pack

SHARDS = 4
CROP, NEIGHBOURS, MASKS, RELATIONS = 16, 5, 32, 16
PREDICATES = ("above", "beside", "below", "holding", "inside", "on", "riding", "wearing")


@contextmanager
def folder() -> Iterator[Path]:
    """Give a folder on the project's disk: a usual temporary one may lie in memory."""
    state = Path(__file__).parents[1] / ".semtok"
    state.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state, prefix="benchmarks-") as made:
        yield Path(made)


def write(family: str, images: int, target: Path, image_size: int = 224) -> None:
    """Write `images` token sets of a family, `grid` or `semantic`, below a folder.

    `target`/shards holds our files, `target`/tars those of webdataset: one member per image, the
    bytes of its columns one behind the other, which reads faster than a member per column.
    """
    rng = np.random.default_rng(0)
    (target / "tars").mkdir(parents=True)
    make = _pixels(rng, image_size) if family == "grid" else _regions(rng)
    for number in range(SHARDS):
        ids = list(range(number, images, SHARDS))
        token_sets = [next(make) for _ in ids]
        names = PREDICATES if family == "semantic" else ()
        rows = pack(ids, token_sets, names)
        path = target / "shards" / f"{number:03d}.arrow"
        tokens = {"scheme": family, "settings": {}}
        shards.write(path, _schema(family, image_size), rows, names, tokens, "")
        with webdataset.TarWriter(str(target / "tars" / f"{number:03d}.tar")) as tar:
            for image_id, token_set in zip(ids, token_sets, strict=True):
                tar.write({"__key__": f"{image_id:09d}", "tokens": _to_bytes(token_set)})


def from_bytes(samples: list[dict[str, bytes]], family: str, image_size: int = 224) -> Rows:
    """Turn what webdataset read for a batch into rows, without copying more than once."""
    ids = np.array([int(each["__key__"]) for each in samples])
    contents = [each["tokens"] for each in samples]
    if family == "grid":
        pixels = np.stack([np.frombuffer(content, np.uint8) for content in contents])
        return PixelRows(ids, pixels.reshape(-1, image_size, image_size, 3))
    columns = list(zip(*map(_columns, contents), strict=True))
    features, geometry, neighbours, ends, predicates = map(np.concatenate, columns)
    return RegionRows(
        image_ids=ids,
        region_counts=np.array([len(each) for each in columns[0]]),
        features=features,
        geometry=geometry,
        neighbours=neighbours,
        edge_counts=np.array([len(each) for each in columns[3]]),
        edge_ends=ends,
        edge_predicate=predicates,
    )


def _schema(family: str, image_size: int) -> TableSchema:
    if family == "grid":
        return shards.pixels_schema(image_size)
    return shards.regions_schema(CROP, NEIGHBOURS)


def _pixels(rng: np.random.Generator, size: int) -> Iterator[TokenSet]:
    while True:
        yield rng.integers(0, 256, (size, size, 3), np.uint8)


def _regions(rng: np.random.Generator) -> Iterator[TokenSet]:
    """As many masks an image as COCO has: 8 on average, most images fewer."""
    while True:
        regions = min(MASKS, int(rng.geometric(1 / 8)))
        edges = min(RELATIONS, regions * (regions - 1))
        yield Regions(
            features=rng.integers(0, 256, (regions, CROP**2 * 4), np.uint8),
            geometry=rng.random((regions, 5), np.float32),
            neighbours=rng.integers(-1, regions, (regions, NEIGHBOURS)).astype(np.int16),
            edge_ends=rng.integers(0, regions, (edges, 2)).astype(np.int16),
            edge_predicate=tuple(rng.choice(PREDICATES, edges).tolist()),
        )


def _to_bytes(token_set: TokenSet) -> bytes:
    if isinstance(token_set, np.ndarray):
        return token_set.tobytes()
    assert isinstance(token_set, Regions)
    numbers = [1 + PREDICATES.index(name) for name in token_set.edge_predicate]
    head = np.array([len(token_set.features), len(numbers)], np.int32)
    columns = (token_set.features, token_set.geometry, token_set.neighbours, token_set.edge_ends)
    parts: list[np.ndarray] = [head, *columns, np.array(numbers, np.int64)]
    return b"".join(each.tobytes() for each in parts)


def _columns(content: bytes) -> list[np.ndarray]:
    regions, edges = np.frombuffer(content, np.int32, 2).tolist()
    shapes = (
        (np.uint8, (regions, CROP**2 * 4)),
        (np.float32, (regions, 5)),
        (np.int16, (regions, NEIGHBOURS)),
        (np.int16, (edges, 2)),
        (np.int64, (edges,)),
    )
    found, at = [], 8
    for kind, shape in shapes:
        count = int(np.prod(shape))
        found.append(np.frombuffer(content, kind, count, at).reshape(shape))
        at += found[-1].nbytes
    return found
