import shutil
from collections.abc import Callable
from pathlib import Path

from semtok.tokens.shards import (
    TOKENS,
    pixels_schema,
    regions_schema,
    related_pixels_schema,
    superpixels_schema,
)
from tests.checks.planted import Fault, editing, rejecting, repeating
from tests.checks.tiny_line import Row, edit

_GRID = "token_shards@grid-val"
_SEMANTIC = "token_shards@semantic-train"
_RELATIONS = "token_shards@grid_relations-train"
_SUPERPIXELS = "token_shards@superpixel-train"
_QUARTERS = ("000.arrow", superpixels_schema(8, 2, 4))  # images 1 and 3: 4 superpixels each
_RELATED = ("000.arrow", related_pixels_schema(8, 2))  # as the regions; two cells a side
_PIXELS = ("000.arrow", pixels_schema(8))  # images 101..110
_REGIONS = ("000.arrow", regions_schema(2, 2))  # image 1: 3 regions, 2 relations; image 3: 1, 0
_OTHERS = ("001.arrow", regions_schema(2, 2))  # image 2: 2 regions, 1 relation; image 4: 1, 0


def _other_tokens(folder: Path) -> None:
    tokens = '{"scheme": "grid", "settings": {"image_size": 16}}'
    edit(folder / "001.arrow", _PIXELS[1], lambda rows: rows, **{TOKENS: tokens})


def _geometry(region: int, column: int, value: float) -> Callable[[Path], None]:
    def change(rows: list[Row]) -> None:
        rows[0]["geometry"][region][column] = value

    return editing(*_REGIONS, change)


def _neighbour(region: int, place: int, value: int) -> Callable[[Path], None]:
    def change(rows: list[Row]) -> None:
        rows[0]["neighbours"][region][place] = value

    return editing(*_REGIONS, change)


def _end(relation: int, end: int, value: int) -> Callable[[Path], None]:
    def change(rows: list[Row]) -> None:
        rows[0]["edge_ends"][relation][end] = value

    return editing(*_REGIONS, change)


def _no_regions(rows: list[Row]) -> None:
    rows[1] |= {"features": [], "geometry": [], "neighbours": []}


def _four_regions(rows: list[Row]) -> None:
    row = rows[0]
    for name in ("features", "geometry", "neighbours"):
        row[name].append(row[name][0])


def _three_relations(rows: list[Row]) -> None:
    rows[0]["edge_ends"].append([0, 1])
    rows[0]["edge_predicate"].append("on")


def _masks_lost(rows: list[Row]) -> None:
    """Image 1 keeps two of its three regions, with as many relations."""
    row = rows[0]
    for name in ("features", "geometry"):
        row[name] = row[name][:2]
    row |= {"neighbours": [[1, -1], [0, -1]]}
    row |= {"edge_ends": [[1, 0], [0, 1]]}


def _relations_lost(rows: list[Row]) -> None:
    rows[0] |= {"edge_ends": [], "edge_predicate": []}


def _uncovered(rows: list[Row]) -> None:
    rows[0]["features"][1] = [9, 9, 9, 0] * 4


def _placeless(rows: list[Row]) -> None:
    rows[0]["features"][2] = [0] * 4


def _blank(rows: list[Row]) -> None:
    rows[3]["pixels"] = [0] * 192


def _unnamed(rows: list[Row]) -> None:
    rows[0]["edge_predicate"] = [""]


def _stranger(rows: list[Row]) -> list[Row]:
    """A training image among those of validation."""
    return [{**rows[0], "image_id": 1}, *rows]


def _grid(
    name: str, plant: Callable[[Path], None], shows: str, also: set[str] | None = None
) -> Fault:
    return Fault(_GRID, name, plant, shows, also or set())


def _semantic(
    name: str, plant: Callable[[Path], None], shows: str, also: set[str] | None = None
) -> Fault:
    return Fault(_SEMANTIC, name, plant, shows, also or set())


def _related(
    name: str, plant: Callable[[list[Row]], None], shows: str, also: set[str] | None = None
) -> Fault:
    return Fault(_RELATIONS, name, editing(*_RELATED, plant), shows, also or set())


def _cut(
    name: str, plant: Callable[[list[Row]], None], shows: str, also: set[str] | None = None
) -> Fault:
    return Fault(_SUPERPIXELS, name, editing(*_QUARTERS, plant), shows, also or set())


def _popping(column: str) -> Callable[[Path], None]:
    return editing(*_REGIONS, lambda rows: rows[0][column].pop() and None)


