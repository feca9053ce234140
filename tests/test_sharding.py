"""Shards: what is current is taken over, the rest is rebuilt, and images never move."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok import runner
from semtok.errors import SemtokError
from semtok.extract.masks import MASKS
from semtok.sharding import assign, rebuild, shard_of
from semtok.tables import (
    FINGERPRINT,
    REJECTED,
    TableSchema,
    read_metadata,
    read_table,
    write_table,
)
from tests import small_line

SCHEMA = TableSchema("numbers", 1, pa.schema([("number", pa.int64())]))
IDS = st.lists(st.integers(-(2**63), 2**63 - 1), unique=True)


class Line:
    """A stage that writes one number a shard, and remembers what it was asked to build."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.published = folder / "none"
        self.asked: list[str] = []
        self._runs = 0

    def run(self, values: dict[str, int], published: Path | None = None) -> Path:
        """Build into a new folder, given the last one or another as published."""
        self._runs += 1
        staging = self.folder / f"run-{self._runs}"
        staging.mkdir()
        self.asked = []

        def build(stale: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
            self.asked = [*stale]
            # In any order.
            return ((name, build_shard(name, staging / name)) for name in reversed(stale))

        def build_shard(name: str, path: Path) -> pa.Table:
            metadata = {FINGERPRINT: f"f{values[name]}"}
            write_table(path, pa.table({"number": [values[name]]}), SCHEMA, metadata)
            row = {"shard": name, "image_id": values[name], "file": "f", "reason": "odd"}
            return pa.Table.from_pylist([row] * (values[name] % 2), schema=REJECTED.columns)

        wanted = {name: f"f{value}" for name, value in values.items()}
        built = rebuild(staging, self.published if published is None else published, wanted, build)
        assert built == len(self.asked)
        self.published = staging
        return staging


@pytest.fixture
def line(tmp_path):
    return Line(tmp_path)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_only_what_is_missing_or_stale_is_built(line):
    line.run({"000.parquet": 1, "001.parquet": 2, "002.parquet": 3})
    assert line.asked == ["000.parquet", "001.parquet", "002.parquet"]
    line.run({"000.parquet": 1, "001.parquet": 5, "002.parquet": 3, "003.parquet": 4})
    assert line.asked == ["001.parquet", "003.parquet"]
    rejected = read_table(line.published / "rejected.parquet", REJECTED)
    assert rejected["image_id"].to_pylist() == [1, 5, 3]
    line.run({"000.parquet": 1})
    assert line.asked == []
    assert sorted(contents(line.published)) == ["000.parquet", "rejected.parquet"]


@given(
    st.lists(
        st.dictionaries(st.sampled_from("abc").map("{}.parquet".format), st.integers(0, 3)),
        min_size=1,
        max_size=4,
    )
)
def test_any_history_leads_to_what_is_built_from_scratch(tmp_path_factory, history):
    line = Line(tmp_path_factory.mktemp("line"))
    for values in history:
        line.run(values)
    last = line.published
    assert contents(last) == contents(line.run(history[-1], published=line.folder / "none"))


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"PAR1")])
def test_a_damaged_shard_or_list_of_rejects_is_rebuilt(line, damage):
    values = {"000.parquet": 1, "001.parquet": 2}
    fresh = contents(line.run(values))
    damage(line.published / "001.parquet")
    assert contents(line.run(values)) == fresh
    assert line.asked == ["001.parquet"]
    damage(line.published / "rejected.parquet")
    assert contents(line.run(values)) == fresh
    assert line.asked == ["000.parquet", "001.parquet"]


def test_a_shard_that_was_changed_after_its_gate_gets_no_new_verdict(tmp_path):
    workspace = small_line.start(tmp_path)
    for name, partition in (("images", None), ("index", None)):
        small_line.run(tmp_path, name, partition)
    target = workspace.output("masks", "annotated-train")

    def run() -> dict[str, bytes]:
        runner.run("masks@annotated-train", tmp_path, scratch=False, gate_of=small_line._Green)
        return contents(target)

    made = run()
    path = target / "000.parquet"
    masks = read_table(path, MASKS)
    changed = masks.set_column(
        masks.column_names.index("score"), "score", pc.multiply(masks["score"], 0.5)
    )
    write_table(path, changed, MASKS, {FINGERPRINT: read_metadata(path)[FINGERPRINT]})
    assert contents(target) != made
    assert run() == made


def test_a_shard_of_another_run_is_not_published(tmp_path):
    staging = tmp_path / "staging"
    staging.mkdir()

    def build(stale: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        for name in stale:
            write_table(staging / name, pa.table({"number": [1]}), SCHEMA, {FINGERPRINT: "of A"})
            yield name, REJECTED.columns.empty_table()

    with pytest.raises(SemtokError, match=r"none/001.parquet: another run .* run the stage again$"):
        rebuild(staging, tmp_path / "none", {"000.parquet": "of A", "001.parquet": "of B"}, build)


@given(IDS, st.integers(1, 9), st.sampled_from([".parquet", ".arrow"]))
def test_every_image_is_in_the_shard_of_its_id(ids, shards, suffix):
    found = assign(ids, shards, suffix)
    assert sorted(found) == list(found) == [f"{n:03d}{suffix}" for n in range(shards)]
    placed = {
        position: int(name[:3]) for name, positions in found.items() for position in positions
    }
    assert placed == {position: shard_of(each, shards) for position, each in enumerate(ids)}


@given(IDS, IDS, st.integers(1, 9))
def test_other_images_move_none(first, second, shards):
    def shards_of(ids):
        found = assign(ids, shards, "")
        return {ids[position]: name for name, at in found.items() for position in at}

    assert shards_of(first).items() <= shards_of(list(dict.fromkeys(second + first))).items()


def test_shards_are_even():
    sizes = [len(positions) for positions in assign(range(4000), 4, "").values()]
    assert min(sizes) > 900
