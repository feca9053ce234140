"""The stages by name: what each one reads, depends on and is keyed by. It runs nothing.

`dvc.yaml` and the Dagster assets say the same; a test holds the three together.
"""

from collections.abc import Iterator

from semtok import inputs, stage_code
from semtok.errors import SemtokError
from semtok.params import ANNOTATED, Params
from semtok.stage import Key, Stage

#: Those that score models which were trained elsewhere.
OUTSIDE_SCORES = ("outside_scores", "remote_scores")


def stages() -> dict[str, Stage]:
    """All stages, in the order of the line."""
    return {stage.name: stage for stage in _STAGES}


def parse_key(text: str, params: Params) -> tuple[Stage, str | None]:
    """Resolve `STAGE[@PARTITION]`.

    Raises:
        SemtokError: no such stage or partition; says which there are.
    """
    name, _, partition = text.partition("@")
    stage = stages().get(name)
    if stage is None:
        raise SemtokError(f"{name}: no such stage; there are {', '.join(stages())}")
    keys = stage.partitions(params)
    if partition and partition not in (keys or []):
        known = ", ".join(keys or []) or "none"
        raise SemtokError(f"{text}: {name} has no partition {partition!r}; it has {known}")
    if keys is not None and not partition:
        example = f"e.g. {name}@{keys[0]}" if keys else "of which params.yaml has none"
        raise SemtokError(f"{name}: name a partition, {example}")
    return stage, partition or None


def all_keys(params: Params) -> Iterator[Key]:
    """Every stage and partition, each after what it reads."""
    for stage in _STAGES:
        keys = stage.partitions(params)
        for partition in [None] if keys is None else keys:
            yield stage.name, partition


def upstream(params: Params, *wanted: Key) -> list[Key]:
    """The given keys and all that they read, directly or not, in the order of the line."""
    known = stages()
    found: set[Key] = set()
    queue = list(wanted)
    while queue:
        key = queue.pop()
        if key not in found:
            found.add(key)
            queue += known[key[0]].inputs(params, key[1])
    return [key for key in all_keys(params) if key in found]


def scores_of(params: Params, name: str) -> Key:
    """What scores a variant, or a model that was trained elsewhere, by its name."""
    if name in params.remote_models:
        return "remote_scores", name
    return "outside_scores" if name in params.models else "scores", name


def _unpartitioned(params: Params) -> None:
    return None


def _by_extractor(params: Params) -> list[str]:
    return [f"{name}-{split}" for name in params.extractors for split in params.data.splits]


def _by_tokenizer(params: Params) -> list[str]:
    return [f"{name}-{split}" for name in params.tokenizers for split in params.data.splits]


