"""The stages by name: what each one reads, depends on and is keyed by. It runs nothing.

`dvc.yaml` and the Dagster assets say the same; a test holds the three together.
"""

from collections.abc import Iterator
from pathlib import Path

from semtok import inputs
from semtok.errors import SemtokError
from semtok.params import ANNOTATED, FETCHED, Params, RemoteModelSettings
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


_JSON = "semtok/json_files.py"
_TABLES = ("semtok/tables.py", "semtok/sharding.py")
_READ_TOKENS = (
    "semtok/data/index.py",
    "semtok/tokens/batch.py",
    "semtok/tokens/collate.py",
    "semtok/tokens/columns.py",
    "semtok/tokens/dropping.py",
    "semtok/tokens/links.py",
    "semtok/tokens/loader.py",
    "semtok/tokens/permutation.py",
    "semtok/tokens/rows.py",
    "semtok/tokens/shards.py",
    "semtok/tokens/sizes.py",
)
_SCORING = (
    "semtok/bench",
    "semtok/models",
    "semtok/train",
    "semtok/data/coco.py",
    "semtok/data/editions.py",
    "semtok/data/salient.py",
    "semtok/data/voc.py",
    "semtok/data/words.py",
    "semtok/parsing.py",
    *_READ_TOKENS,
    _JSON,
    *_TABLES,
)

#: Models that were trained elsewhere, for extractors and tokenizers: one folder for all, as DVC can
#: depend neither on no folder nor on one that another block of the settings names.
_FROZEN = ("frozen",)

_DATA_ROOT = (
    "semtok/data/class_folders.py",
    "semtok/data/files.py",
    "semtok/data/halves.py",
    "semtok/data/listing.py",
)

#: A registered version finds masks in image files, and makes tokens of them, itself.
_SCORING_FILES = (
    "semtok/bench",
    "semtok/data",
    "semtok/extract",
    "semtok/tokens",
    "semtok/models",
    "semtok/train",
    "semtok/given.py",
    "semtok/predict.py",
    "semtok/version_reader.py",
    _JSON,
    *_TABLES,
)

