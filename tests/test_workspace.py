"""Publishing under kills, errors, rivals and full disks; what identifies an artifact."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tables import TableSchema, write_table
from semtok.workspace import digest, publish

#: Publishes a new artifact and dies before or after the n-th change of the file system.
KILLED = """
import os, sys
from pathlib import Path
from semtok.workspace import publish

left, after = int(sys.argv[1]), sys.argv[2] == "after"

def dying(function):
    def change(*arguments, **options):
        global left
        left -= 1
        if left < 0 and not after:
            os._exit(9)
        result = function(*arguments, **options)
        if left < 0:
            os._exit(9)
        return result
    return change

for name in ("rename", "mkdir", "rmdir", "unlink"):
    setattr(os, name, dying(getattr(os, name)))
with publish(Path("art/x"), Path("state")) as staging:
    for name in "abc":
        (staging / name).write_text("new")
        os.mkdir(staging / f"{name}.d")
"""

#: Publishes and waits inside until its standard input ends.
WAITING = """
import sys
from pathlib import Path
from semtok.workspace import publish

with publish(Path("art/x"), Path("state")) as staging:
    (staging / "a").write_text("rival")
    print("inside", flush=True)
    sys.stdin.read()
"""

OLD = {"a": "old", "b": "old", "only-old": "old"}
NEW = {"a": "new", "b": "new", "c": "new"}


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "art/x"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def put(target: Path, state: Path, content: dict[str, str]) -> None:
    with publish(target, state) as staging:
        for name, text in content.items():
            (staging / name).write_text(text)


def left_over(state: Path) -> list[str]:
    return [path.name for path in state.iterdir() if path.suffix != ".lock"]


def test_an_artifact_is_replaced_whole(target, state):
    put(target, state, OLD)
    put(target, state, NEW)
    assert files(target) == NEW
    assert left_over(state) == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("changes", range(14))
def test_a_kill_at_any_point_leaves_the_old_or_the_new(tmp_path, target, state, changes, when):
    put(target, state, OLD)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(changes), when], cwd=tmp_path, check=False
    )
    assert done.returncode in (0, 9)
    if target.exists():
        assert files(target) in (OLD, NEW)
    # The next start repairs it before it works, and whatever becomes of that run.
    with pytest.raises(ZeroDivisionError), publish(target, state) as staging:
        assert files(staging) == {}
        assert files(target) == NEW if done.returncode == 0 else files(target) in (OLD, NEW)
        raise ZeroDivisionError
    assert files(target) in (OLD, NEW)
    assert left_over(state) == []


@pytest.mark.parametrize("changes", range(14))
def test_after_a_kill_the_next_run_publishes(tmp_path, target, state, changes):
    put(target, state, OLD)
    subprocess.run(
        [sys.executable, "-c", KILLED, str(changes), "before"], cwd=tmp_path, check=False
    )
    put(target, state, {"a": "newer"})
    assert files(target) == {"a": "newer"}
    assert left_over(state) == []


def test_the_kills_cover_the_whole_publication(tmp_path, target, state):
    put(target, state, OLD)
    codes = [
        subprocess.run(
            [sys.executable, "-c", KILLED, str(changes), "before"], cwd=tmp_path, check=False
        ).returncode
        for changes in (0, 40)
    ]
    assert codes == [9, 0]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SemtokError("x")])
def test_an_error_publishes_nothing_and_cleans_up(target, state, error):
    put(target, state, OLD)
    with pytest.raises(type(error)), publish(target, state) as staging:
        (staging / "a").write_text("half")
        raise error
    assert files(target) == OLD
    assert left_over(state) == []


def test_an_error_between_the_renames_puts_the_old_artifact_back(target, state, monkeypatch):
    put(target, state, OLD)
    rename = Path.rename

    def refuse(self: Path, to: Path) -> Path:
        if self.suffix == ".new":
            raise PermissionError(13, "Permission denied", str(to))
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(SemtokError, match="x: Permission denied; nothing was published"):
        put(target, state, NEW)
    assert files(target) == OLD
    assert left_over(state) == []


def test_a_second_writer_is_refused_until_the_first_one_ends(tmp_path, target, state):
    put(target, state, OLD)
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as rival:
        assert rival.stdout.readline() == "inside\n"
        with pytest.raises(SemtokError, match="x: another run is at work on it; wait for it"):
            put(target, state, NEW)
        assert files(target) == OLD
        put(target.with_name("y"), state, NEW)
        rival.communicate("")
    assert files(target) == {"a": "rival"}
    put(target, state, NEW)
    assert files(target) == NEW


def test_a_killed_writer_blocks_nobody(tmp_path, target, state):
    with subprocess.Popen(
        [sys.executable, "-c", WAITING],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as rival:
        rival.stdout.readline()
        rival.kill()
    put(target, state, NEW)
    assert files(target) == NEW


def test_a_writer_is_refused_within_the_same_process_too(target, state):
    with (
        publish(target, state),
        pytest.raises(SemtokError, match="another run"),
        publish(target, state),
    ):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("suffix", [".txt", ".parquet", ".arrow"])
def test_a_full_disk_is_told_in_one_line_and_the_old_artifact_stays(target, state, suffix):
    put(target, state, OLD)
    schema = TableSchema("numbers", 1, pa.schema([("number", pa.int64())]))
    with pytest.raises(SemtokError) as caught, publish(target, state) as staging:
        path = staging / f"big{suffix}"
        path.symlink_to("/dev/full")
        if suffix == ".txt":
            path.write_text("x" * 10**6)
        else:
            write_table(path, pa.table({"number": range(10**5)}), schema)
    message = str(caught.value)
    assert "No space left on device" in message
    assert message.endswith("; nothing was published")
    assert "\n" not in message
    assert files(target) == OLD
    assert left_over(state) == []


TREES = st.dictionaries(st.sampled_from(["a", "b", "c/a", "c/b"]), st.binary(max_size=3))


def plant(folder: Path, tree: dict[str, bytes]) -> Path:
    folder.mkdir()
    for name, content in tree.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@given(TREES, TREES)
def test_digests_tell_names_and_bytes_apart(tmp_path_factory, first, second):
    folder = tmp_path_factory.mktemp("digest")
    one, two = plant(folder / "one", first), plant(folder / "two", second)
    assert (digest(one) == digest(two)) == (first == second)
    assert len(digest(one)) == 32


def test_a_verdict_is_no_part_of_its_artifact(tmp_path):
    folder = plant(tmp_path / "artifact", {"a": b"1"})
    before = digest(folder)
    (folder / "verdict.json").write_text("{}")
    assert digest(folder) == before
    assert digest(folder / "a") != before


def test_what_is_not_there_has_no_digest(tmp_path):
    with pytest.raises(SemtokError, match="gone: no such file or folder"):
        digest(tmp_path / "gone")
