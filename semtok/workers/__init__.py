"""Shards made by this process, by several of this machine, or by actors on a Ray cluster.

A worker opens what makes shards (a backend and its model) once and is then handed one shard at a
time. To make a shard again gives the same bytes, so that one whose worker was lost is handed to
another.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from semtok.errors import SemtokError
from semtok.events import Emit, Message, Progress, ignore
from semtok.params import WorkersSettings
from semtok.workers.crew import Crew, Failed, Lost, Made, Make, Open, Shard

#: Workers that may be lost at one shard, or while they open what makes shards, before all stops.
_LOST = 3

_MORE_MEMORY = "give each more memory: lower workers.count, or raise data.shards"


def work(
    shards: Sequence[Shard],
    staging: Path,
    make: Make,
    open_elsewhere: Open,
    settings: WorkersSettings = WorkersSettings(),  # noqa: B008, which is frozen
    emit: Emit = ignore,
    what: str = "shards",
    before: int = 0,
) -> Iterator[tuple[str, pa.Table]]:
    """Make shards in any order.

    Args:
        shards: those to be made.
        staging: folder to write them to.
        make: makes one in this process.
        open_elsewhere: opens the same in another process or machine; it can be pickled.
        settings: who works.
        emit: told of images that are done, and of workers that are lost.
        what: the work's name in progress events.
        before: images of this work that need not be done.

    Yields:
        The name of each shard when it is there, and the rows of `rejected.parquet` that belong to
        it.

    Raises:
        SemtokError: names the shard that cannot be made, and why.
    """
    done, total = before, before + sum(shard.images.num_rows for shard in shards)

    def tell(images: int) -> None:
        nonlocal done
        done += images
        emit(Progress(what, done, total))

    tell(0)
    if not shards:
        return
    if settings.count == 1 and not settings.ray:
        for shard in shards:
            yield shard.name, _made_here(make, shard, staging, tell)
        return
    crew = _crew(settings, min(settings.count, len(shards)), open_elsewhere, staging)
    images = {shard.name: shard.images.num_rows for shard in shards}
    try:
        for name, rejected in _hand_out(shards, crew, emit):
            tell(images[name])
            yield name, rejected
    finally:
        crew.close()


def _crew(settings: WorkersSettings, count: int, open_elsewhere: Open, staging: Path) -> Crew:
    if settings.ray:
        from semtok.workers.cluster import Actors

        return Actors(count, open_elsewhere, staging, settings.ray, settings.gpus)
    from semtok.workers.processes import Processes

    return Processes(count, open_elsewhere, staging)


def _made_here(make: Make, shard: Shard, staging: Path, tell: Callable[[int], None]) -> pa.Table:
    try:
        return make(shard, staging / shard.name, tell)
    except SemtokError as error:
        raise SemtokError(f"{shard.name}: {error}") from None


def _hand_out(shards: Sequence[Shard], crew: Crew, emit: Emit) -> Iterator[tuple[str, pa.Table]]:
    """Hand each shard to a worker without one, until all are made."""
    waiting, idle = deque(shards), deque[int]()
    at_work: dict[int, Shard] = {}
    lost = Counter[str]()
    while waiting or at_work:
        worker, report = crew.wait()
        shard = at_work.pop(worker, None)
        where = shard.name if shard else "opening"
        match report:
            case Failed(reason):
                raise SemtokError(f"{where}: {reason}")
            case Lost(how, memory):
                lost[where] += 1
                if lost[where] == _LOST:
                    advice = _MORE_MEMORY if memory else "standard error may tell why"
                    raise SemtokError(f"{where}: {_LOST} workers were lost at it ({how}); {advice}")
                emit(Message(f"{where}: a worker was lost ({how}); another one takes over"))
                if shard:
                    waiting.appendleft(shard)
                if worker in idle:
                    idle.remove(worker)
                crew.hire()
            case Made(rejected):
                assert shard is not None
                yield shard.name, rejected
                idle.append(worker)
            case _:  # it has opened what makes shards
                idle.append(worker)
        while waiting and idle:
            worker = idle.popleft()
            at_work[worker] = waiting.popleft()
            crew.give(worker, at_work[worker])
