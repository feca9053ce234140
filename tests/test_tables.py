"""Tables at rest: same rows, same bytes; anything else is refused by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tables import TableSchema, label_of, read_metadata, read_table, write_table

SCHEMA = TableSchema(
    "things",
    3,
    pa.schema([("id", pa.int64()), ("name", pa.string()), ("runs", pa.list_(pa.uint32()))]),
)
SPREAD = replace(SCHEMA, unlike=("runs",))
ROWS = pa.table({"id": [1, 2, 3], "name": ["a", None, "c"], "runs": [[1, 2], [], [3]]})
EITHER = pytest.mark.parametrize("schema", [SCHEMA, SPREAD], ids=["alike", "unlike"])
SUFFIXES = pytest.mark.parametrize("suffix", [".parquet", ".arrow"])


@EITHER
@SUFFIXES
@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.none() | st.text(),
            st.lists(st.integers(0, 2**32 - 1)),
        )
    )
)
def test_what_is_written_is_read(tmp_path_factory, suffix, schema, rows):
    path = tmp_path_factory.mktemp("table") / f"a{suffix}"
    columns = [list(each) for each in zip(*rows, strict=True)] or [[], [], []]
    table = pa.table(columns, schema=SCHEMA.columns)
    write_table(path, table, schema, {"key": "välue"})
    assert read_table(path, schema).equals(table)
    assert read_metadata(path) == {"semtok.schema": "things/3", "key": "välue"} | {
        key: value for key, value in read_metadata(path).items() if key.startswith("ARROW")
    }


@SUFFIXES
def test_scores_by_another_protocol_are_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    assert label_of(path) == "no schema"
    write_table(path, ROWS, replace(SCHEMA, protocol="0.1"))
    assert label_of(path) == "things/3 by protocol 0.1"
    told = f"^{path}: holds things/3 by protocol 0.1, not things/3 by protocol 0.2; run the stage"
    with pytest.raises(SemtokError, match=told):
        read_table(path, replace(SCHEMA, protocol="0.2"))


@EITHER
@SUFFIXES
def test_bytes_depend_on_the_rows_alone(tmp_path, suffix, schema):
    big = pa.table({"id": range(5000), "name": ["n"] * 5000, "runs": [[1, 2]] * 5000})
    pieces = pa.concat_tables([big.slice(0, 7), big.slice(7, 3000), big.slice(3007)])
    shuffled = pieces.select(["runs", "id", "name"])
    written = []
    for number, table in enumerate((big, pieces, shuffled)):
        path = tmp_path / f"{number}{suffix}"
        write_table(path, table, schema, {"key": "value"})
        written.append(path.read_bytes())
    assert written[0] == written[1] == written[2]


def test_lists_of_unlike_numbers_have_no_dictionary(tmp_path):
    path = tmp_path / "a.parquet"
    write_table(path, ROWS, SPREAD)
    group = pq.read_metadata(path).row_group(0)
    found = {group.column(at).path_in_schema: group.column(at).encodings for at in range(3)}
    assert "BYTE_STREAM_SPLIT" in found.pop("runs.list.element")
    assert all("RLE_DICTIONARY" in each for each in found.values())


@SUFFIXES
def test_arrays_of_other_types_are_cast_where_nothing_is_lost(tmp_path, suffix):
    table = ROWS.set_column(0, "id", pa.array(np.array([1, 2, 3], np.int8)))
    write_table(tmp_path / f"a{suffix}", table, SCHEMA)
    assert read_table(tmp_path / f"a{suffix}", SCHEMA)["id"].to_pylist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (ROWS.drop_columns("name"), "columns name do not fit things/3"),
        (ROWS.append_column("more", [[1, 2, 3]]), "columns more do not fit things/3"),
        (ROWS.set_column(0, "id", [["x", "y", "z"]]), "does not fit things/3"),
        (ROWS.set_column(0, "id", [[1.5, 2, 3]]), "does not fit things/3"),
        (ROWS.set_column(2, "runs", [[[-1], [], []]]), "does not fit things/3"),
    ],
)
def test_a_table_that_does_not_fit_is_not_written(tmp_path, table, message):
    path = tmp_path / "a.parquet"
    with pytest.raises(SemtokError, match=message) as caught:
        write_table(path, table, SCHEMA)
    assert "\n" not in str(caught.value)
    assert not path.exists()


@SUFFIXES
@pytest.mark.parametrize(
    "other",
    [
        TableSchema("thing", 3, SCHEMA.columns),
        TableSchema("things", 4, SCHEMA.columns),
        TableSchema("things", 3, SCHEMA.columns.remove(2)),
    ],
)
def test_a_table_of_another_schema_or_version_is_refused(tmp_path, suffix, other):
    path = tmp_path / f"a{suffix}"
    write_table(path, ROWS, SCHEMA)
    with pytest.raises(SemtokError, match=f"holds things/3, not {other.label}"):
        read_table(path, other)


@SUFFIXES
def test_a_file_that_is_missing_or_cut_off_anywhere_is_refused_in_one_line(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with pytest.raises(SemtokError, match="no such file; run the stage that makes it"):
        read_table(path, SCHEMA)
    write_table(path, ROWS, SCHEMA)
    whole = path.read_bytes()
    for length in (*range(0, len(whole), 37), len(whole) - 1):
        cut = tmp_path / f"{length}{suffix}"
        cut.write_bytes(whole[:length])
        with pytest.raises(SemtokError, match=f"{length}{suffix}: unreadable") as caught:
            read_table(cut, SCHEMA)
        assert "\n" not in str(caught.value)
        assert read_metadata(cut) == {}


@SUFFIXES
def test_a_foreign_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_text("id,name\n1,a\n")
    with pytest.raises(SemtokError, match="unreadable"):
        read_table(path, SCHEMA)
    assert read_metadata(Path("nowhere.parquet")) == {}