NAN, INF = float("nan"), float("inf")
FAULTS = [
    _grid("duplicate_images", repeating(*_PIXELS), "image_id=101 shard=000.arrow"),
    _grid(
        "images_of_other_splits",
        editing(*_PIXELS, _stranger),
        "image_id=1 shard=000.arrow",
        {"missing_corrupted"},
    ),
    _grid("images_out_of_order", editing(*_PIXELS, lambda rows: rows[::-1]), "image_id=109"),
    _grid("missing_images", editing(*_PIXELS, lambda rows: rows[1:]), "image_id=101"),
    _grid("shards_of_other_tokens", _other_tokens, "shard=001.arrow"),
    _grid(
        "missing_corrupted",
        editing("corrupted/blur-3/000.arrow", _PIXELS[1], lambda rows: rows[1:]),
        "image_id=101 corruption=blur-3",
    ),
    _grid(
        "missing_corrupted",
        lambda folder: shutil.rmtree(folder / "corrupted" / "noise-3"),
        "image_id=101 corruption=noise-3",
    ),
    _grid("share_blank", editing(*_PIXELS, _blank), "1 of 60, first image_id=104"),
    rejecting(_GRID),
    _semantic("share_blank", editing(*_REGIONS, _uncovered), "1 of 7, first image_id=1 region=1"),
    _semantic(
        "images_without_regions", editing(*_REGIONS, _no_regions), "image_id=3", {"lost_masks"}
    ),
    _semantic("too_many_regions", editing(*_REGIONS, _four_regions), "image_id=1", {"lost_masks"}),
    _semantic(
        "too_many_relations", editing(*_REGIONS, _three_relations), "image_id=1", {"lost_relations"}
    ),
    _semantic("unequal_columns", _popping("geometry"), "regions=3 geometry=2"),
    _semantic("unequal_columns", _popping("neighbours"), "geometry=3 neighbours=2"),
    _semantic("unequal_columns", _popping("edge_predicate"), "relations=2 predicates=1"),
    _semantic("geometry_not_finite", _geometry(1, 4, NAN), "image_id=1 region=1"),
    _semantic("geometry_not_finite", _geometry(1, 0, INF), "image_id=1 region=1"),
    _semantic("geometry_out_of_range", _geometry(2, 0, 5.0), "image_id=1 region=2 cx=5"),
    _semantic("geometry_out_of_range", _geometry(2, 3, -0.1), "image_id=1 region=2"),
    _semantic("boxes_outside_image", _geometry(2, 0, 0.99), "image_id=1 region=2"),
    _semantic("boxes_outside_image", _geometry(2, 1, 0.01), "image_id=1 region=2"),
    _semantic("areas_beyond_boxes", _geometry(1, 4, 0.9), "image_id=1 region=1"),
    _semantic("areas_beyond_boxes", _geometry(1, 4, 0.0), "image_id=1 region=1"),
    _semantic("neighbours_out_of_range", _neighbour(1, 0, 3), "image_id=1 region=1 regions=3"),
    _semantic("neighbours_out_of_range", _neighbour(1, 0, -2), "image_id=1 region=1"),
    _semantic("self_neighbours", _neighbour(2, 1, 2), "image_id=1 region=2"),
    _semantic("missing_neighbours", _neighbour(2, 1, -1), "image_id=1 region=2 regions=3 known=1"),
    _semantic("relation_ends_out_of_range", _end(1, 0, 3), "image_id=1 regions=3 relation=1"),
    _semantic("relation_ends_out_of_range", _end(1, 1, -1), "image_id=1 regions=3 relation=1"),
    _semantic("self_relations", _end(0, 1, 1), "image_id=1 regions=3 relation=0 subject=1"),
    _semantic("unnamed_predicates", editing(*_OTHERS, _unnamed), "image_id=2"),
    _semantic("lost_masks", editing(*_REGIONS, _masks_lost), "image_id=1 regions=2 masks=3"),
    _semantic(
        "lost_relations", editing(*_REGIONS, _relations_lost), "image_id=1 regions=3 masks=3"
    ),
    rejecting(_SEMANTIC),
    _related("share_blank", _placeless, "1 of 11, first image_id=1 region=2"),
    _related("share_blank", lambda rows: rows[1].update(pixels=[7] * 192), "first image_id=3"),
    _related(
        "relation_ends_out_of_range",
        lambda rows: rows[0]["edge_ends"][1].__setitem__(0, 3),
        "image_id=1 regions=3 relation=1",
    ),
    _related("lost_relations", _relations_lost, "image_id=1 regions=3 masks=3"),
    _cut("share_blank", lambda rows: rows[0]["features"].__setitem__(2, [0] * 16), "region=2"),
    _cut(
        "superpixels_without_pixels",
        lambda rows: rows[1].update(owners=[0, 1] * 32),
        "image_id=3 superpixels=4 histograms=4 owners=2",
    ),
    _cut(
        "superpixels_without_pixels",
        lambda rows: rows[0]["owners"].__setitem__(slice(32, 36), [9] * 4),
        "image_id=1 superpixels=4 histograms=4 owners=5 last_owner=9",
    ),
    _cut("unequal_superpixels", lambda rows: rows[0]["geometry"].pop() and None, "histograms=3"),
    _cut(
        "histograms_out_of_range",
        lambda rows: rows[1]["geometry"].__setitem__(0, [0] * 4),
        "image_id=3",
    ),
    _cut(
        "histograms_out_of_range",
        lambda rows: rows[0]["geometry"][3].__setitem__(2, 65535),
        "image_id=1 superpixels=4 histograms=4 owners=4 last_owner=3 most=7.99",
    ),
]
