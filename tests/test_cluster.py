"""Shards by actors of a Ray cluster of two nodes, of which one dies in the middle."""

import os
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import psutil
import pyarrow as pa
import pytest

from semtok.data.index import IMAGES, split_images
from semtok.errors import SemtokError
from semtok.events import Event, Message, Progress
from semtok.extract import masks
from semtok.extract.backends import Backend, Job, find_backend
from semtok.params import DataSettings, WorkersSettings
from semtok.remote import locate
from semtok.sharding import assign
from semtok.tables import FINGERPRINT, read_metadata
from semtok.workers import work
from semtok.workers.crew import Make, Shard
from tests.conftest import write_tiny_coco
from tests.extract.conftest import Extraction

pytestmark = pytest.mark.slow

SHARDS = 6


@dataclass(frozen=True)
class Cluster:
    address: str
    second: str  # the id of the node that is not the head


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one core on this machine's loopback."""
    with (
        pytest.MonkeyPatch.context() as patch,
        # Its name is short: sockets in it have a length at most.
        tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder,
    ):
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # As on a laptop, no address but loopback is asked for. Ray reads it when it is imported.
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        from ray import cluster_utils

        node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
        head = {**node, "include_dashboard": False}
        nodes = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        try:
            assert nodes.address.startswith("127.0.0.1:")
            second = nodes.add_node(**node)
            yield Cluster(nodes.address, second.node_id)
        finally:
            nodes.shutdown()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    """Superpixels and relations of the tiny root by this process, in `masks` and `scene_graphs`."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_coco(folder / "root")
    data = DataSettings("tiny", "coco", "", shards=SHARDS, rejected_share=1.0)
    tiny = Extraction(folder / "root", folder, data)
    tiny.use("superpixels", "geometry", superpixels={"regions": 5})
    tiny.masks()
    tiny.scene_graphs()
    return tiny


def doomed(backend: Backend, job: Job, meeting: Path, node: str) -> Make:
    """Open masks in a worker whose node dies at its first shard, if it is that node.

    Args:
        meeting: a pipe at which a worker on another node waits for that, after its first shard.
    """
    import ray

    make, met = masks.maker(backend.open(job)), meeting.with_name("met")
    mine = ray.get_runtime_context().get_node_id()

    def make_or_die(shard: Shard, path: Path, tell: Callable[[int], None]) -> pa.Table:
        if mine == node:
            path.write_text("half a sh")
            meeting.open("wb").close()
            raylet = psutil.Process().parent()
            assert raylet is not None
            assert raylet.name() == "raylet"
            os.kill(raylet.pid, signal.SIGKILL)
            threading.Event().wait()
        rejected = make(shard, path, tell)
        if not met.exists():  # and so no later worker waits, either
            meeting.open("rb").close()
            met.touch()
        return rejected

    return make_or_die


def _unused(*_: object) -> NoReturn:
    raise AssertionError("no actor was to be had")


def test_a_node_that_dies_in_the_middle_changes_nothing(
    cluster: Cluster, tiny: Extraction, tmp_path: Path
) -> None:
    listed, index = tiny.index()
    images = split_images(index, "train")
    published = tiny.folder / "masks"
    shards = [
        Shard(name, images.take(positions), read_metadata(published / name)[FINGERPRINT])
        for name, positions in assign(images["image_id"].to_pylist(), SHARDS, ".parquet").items()
    ]
    backend = find_backend("masks", "superpixels", tiny.extractor.settings)
    job = Job(tiny.root, listed, IMAGES.columns.empty_table(), backend.settings)
    meeting, staging = tmp_path / "meeting", tmp_path / "staging"
    os.mkfifo(meeting)
    staging.mkdir()
    events: list[Event] = []
    opening = partial(doomed, backend, job, meeting, cluster.second)
    workers = WorkersSettings(count=2, ray=cluster.address)
    here = masks.maker(backend.open(job))
    made = dict(work(shards, staging, here, opening, workers, events.append))
    assert {name: table.num_rows for name, table in made.items()} == dict.fromkeys(made, 0)
    lost = [event.text for event in events if isinstance(event, Message)]
    assert len(lost) == 1
    assert re.search(r": a worker was lost \(\w+\); another one takes over$", lost[0])
    # What the stage's own process tells, and so the terminal or Dagster.
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done[0] == 0 and done[-1] == images.num_rows
    assert len(done) == len(shards) + 1 and done == sorted(done)
    assert {path.name: path.read_bytes() for path in staging.iterdir()} == {
        shard.name: (published / shard.name).read_bytes() for shard in shards
    }


def test_more_gpus_than_any_node_has_are_refused(cluster: Cluster, tmp_path: Path) -> None:
    workers = WorkersSettings(count=2, ray=cluster.address, gpus=0.5)
    shard = Shard("a", pa.table({"image_id": [0]}), "f")
    told = "^params.yaml: workers.gpus: no node of the cluster has 0.5 for an actor; the most is 0$"
    with pytest.raises(SemtokError, match=told):
        list(work([shard], tmp_path, _unused, _unused, workers))


def test_the_stages_on_a_cluster_make_what_they_make_alone(
    cluster: Cluster, tiny: Extraction
) -> None:
    workers = WorkersSettings(count=2, ray=cluster.address)
    # Each actor reads the root itself, which is at an address here, and a folder above.
    other = replace(tiny, workers=workers, root=locate(Path(), f"file://{tiny.root}"))
    assert other.masks("masks_of_actors") == SHARDS
    assert tiny.bytes("masks_of_actors") == tiny.bytes("masks")
    assert other.scene_graphs("graphs_of_actors") == SHARDS
    assert tiny.bytes("graphs_of_actors") == tiny.bytes("scene_graphs")