_STAGES = (
    Stage(
        name="images",
        about="The data set's files: generated (scenes), fetched or there already; listed by hash.",
        partitions=_unpartitioned,
        inputs=lambda params, partition: [],
        settings=lambda partition: ["data", "checks.images"],
        source=("semtok/data", *_TABLES),
        modules=lambda params, partition: [
            "semtok.data.files",
            f"semtok.data.{params.data.format}",
            *_sources(params),
        ],
    ),
    Stage(
        name="index",
        about="Images, captions and splits as tables.",
        partitions=_unpartitioned,
        inputs=lambda params, partition: [("images", None)],
        settings=lambda partition: ["data", "checks.index"],
        source=("semtok/data", *_TABLES),
        modules=lambda params, partition: ["semtok.data.indexing"],
    ),
    Stage(
        name="detector",
        about="Networks that find the regions of an image, cross-fitted on annotated masks.",
        partitions=lambda params: list(params.detectors),
        inputs=inputs.of_indexed_images,
        settings=lambda partition: [
            "data",
            f"extractors.{ANNOTATED}",
            f"detectors.{partition}",
            "checks.detector",
        ],
        source=("semtok/data", "semtok/extract", _JSON, *_TABLES),
        modules=lambda params, partition: [
            "semtok.extract.detector.stage",
            _backend(params, ANNOTATED, "masks"),
        ],
    ),
    Stage(
        name="masks",
        about="The regions that an extractor finds in each image.",
        partitions=_by_extractor,
        inputs=inputs.of_masks,
        settings=lambda partition: ["data", f"extractors.{_owner(partition)}", "checks.masks"],
        source=("semtok/data", "semtok/extract", _JSON, *_TABLES),
        watches=_FROZEN,
        modules=lambda params, partition: [
            "semtok.extract.masks",
            _backend(params, _owner(partition), "masks"),
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
        source=("semtok/data", "semtok/extract", _JSON, *_TABLES),
        modules=lambda params, partition: [
            "semtok.extract.relation_model.stage",
            *(_backend(params, ANNOTATED, kind) for kind in ("masks", "scene_graphs")),
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
            "checks.scene_graphs",
        ],
        source=("semtok/data", "semtok/extract", _JSON, *_TABLES),
        modules=lambda params, partition: [
            "semtok.extract.scene_graphs",
            _backend(params, _owner(partition), "scene_graphs"),
        ],
        persist=True,
    ),
    Stage(
        name="extraction_scores",
        about="How well an extractor's models do on clean and on corrupted pictures.",
        partitions=lambda params: list(params.extraction_scores),
        inputs=inputs.of_extraction_scores,
        settings=lambda partition: [
            "data",
            f"extractors.{_owner(partition)}",
            "corruption.severities",
            "checks.extraction_scores",
        ],
        source=("semtok/data", "semtok/extract", _JSON, *_TABLES),
        watches=_FROZEN,
        modules=lambda params, partition: [
            "semtok.extract.extraction_scores",
            *(_backend(params, _owner(partition), kind) for kind in ("masks", "scene_graphs")),
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
        source=("semtok/data", "semtok/extract", "semtok/tokens", _JSON, *_TABLES),
        watches=_FROZEN,
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
        source=("semtok/models", "semtok/train", *_READ_TOKENS, *_TABLES),
        modules=lambda params, partition: ["semtok.train.train"],
    ),
    Stage(
        name="scores",
        about="What a model scores on each benchmark, case by case.",
        partitions=lambda params: list(params.variants),
        inputs=inputs.of_scores,
        settings=lambda partition: ["bench", "checks.scores"],
        source=_SCORING,
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
        source=(*_DATA_ROOT, *_SCORING),
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
        source=_SCORING_FILES,
        modules=lambda params, partition: [
            "semtok.bench.outside_scoring",
            *_reader(params.remote_models[str(partition)]),
            *(f"semtok.bench.{name}" for name in params.bench.benchmarks),
        ],
    ),
    Stage(
        name="transmission",
        about="Pictures over a noisy channel, their patches ranked by a variant's attention.",
        partitions=lambda params: list(params.transmission),
        inputs=inputs.of_transmission,
        settings=lambda partition: [f"transmission.{partition}", "checks.transmission"],
        source=_SCORING,
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
        source=("semtok/bench", "semtok/report", "semtok/train/history.py", _JSON, *_TABLES),
        modules=lambda params, partition: [
            "semtok.bench.leaderboard",
            "semtok.report.charts",
            "semtok.report.leaderboard",
        ],
    ),
)


def _sources(params: Params) -> list[str]:
    """The modules that fetch the data; none where they are there, or made."""
    if params.data.source != FETCHED:
        return []
    names = sorted({each.partition("/")[0] for each in params.data.fetch})
    return ["semtok.data.download.fetch", *(f"semtok.data.sources.{name}" for name in names)]


def _owner(partition: str | None) -> str:
    """The extractor or tokenizer of `NAME-SPLIT`."""
    return str(partition).rpartition("-")[0]


def _reader(model: RemoteModelSettings) -> list[str]:
    """The modules that open a model by its address, and do its work."""
    if not model.registered:
        return ["semtok.bench.outside_hub"]
    # Which backends and which tokenizer a version names is known once it was downloaded.
    package = Path(__file__).parent
    files = [path for part in ("extract", "tokens") for path in (package / part).rglob("*.py")]
    named = [path.relative_to(package.parent).with_suffix("") for path in sorted(files)]
    return ["semtok.version_reader", *(".".join(each.parts) for each in named)]


def _backend(params: Params, extractor: str, kind: str) -> str:
    """The module of an extractor's backend."""
    return f"semtok.extract.{getattr(params.extractors[extractor], kind)}"