_STAGES = (
    Stage(
        name="images",
        about="The data set's files: generated (scenes), fetched or there already; listed by hash.",
        partitions=_unpartitioned,
        inputs=lambda params, partition: [],
        settings=lambda partition: ["data", "checks.images"],
        source=stage_code.DATA,
        modules=lambda params, partition: [
            "semtok.data.files",
            f"semtok.data.{params.data.format}",
            *stage_code.fetchers(params),
        ],
    ),
    Stage(
        name="index",
        about="Images, captions and splits as tables.",
        partitions=_unpartitioned,
        inputs=lambda params, partition: [("images", None)],
        settings=lambda partition: ["data", "checks.index"],
        source=stage_code.DATA,
        modules=lambda params, partition: ["semtok.data.indexing"],
    ),
    Stage(
        name="detector",
        about="Networks that find the masks of an image, cross-fitted on annotated ones.",
        partitions=lambda params: list(params.detectors),
        inputs=inputs.of_indexed_images,
        settings=lambda partition: [
            "data",
            f"extractors.{ANNOTATED}",
            f"detectors.{partition}",
            "checks.detector",
        ],
        source=stage_code.EXTRACTING,
        modules=lambda params, partition: [
            "semtok.extract.detector.stage",
            stage_code.backend(params, ANNOTATED, "masks"),
        ],
    ),
    Stage(
        name="masks",
        about="The masks that an extractor finds in each image.",
        partitions=_by_extractor,
        inputs=inputs.of_masks,
        settings=lambda partition: [
            "data",
            f"extractors.{_owner(partition)}",
            "corruption",
            "checks.masks",
        ],
        source=stage_code.EXTRACTING,
        watches=stage_code.FROZEN,
        modules=lambda params, partition: [
            "semtok.extract.masks",
            stage_code.backend(params, _owner(partition), "masks"),
        ],
        persist=True,
    ),
    Stage(
        name="relation_model",
        about="Networks that say how two masks relate, cross-fitted on annotated relations.",
        partitions=lambda params: list(params.relation_models),
        inputs=inputs.of_indexed_images,
        settings=lambda partition: [
            "data",
            f"extractors.{ANNOTATED}",
            f"relation_models.{partition}",
            "checks.relation_model",
        ],
        source=stage_code.EXTRACTING,
        modules=lambda params, partition: [
            "semtok.extract.relation_model.stage",
            *(stage_code.backend(params, ANNOTATED, kind) for kind in ("masks", "scene_graphs")),
        ],
    ),
    Stage(
        name="scene_graphs",
        about="The relations that an extractor finds among an image's masks.",
        partitions=_by_extractor,
        inputs=inputs.of_scene_graphs,
        settings=lambda partition: [
            "data",
            f"extractors.{_owner(partition)}",
            "corruption",
            "checks.scene_graphs",
        ],
        source=stage_code.EXTRACTING,
        modules=lambda params, partition: [
            "semtok.extract.scene_graphs",
            stage_code.backend(params, _owner(partition), "scene_graphs"),
        ],
        persist=True,
    ),
    Stage(
        name="extraction_scores",
        about="How well an extractor's models do on clean and on corrupted images.",
        partitions=lambda params: list(params.extraction_scores),
        inputs=inputs.of_extraction_scores,
        settings=lambda partition: [
            "data",
            f"extractors.{_owner(partition)}",
            "corruption.severities",
            "checks.extraction_scores",
        ],
        source=stage_code.EXTRACTING,
        watches=stage_code.FROZEN,
        modules=lambda params, partition: [
            "semtok.extract.extraction_scores",
            *(
                stage_code.backend(params, _owner(partition), kind)
                for kind in ("masks", "scene_graphs")
            ),
        ],
    ),
    Stage(
        name="token_shards",
        about="Token sets, ready to be memory-mapped in training.",
        partitions=_by_tokenizer,
        inputs=inputs.of_token_shards,
        settings=lambda partition: [
            "data",
            f"tokenizers.{_owner(partition)}",
            "corruption",
            "checks.token_shards",
        ],
        source=stage_code.TOKENIZING,
        watches=stage_code.FROZEN,
        modules=lambda params, partition: [
            "semtok.tokens.tokenize",
            f"semtok.tokens.{params.tokenizers[_owner(partition)].get('scheme')}",
        ],
        persist=True,
    ),
    Stage(
        name="checkpoint",
        about="A trained image-text model.",
        partitions=lambda params: list(params.variants),
        inputs=inputs.of_checkpoint,
        settings=lambda partition: [
            "encoder",
            "text",
            "train",
            f"variants.{partition}",
            "checks.checkpoint",
        ],
        source=stage_code.TRAINING,
        watches=stage_code.FROZEN,
        modules=lambda params, partition: ["semtok.train.train"],
        persist=True,
    ),
    Stage(
        name="scores",
        about="What a model scores on each benchmark, case by case.",
        partitions=lambda params: list(params.variants),
        inputs=inputs.of_scores,
        settings=lambda partition: ["bench", "checks.scores"],
        source=stage_code.SCORING,
        modules=lambda params, partition: [
            "semtok.bench.scoring",
            *(f"semtok.bench.{name}" for name in params.bench.benchmarks),
        ],
    ),
    Stage(
        name="outside_scores",
        about="What a model that was trained elsewhere scores, case by case.",
        partitions=lambda params: list(params.models),
        inputs=inputs.of_indexed_images,
        settings=lambda partition: [
            "data",
            "bench",
            f"models.{partition}",
            "checks.outside_scores",
        ],
        source=stage_code.OUTSIDE_SCORING,
        modules=lambda params, partition: [
            "semtok.bench.outside_scoring",
            "semtok.bench.outside_folders",
            *(f"semtok.bench.{name}" for name in params.bench.benchmarks),
        ],
    ),
    Stage(
        name="remote_scores",
        about="What a model that was trained elsewhere, and is there still, scores, case by case.",
        partitions=lambda params: list(params.remote_models),
        inputs=inputs.of_indexed_images,
        settings=lambda partition: [
            "data",
            "bench",
            f"remote_models.{partition}",
            "checks.remote_scores",
        ],
        source=stage_code.REMOTE_SCORING,
        modules=lambda params, partition: [
            "semtok.bench.outside_scoring",
            *stage_code.readers(params.remote_models[str(partition)]),
            *(f"semtok.bench.{name}" for name in params.bench.benchmarks),
        ],
    ),
    Stage(
        name="transmission",
        about="Pictures over a noisy channel, their patches ranked by a variant's attention.",
        partitions=lambda params: list(params.transmission),
        inputs=inputs.of_transmission,
        settings=lambda partition: [f"transmission.{partition}", "checks.transmission"],
        source=stage_code.SCORING,
        modules=lambda params, partition: ["semtok.bench.rate_distortion"],
    ),
    Stage(
        name="leaderboard",
        about="All variants side by side, by the protocol.",
        partitions=_unpartitioned,
        inputs=lambda params, partition: [
            scores_of(params, name) for name in (*params.variants, *params.outside_models)
        ],
        settings=lambda partition: [
            "bench",
            "extractors",
            "extraction",
            "tokenizers",
            "token_shards",
            "variants",
            "models",
            "remote_models",
            "checks.leaderboard",
        ],
        source=stage_code.LEADERBOARD,
        modules=lambda params, partition: [
            "semtok.bench.leaderboard",
            "semtok.report.charts",
            "semtok.report.leaderboard",
        ],
    ),
)


def _owner(partition: str | None) -> str:
    """The extractor or tokenizer of `NAME-SPLIT`."""
    return str(partition).rpartition("-")[0]
