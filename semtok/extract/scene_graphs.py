"""The stage `scene_graphs`: the relations that a backend finds among masks, in shards."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from semtok.data import rejects
from semtok.data.rejects import DUPLICATE, Reject
from semtok.errors import SemtokError
from semtok.extract.backends import Backend, FoundRelations, Job, SceneGraphBackend, find_backend
from semtok.extract.corruptions import CLEAN, Corruption
from semtok.extract.masks import MASKS
from semtok.params import ExtractorSettings
from semtok.sharding import Partition, rebuild
from semtok.tables import FINGERPRINT, REJECTED, TableSchema, read_table, write_table
from semtok.workers import work
from semtok.workers.crew import Make, Shard
from semtok.workspace import digest, fingerprint

SCENE_GRAPHS = TableSchema(
    "scene_graphs",
    1,
    pa.schema(
        [
            ("image_id", pa.int64()),
            ("subject", pa.int32()),  # mask_id
            ("predicate", pa.string()),
            ("object", pa.int32()),  # mask_id
            ("score", pa.float32()),
            ("source", pa.string()),  # the backend: psg, geometry
        ]
    ),
)


def build(
    partition: Partition,
    files: pa.Table,
    masks: Path,
    extractor: ExtractorSettings,
    model: Path | None = None,
    corruption: Corruption = CLEAN,
) -> int:
    """Fill a staging folder with the shards of one partition, redoing only what is stale.

    Rows are ordered by image_id, subject, object, predicate. Of relations that say the same, the
    one of the highest score stays.

    Args:
        files: schema `FILES`, those of the data root.
        masks: the artifact of `masks` of the same partition.
        model: the artifact of the model that the backend runs, if it runs one.
        corruption: of the images that it is shown.

    Returns:
        The number of shards that were built.

    Raises:
        SemtokError: no such backend, or one that does not work on these masks; a damaged
            annotation file; or more faulty relations than `data.rejected_share` allows.
    """
    backend = find_backend("scene_graphs", extractor.scene_graphs, extractor.settings)
    if backend.reads_masks and extractor.masks not in backend.reads_masks:
        raise SemtokError(
            f"params.yaml: extractors: scene_graphs: {extractor.scene_graphs} needs masks: "
            f"{' or '.join(backend.reads_masks)}, not {extractor.masks}"
        )
    root, images, data = partition.root, partition.images, partition.data
    job = Job(root, files, images, backend.settings, model, corruption)
    opened: SceneGraphBackend = backend.open(job)
    shards = partition.assign(".parquet")
    wanted = {
        name: fingerprint(
            SCENE_GRAPHS.label,
            backend.label,
            str(corruption),
            partition.source,
            digest(masks / name),  # bears the fingerprint of its images
            hashlib.blake2b(opened.inputs(images.take(positions))).hexdigest(),
        )
        for name, positions in shards.items()
    }

    def build_shards(stale: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        orders = [Shard(name, images.take(shards[name]), wanted[name]) for name in stale]
        reads = masks, extractor.scene_graphs
        return work(
            orders,
            partition.staging,
            _maker(opened, *reads),
            partial(_open, backend, backend.job_of_a_worker(job), *reads),
            partition.workers,
            partition.emit,
            "scene graphs",
            images.num_rows - sum(order.images.num_rows for order in orders),
        )

    built = rebuild(partition.staging, partition.published, wanted, build_shards)
    kept = sum(pq.read_metadata(partition.staging / name).num_rows for name in shards)
    rejected = read_table(partition.staging / "rejected.parquet", REJECTED)
    rejects.enforce(rejected, kept, data.rejected_share, "relations", root)
    return built


def reads_pixels(extractor: ExtractorSettings) -> bool:
    """Whether other relations are found among the same masks of a corrupted image."""
    return find_backend("scene_graphs", extractor.scene_graphs, extractor.settings).reads_pixels


def _open(backend: Backend, job: Job, masks: Path, source: str) -> Make:
    return _maker(backend.open(job), masks, source)


def _maker(opened: SceneGraphBackend, masks: Path, source: str) -> Make:
    """What makes a shard of what a backend of the name `source` finds."""

    def make(shard: Shard, path: Path, tell: Callable[[int], None]) -> pa.Table:
        found = opened.find(shard.images, read_table(masks / shard.name, MASKS))
        relations, repeated = distinct(found)
        relations = relations.append_column("source", pa.repeat(source, relations.num_rows))
        write_table(path, relations, SCENE_GRAPHS, {FINGERPRINT: shard.fingerprint})
        tell(shard.images.num_rows)
        return rejects.table([*found.rejected, *repeated], shard.name)

    return make


def distinct(found: FoundRelations) -> tuple[pa.Table, list[Reject]]:
    """Each relation once, in order, with its highest score; and a reject for every repetition."""
    key = ["image_id", "subject", "object", "predicate"]
    groups = found.relations.group_by(key, use_threads=False).aggregate(
        [("score", "max"), ("score", "count")]
    )
    groups = groups.sort_by([(name, "ascending") for name in key])
    repeated = groups.filter(pc.field("score_count") > 1).select(["image_id", "score_count"])
    rejected = [
        Reject(image_id, None, found.file, DUPLICATE)
        for image_id, count in zip(*repeated.to_pydict().values(), strict=True)
        for _ in range(count - 1)
    ]
    return groups.select([*key, "score_max"]).rename_columns([*key, "score"]), rejected
