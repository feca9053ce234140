from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tokens import shards
from semtok.tokens.rows import RegionRows, Regions, pack
from semtok.tokens.shards import TokenShards

#: Per shard, per image: regions and relations.
GROUPS = st.lists(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), max_size=4), min_size=1, max_size=4
).filter(any)


def one_by_one(rows: RegionRows, number: int) -> Regions:
    """One image of rows, cut out by counting."""
    region, edge = rows.region_counts[:number].sum(), rows.edge_counts[:number].sum()
    regions = slice(region, region + rows.region_counts[number])
    edges = slice(edge, edge + rows.edge_counts[number])
    return Regions(
        rows.features[regions],
        rows.geometry[regions],
        rows.neighbours[regions],
        rows.edge_ends[edges],
        tuple(rows.edge_predicate[edges].tolist()),
    )


@given(GROUPS, st.integers(0, 3), st.data())
def test_regions_come_back_bit_for_bit(
    tmp_path_factory, random_regions, write_shards, groups, neighbours, data
):
    rng = np.random.default_rng(0)
    sets = [[random_regions(rng, *c, neighbours=neighbours) for c in group] for group in groups]
    opened = write_shards(tmp_path_factory.mktemp("shards"), sets)
    flat = [each for group in sets for each in group]
    assert len(opened) == len(flat)
    assert opened.image_ids.tolist() == list(range(len(flat)))
    assert list(opened.predicates) == sorted({n for each in flat for n in each.edge_predicate})
    wanted = data.draw(st.lists(st.integers(0, len(flat) - 1), max_size=9))
    rows = opened.rows(np.array(wanted, np.int64))
    assert rows.image_ids.tolist() == wanted
    names = ("unknown", *opened.predicates)
    for number, index in enumerate(wanted):
        found, made = one_by_one(rows, number), flat[index]
        for column in ("features", "geometry", "neighbours", "edge_ends"):
            left, right = getattr(found, column), getattr(made, column)
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
        assert tuple(names[p] for p in found.edge_predicate) == made.edge_predicate


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=4).filter(any),
    st.integers(1, 9),
    st.sampled_from([3, 4]),
    st.data(),
)
def test_pixels_come_back_bit_for_bit(tmp_path_factory, write_shards, counts, size, channels, data):
    rng = np.random.default_rng(0)
    shape = size, size, channels
    sets = [[rng.integers(0, 256, shape, np.uint8) for _ in range(count)] for count in counts]
    opened = write_shards(tmp_path_factory.mktemp("shards"), sets)
    flat = [each for group in sets for each in group]
    wanted = data.draw(st.lists(st.integers(0, len(flat) - 1), min_size=1, max_size=9))
    rows = opened.rows(np.array(wanted))
    np.testing.assert_array_equal(rows.pixels, [flat[index] for index in wanted])


@given(GROUPS, st.data())
def test_related_pixels_are_pixels_and_regions(
    tmp_path_factory, random_related, write_shards, groups, data
):
    rng = np.random.default_rng(0)
    sets = [[random_related(rng, *counts) for counts in group] for group in groups]
    flat = [each for group in sets for each in group]
    folders = [tmp_path_factory.mktemp("shards") for _ in range(3)]
    both, pixels = (
        write_shards(folder, parts)
        for folder, parts in zip(
            folders, (sets, [[each.pixels for each in group] for group in sets]), strict=False
        )
    )
    wanted = np.array(data.draw(st.lists(st.integers(0, len(flat) - 1), max_size=9)), np.int64)
    rows = both.rows(wanted)
    assert rows.image_ids.tolist() == wanted.tolist()
    np.testing.assert_array_equal(rows.pixels, pixels.rows(wanted).pixels)
    names = ("unknown", *both.predicates)
    for number, index in enumerate(wanted):
        found, made = one_by_one(rows.regions, number), flat[index].regions
        for column in ("features", "geometry", "neighbours", "edge_ends"):
            np.testing.assert_array_equal(getattr(found, column), getattr(made, column))
        assert tuple(names[p] for p in found.edge_predicate) == made.edge_predicate


def test_equal_rows_are_equal_bytes(tmp_path: Path, random_regions, write_shards):
    made = [[random_regions(np.random.default_rng(0), 3, 2)]]
    for name in ("a", "b"):
        write_shards(tmp_path / name, made)
    assert (tmp_path / "a/000.arrow").read_bytes() == (tmp_path / "b/000.arrow").read_bytes()


def test_polars_reads_a_shard_without_our_code(tmp_path: Path, random_regions, write_shards):
    made = random_regions(np.random.default_rng(0), 3, 2)
    write_shards(tmp_path, [[made]])
    row = pl.read_ipc(tmp_path / "000.arrow").row(0, named=True)
    np.testing.assert_array_equal(row["features"], made.features)
    np.testing.assert_array_equal(row["geometry"], made.geometry)
    np.testing.assert_array_equal(row["edge_ends"], made.edge_ends)
    assert tuple(row["edge_predicate"]) == made.edge_predicate


def test_a_foreign_vocabulary_numbers_the_predicates(tmp_path: Path, random_regions, write_shards):
    made = random_regions(np.random.default_rng(0), 3, 9)
    write_shards(tmp_path, [[made]])
    opened = TokenShards(tmp_path, predicates=["wearing", "beside"])
    numbers = {"wearing": 1, "beside": 2}
    found = opened.rows(np.array([0])).edge_predicate.tolist()
    assert found == [numbers.get(name, 0) for name in made.edge_predicate]
    packed = pack([0], [made], ["wearing", "beside"])
    assert isinstance(packed, RegionRows)
    assert packed.edge_predicate.tolist() == found


def test_says_which_tokenizer_made_them(tmp_path: Path, random_regions, write_shards):
    opened = write_shards(tmp_path, [[random_regions(np.random.default_rng(0), 1, 0)]])
    assert opened.tokens == {"scheme": "test", "settings": {}}


@pytest.mark.parametrize("indices", [[-1], [2], [0, 99]])
def test_an_index_out_of_range_is_refused(tmp_path, random_regions, write_shards, indices):
    rng = np.random.default_rng(0)
    opened = write_shards(tmp_path, [[random_regions(rng, 1, 0)], [random_regions(rng, 1, 0)]])
    with pytest.raises(IndexError, match="2 images"):
        opened.rows(np.array(indices))


def test_no_shard_no_image_and_damage_are_told_apart(tmp_path: Path, random_regions, write_shards):
    with pytest.raises(SemtokError, match="holds no token shards"):
        TokenShards(tmp_path)
    path = tmp_path / "000.arrow"
    shards.write(path, shards.regions_schema(2, 3), None, (), {"scheme": "t"}, "print")
    with pytest.raises(SemtokError, match="hold no image"):
        TokenShards(tmp_path)
    write_shards(tmp_path, [[random_regions(np.random.default_rng(0), 3, 2)]])
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SemtokError, match=r"000\.arrow: unreadable"):
        TokenShards(tmp_path)


def test_shards_of_different_tokenizers_are_refused(tmp_path: Path, random_regions, write_shards):
    rng = np.random.default_rng(0)
    write_shards(tmp_path / "a", [[random_regions(rng, 1, 0)]])
    write_shards(tmp_path / "b", [[], [random_regions(rng, 1, 0, crop=3)]])
    (tmp_path / "b/001.arrow").rename(tmp_path / "a/001.arrow")
    with pytest.raises(SemtokError, match=r"001\.arrow"):
        TokenShards(tmp_path / "a")
