"""Counting what was set aside."""

import pytest

from semtok.data import rejects
from semtok.data.rejects import Reject
from semtok.errors import SemtokError
from semtok.tables import REJECTED


def test_rows_are_those_of_the_schema():
    rows = [Reject(1, 2, "a.json", "empty"), Reject(3, None, "b.jpg", "crowd")]
    table = rejects.table(rows, "000.parquet")
    assert table.schema.equals(REJECTED.columns)
    assert table["shard"].to_pylist() == ["000.parquet"] * 2
    assert table["source_id"].to_pylist() == [2, None]
    assert rejects.table([]).num_rows == 0


def test_only_faults_count(tmp_path):
    sound = [Reject(n, n, "a.json", reason) for n, reason in enumerate(rejects.NO_FAULTS)]
    table = rejects.table([*sound, Reject(8, 9, "a.json", "empty")])
    rejects.enforce(table, 3, 0.25, "masks", tmp_path)
    with pytest.raises(SemtokError) as caught:
        rejects.enforce(table, 4, 0.1, "masks", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/a.json: entry 9 of image 8: empty; 1 of 5 masks were set aside, "
        "data.rejected_share allows 10.00%: correct the data or raise it"
    )


def test_nothing_at_all_is_no_fault(tmp_path):
    rejects.enforce(rejects.table([]), 0, 0.0, "masks", tmp_path)
