"""Several ways of doing a thing, timed in turns."""

import statistics
import time
from collections.abc import Callable, Mapping

_WARM_UP = 2


def seconds(
    ways: Mapping[str, Callable[[], object]],
    repetitions: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Median seconds of each way, in turns, after a few runs of each that do not count.

    Args:
        ways: by name.
        repetitions: runs of each that count.
        clock: processor time of all threads by default, as waiting on a busy machine is nobody's
            work.
    """
    for way in ways.values():
        for _ in range(_WARM_UP):
            way()
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, way in ways.items():
            start = clock()
            way()
            times[name].append(clock() - start)
    return {name: statistics.median(each) for name, each in times.items()}
