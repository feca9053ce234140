"""Workers that are actors on the machines of a Ray cluster.

The only file that imports ray, and only where `workers.ray` names a cluster. A shard comes back
through Ray's object store, so that no machine but the stage's own writes to its folders. What it is
made from has to lie at the same paths on all of them.
"""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from semtok.errors import SemtokError, installing
from semtok.workers.crew import Failed, Lost, Made, Make, Open, Opened, Report, Shard


class Actors:
    """A crew of actors. One that finds no room yet reports when there is some."""

    def __init__(self, count: int, open_: Open, staging: Path, address: str, gpus: float) -> None:
        """Ask a cluster for so many.

        Args:
            count, open_, staging: as of `Processes`.
            address: host:port of the cluster's head; `local` starts one here.
            gpus: of each actor; 0.5: two share one.

        Raises:
            SemtokError: ray is not installed, there is no such cluster, or none of its nodes could
                hold an actor.
        """
        self._ray = _connected(address)
        self._need_room(gpus)
        self._staging = staging
        self._open = self._ray.put(open_)
        # They run on any machine that has room, and as few on one as can be.
        options = {"num_cpus": 1, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
        self._new: Callable[[], Any] = self._ray.remote(**options)(_Worker).remote
        self._workers: dict[int, Any] = {}
        self._reports: dict[Any, int] = {}  # that are to come -> whose
        self._at_work: dict[int, Shard] = {}
        self._hired = 0
        for _ in range(count):
            self.hire()

    def _need_room(self, gpus: float) -> None:
        """Ray would wait for ever for a node with more than all have."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        most = max((node.get("GPU", 0) for node in nodes if node.get("CPU", 0) >= 1), default=-1)
        if most < 0:
            self._ray.shutdown()
            raise SemtokError("params.yaml: workers.ray: no node of the cluster has a CPU to give")
        if most < gpus:
            self._ray.shutdown()
            raise SemtokError(
                f"params.yaml: workers.gpus: no node of the cluster has {gpus:g} for an actor; the "
                f"most is {most:g}"
            )

    def hire(self) -> None:
        """Ask for one more; see `Crew`."""
        worker = self._workers[self._hired] = self._new()
        self._reports[worker.open.remote(self._open)] = self._hired
        self._hired += 1

    def give(self, worker: int, shard: Shard) -> None:
        """Hand over a shard; see `Crew`."""
        self._at_work[worker] = shard
        self._reports[self._workers[worker].make.remote(shard)] = worker

    def wait(self) -> tuple[int, Report]:
        """The next report; see `Crew`."""
        (done, *_), _ = self._ray.wait(list(self._reports))
        worker = self._reports.pop(done)
        shard = self._at_work.pop(worker, None)
        try:
            report, content = self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:  # it could not read what it was sent
            return worker, Failed.by(error.cause or error)
        except self._ray.exceptions.RayError as error:  # the actor is gone, or what it had made
            del self._workers[worker]
            starved = isinstance(error, self._ray.exceptions.OutOfMemoryError)
            return worker, Lost(type(error).__name__, starved)
        if shard and isinstance(report, Made):
            path = self._staging / shard.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return worker, report

    def close(self) -> None:
        """End all, and leave the cluster; see `Crew`."""
        for worker in self._workers.values():
            self._ray.kill(worker)
        self._ray.shutdown()


class _Worker:
    """An actor: reports, and with a shard the bytes of its file."""

    def open(self, open_: Open) -> tuple[Report, bytes]:
        try:
            self._make: Make = open_()
        except Exception as error:
            return Failed.by(error), b""
        return Opened(), b""

    def make(self, shard: Shard) -> tuple[Report, bytes]:
        with TemporaryDirectory() as folder:
            path = Path(folder) / shard.name
            try:
                rejected = self._make(shard, path, lambda images: None)
            except Exception as error:
                return Failed.by(error), b""
            return Made(rejected), path.read_bytes()


def _connected(address: str) -> Any:
    """The library, connected to a cluster."""
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        try:  # Ray itself would ask for a quarter of an hour, and say so in many lines.
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            reason = error.strerror or error
            raise SemtokError(
                f"params.yaml: workers.ray: {address}: no Ray cluster answers ({reason}); start it "
                "with `ray start --head`"
            ) from None
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        import ray
    except ImportError:
        raise SemtokError(
            f"params.yaml: workers.ray: ray is not installed; {installing('line,ray')}, here and "
            "on every machine of the cluster"
        ) from None
    try:
        ray.init(address=address, logging_level="warning")
    except (ConnectionError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SemtokError(f"params.yaml: workers.ray: {address}: {reason}") from None
    return ray
