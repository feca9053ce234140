"""Shards by several workers: the same bytes as by one, whoever is lost on the way."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from semtok.errors import SemtokError
from semtok.events import Event, Message, Progress
from semtok.params import WorkersSettings
from semtok.tables import REJECTED
from semtok.workers import work
from semtok.workers.crew import Shard

ALONE, TWO = WorkersSettings(), WorkersSettings(count=2)


@dataclass(frozen=True)
class Numbers:
    """Makes shards that hold what was opened and their own images.

    Attributes:
        folder: where each shard of `deadly` leaves a file before it kills its worker.
        deadly: shard -> how many workers die at it.
    """

    folder: Path
    deadly: dict[str, int]

    def make(self, shard: Shard, path: Path, tell: Callable[[int], None]) -> pa.Table:
        numbers = shard.images["image_id"].to_pylist()
        if shard.name == "odd":
            raise SemtokError("image 7: odd")
        if shard.name == "wrong":
            raise ValueError("not a\nnumber")
        deaths = len(list(self.folder.glob(f"{shard.name}-*")))
        if deaths < self.deadly.get(shard.name, 0):
            (self.folder / f"{shard.name}-{deaths}").touch()
            path.write_text("half a sh")
            os.kill(os.getpid(), signal.SIGKILL)
        path.write_text(f"{shard.fingerprint} {numbers}")
        tell(len(numbers))
        row = {"shard": shard.name, "image_id": numbers[0], "file": "f", "reason": "odd"}
        return pa.Table.from_pylist([row], schema=REJECTED.columns)


def opened(numbers: Numbers) -> Callable[..., pa.Table]:
    return numbers.make


def refused() -> Callable[..., pa.Table]:
    raise SemtokError("model.safetensors: missing")


def endless() -> Callable[..., None]:
    """Open what is never done with a shard, and says on standard output that it is at one."""

    def make(shard: Shard, path: Path, tell: Callable[[int], None]) -> None:
        os.write(1, f"{shard.name}\n".encode())  # whole lines, whoever else writes
        threading.Event().wait()

    return make


def orders(names: Iterable[str]) -> list[Shard]:
    return [
        Shard(name, pa.table({"image_id": [at, at + 10]}), f"f{at}")
        for at, name in enumerate(names)
    ]


@dataclass
class Result:
    files: dict[str, str]
    rejected: dict[str, list[dict]]
    events: list[Event]

    def lost(self) -> list[str]:
        return [each.text for each in self.events if isinstance(each, Message)]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Result]:
    """Makes the shards of some names in a folder of their own."""

    def make(names: Iterable[str], settings: WorkersSettings, **deadly: int) -> Result:
        folder = tmp_path / f"run-{len(list(tmp_path.iterdir()))}"
        staging = folder / "staging"
        staging.mkdir(parents=True)
        numbers, events = Numbers(folder, deadly), list[Event]()
        opening = partial(opened, numbers)
        found = work(
            orders(names), staging, numbers.make, opening, settings, events.append, "numbers", 3
        )
        rejected = {name: table.to_pylist() for name, table in found}
        files = {path.name: path.read_text() for path in staging.iterdir()}
        return Result(files, rejected, events)

    return make


@pytest.mark.slow
def test_killed_workers_change_nothing(made: Callable[..., Result]) -> None:
    alone, killed = made("abcde", ALONE), made("abcde", TWO, b=2, e=1)
    assert killed.files == alone.files
    assert killed.rejected == alone.rejected
    assert list(alone.rejected) == [*"abcde"]
    assert sorted(killed.lost()) == [
        f"{name}: a worker was lost (SIGKILL); another one takes over" for name in "bbe"
    ]
    for result in (alone, killed):
        done = [event.done for event in result.events if isinstance(event, Progress)]
        assert done == [3, 5, 7, 9, 11, 13]
    assert not multiprocessing.active_children()


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_the_process_that_started_them(
    tmp_path: Path, end: signal.Signals
) -> None:
    script = (
        "from pathlib import Path\n"
        "from tests.test_workers import TWO, endless, orders, work\n"
        f"list(work(orders('ab'), Path({str(tmp_path)!r}), endless(), endless, TWO))"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        start_new_session=True,
    )
    try:
        assert parent.stdout
        assert {parent.stdout.readline(), parent.stdout.readline()} == {b"a\n", b"b\n"}
        parent.send_signal(end)
        parent.communicate(timeout=60)  # until none of them holds standard output open
    finally:
        with suppress(ProcessLookupError):
            os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()
    assert parent.returncode == -end


@pytest.mark.slow
def test_a_shard_that_kills_every_worker_is_named(made: Callable[..., Result]) -> None:
    told = r"^b: 3 workers were lost at it \(SIGKILL\); .* lower workers.count"
    with pytest.raises(SemtokError, match=told):
        made("ab", TWO, b=3)
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_workers_that_end_by_themselves_need_no_memory(tmp_path: Path) -> None:
    numbers, gone = Numbers(tmp_path, {}), partial(os._exit, 3)
    told = r"^opening: 3 workers were lost at it \(exit code 3\); standard error may tell why$"
    with pytest.raises(SemtokError, match=told):
        list(work(orders("ab"), tmp_path, numbers.make, gone, TWO))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shard", "line"), [("odd", "odd: image 7: odd"), ("wrong", "wrong: ValueError: not a number")]
)
def test_a_fault_names_its_shard_in_one_line(
    made: Callable[..., Result], shard: str, line: str
) -> None:
    with pytest.raises(SemtokError) as fault:
        made(["a", shard], TWO)
    assert str(fault.value) == line


def test_a_fault_in_this_process_names_its_shard(made: Callable[..., Result]) -> None:
    with pytest.raises(SemtokError, match=r"^odd: image 7: odd$"):
        made(["a", "odd"], ALONE)


@pytest.mark.slow
def test_what_cannot_be_opened_is_said_once(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path, {})
    with pytest.raises(SemtokError, match=r"^opening: model.safetensors: missing$"):
        list(work(orders("ab"), tmp_path, numbers.make, refused, TWO))


def test_nothing_to_make_starts_nobody(made: Callable[..., Result]) -> None:
    assert made("", TWO) == Result({}, {}, [Progress("numbers", 3, 3)])


def test_a_cluster_that_does_not_answer_is_named(made: Callable[..., Result]) -> None:
    with socket.socket() as nobody:  # bound, so that nobody else listens there
        nobody.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(SemtokError, match=f"^params.yaml: workers.ray: {address}: no Ray"):
            made("a", WorkersSettings(ray=address))
