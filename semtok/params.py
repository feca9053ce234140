"""The settings of `params.yaml`, typed; `params_file.py` reads and validates them.

What every part shares is typed here. A backend (a data format, an extractor, a tokenizer, a
benchmark, a suite of checks) brings a dataclass `Settings` of its own in its own file; its block
of `params.yaml` stays a plain mapping until the backend hands it to `semtok.parsing.parse`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Interval, MinLen, MultipleOf

#: Ranges that `parse` holds the numbers to.
Count = Annotated[int, Gt(0)]
Limit = Annotated[int, Ge(0)]  # 0: none
Positive = Annotated[float, Interval(gt=0, lt=float("inf"))]
Finite = Annotated[float, Interval(gt=float("-inf"), lt=float("inf"))]
Share = Annotated[float, Interval(ge=0, le=1)]
Budget = Annotated[float, Interval(gt=0, le=1)]
Severity = Annotated[int, Interval(ge=0, le=5)]
Seed = Annotated[int, Interval(ge=0, lt=2**63)]  # 8 bytes hold it

#: What of a token's features is left: all of them; without colours, its coverage or the mask map;
#: nothing, so that geometry and relations alone tell of the image.
Features = Literal["all", "shape", "none"]

#: Our own encoder of token sets, somebody else's vision transformer as a reference, or a SECViT,
#: whose blocks have convolutions and no other variant's size.
VisionEncoder = Literal[
    "tokens", "clip_vision", "secvit_tiny", "secvit_t", "secvit_s", "secvit_b", "secvit_l"
]

#: How the weights of the additive bias are shared: a stated number, or learned ones, one for all
#: heads and layers, one a head, one a head and layer, or one a predicate.
BiasMode = Literal["fixed", "scalar", "head", "layer_head", "predicate"]

#: What decides which tokens share a cluster: the keys (semantically equitable clustering), or a
#: control instead: chance, their place in reading order, the first principal component of the keys.
ClusterOrder = Literal["semantic", "random", "spatial", "principal"]

#: Whose keys attention reads: those of patches that a mask covers, or of all tokens (None).
KeyMask = Literal["foreground"]

#: What an intangible token is embedded by: a table that is learned, or its predicate's name, which
#: a frozen text tower reads.
PredicateEmbedding = Literal["table", "text"]

#: What a budget limits: the mean weight that gates give tokens, or the share of tokens left.
GateCount = Literal["weights", "tokens"]

#: What a patch model can be trained to predict besides: which patches share a mask, and the
#: predicates of relations.
Auxiliary = Literal["masks", "relations"]

#: The extractor that the other extractors' own networks learn from.
ANNOTATED = "annotated"

#: The text side of a classifier: captions are names of classes, each with a vector of its own.
CLASSES = "classes"

#: What `data.source` says where the data are fetched: the folder of what knows their addresses.
#: (Nothing it cannot say: DVC has no empty dependency.)
FETCHED = "semtok/data/sources"

#: Splits have a fixed meaning: training, model choice, final numbers, and the same on combinations
#: that training never shows.
SPLITS = ("train", "val", "test", "novel")


@dataclass(frozen=True)
class DataSettings:
    """Which images and annotations the line starts from."""

    name: str  # the data set's name; part of every artifact's path
    #: Module of semtok/data that makes or reads it; docs/classification.md, docs/coco.md.
    format: str
    #: coco, class_folders: the root (a folder, or an address: docs/scale.md), or FETCHED; scenes,
    #: ...: their generator's folder.
    source: str
    shards: Count  # files per partition; an image's shard depends on its id and this number alone
    rejected_share: Share  # share of bad inputs above which a stage fails
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by format
    splits: tuple[str, ...] = SPLITS[:3]  # train, val, test, and novel where the data set has it
    last_split: str = "test"  # the last of them, which DVC cannot find out
    fetch: tuple[str, ...] = ()  # sources that make up the root (docs/data.md): SOURCE, SOURCE/PART


@dataclass(frozen=True)
class DownloadSettings:
    """How sources are fetched; what comes is the same whatever stands here."""

    mirror: str = ""  # address that has their files below it, as HOST/PATH; empty: their own


@dataclass(frozen=True)
class WorkersSettings:
    """Who makes shards of masks and scene graphs; they are the same whatever stands here.

    What networks find is, up to rounding, and to the byte where all run as many threads.
    """

    count: Count = 1  # each with its model in memory; 1 without Ray: the stage's own process
    ray: str = ""  # address of a Ray cluster (HOST:6379), whose actors they are; empty: processes
    gpus: Annotated[float, Ge(0)] = 0.0  # of each actor; 0.5: two share one


@dataclass(frozen=True)
class ExtractorSettings:
    """A named pair of backends, each a module of semtok/extract."""

    masks: str  # instances, panoptic, superpixels, detector, detectron2, sam2, transformers
    scene_graphs: str  # psg, visual_genome, geometry, relation_model
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by backend


@dataclass(frozen=True)
class ExtractionSettings:
    """What one partition of `masks` and `scene_graphs` reads, relative to artifacts/DATA.

    `images` where annotations, pixels or masks say it all, else the folder of a trained model.
    """

    extractor: str  # as in the partition's key, which DVC cannot take apart
    masks: str  # images, detector/NAME
    scene_graphs: str  # images, relation_model/NAME


@dataclass(frozen=True)
class ExtractionScoresSettings(ExtractionSettings):
    """What one partition of `extraction_scores` reads: what `extraction` says of it, and a truth.

    DVC can neither choose among the partitions of `extraction` nor look one up.
    """

    truth: str  # extraction/annotated-SPLIT


@dataclass(frozen=True)
class LearningSettings:
    """How an extractor's own networks are trained, one a fold."""

    folds: Annotated[int, Ge(2)]  # cross-fitting: semtok/extract/crossfit.py
    seed: Annotated[int, Interval(ge=0, lt=2**32)]  # of weights and batches; times the folds a Seed
    steps: Count
    batch_size: Count  # images
    learning_rate: Positive


@dataclass(frozen=True)
class DetectorSettings(LearningSettings):
    """A detector: networks that find the regions of an image."""

    image_size: Annotated[int, Gt(0), MultipleOf(32)]  # side that images are stretched to, pixels
    width: Annotated[int, Gt(0), MultipleOf(4)]  # channels at an eighth of the size


@dataclass(frozen=True)
class RelationModelSettings(LearningSettings):
    """A relation model: networks that say what two masks have to do with one another."""

    crop_size: Annotated[int, Gt(0), MultipleOf(8)]  # side of the common box of a pair, pixels
    width: Count  # channels at half that size


@dataclass(frozen=True)
class TokenShardsSettings:
    """What one `token_shards` partition reads, relative to artifacts/DATA.

    `images` where the tokenizer needs pixels alone, else `extraction/EXTRACTOR-SPLIT`.
    """

    tokenizer: str  # as in the partition's key, which DVC cannot take apart
    reads: str


@dataclass(frozen=True)
class CorruptionSettings:
    """In which severities of each kind pictures are shown corrupted, for the benchmarks of it."""

    splits: tuple[str, ...]  # whose masks, relations and tokens are made once more
    severities: tuple[Severity, ...]  # 0: as it is, 5: the most (semtok/extract/corruptions.py)

    def of(self, split: str) -> tuple[Severity, ...]:
        """The severities that the images of a split are shown in."""
        return self.severities if split in self.splits else ()


@dataclass(frozen=True)
class EncoderSettings:
    """The transformer blocks that every variant shares."""

    width: Count
    depth: Count
    heads: Count
    mlp_ratio: Positive
    embedding: Count  # dimension of the joint image-text space


@dataclass(frozen=True)
class TextSettings:
    """The text side that every variant shares."""

    tower: str  # scratch; classes; or the name or folder of a CLIP text model (frozen)
    vocabulary: Count  # entries of the BPE trained on the training captions (scratch)
    context: Count  # caption length in BPE tokens, cut or padded
    width: Count
    depth: Count
    heads: Count

    def folder(self, project: Path) -> Path | None:
        """The folder of the tower, in the project unless its name is absolute; None: no folder.

        What is learned has none, and a model of the hub lies where its cache keeps it.
        """
        folder = project / self.tower
        return folder if self.tower not in ("scratch", CLASSES) and folder.is_dir() else None


@dataclass(frozen=True)
class TrainSettings:
    """The recipe that every variant shares."""

    steps: Count
    batch_size: Count  # images; one random caption of each
    learning_rate: Positive
    weight_decay: Annotated[float, Ge(0)]
    warmup: Annotated[int, Ge(0)]  # steps of linear warm-up before the cosine
    clip_norm: Positive
    seeds: Annotated[tuple[Seed, ...], MinLen(1)]  # one training each
    log_every: Count  # steps between two metrics events
    save_every: Count  # steps between two resume states
    search: tuple[Positive, ...] = ()  # further learning rates; each variant takes its best on val

    @property
    def rates(self) -> list[float]:
        """The learning rates that each variant tries, ascending."""
        return sorted({self.learning_rate, *self.search})

    @property
    def trainings(self) -> int:
        """How many trainings a variant takes: the best of its rates is the first seed's."""
        return len(self.seeds) + len(self.rates) - 1


@dataclass(frozen=True)
class GateSettings:
    """Gates that drop tokens on their way, within a budget (docs/systems/adaptive_selection.md)."""

    block: Count  # behind which tokens are sent on; the loss holds what it reads to the budget
    bias: float = 2.0  # of a token's logit; the larger, the more is kept at first
    temperature: Positive = 1.0  # of that logit
    weight: Annotated[float, Ge(0)] = 0.01  # of the budget loss
    count: GateCount = "weights"  # what that loss holds to the budget
    budgets: tuple[Budget, Budget] = (0.05, 1.0)  # each image of a step draws its own, between


@dataclass(frozen=True)
class VariantSettings:
    """A named model: what differs from the shared recipe."""

    tokenizer: str
    patch_size: Count | None = None  # grid tokenizers: side of a patch in pixels
    intangible: bool = False  # one token per relation
    relation_bias: bool = False  # additive attention between the ends and the token of a relation
    neighbour_bias: bool = False  # additive attention to each mask's nearest neighbours
    permute_relations: bool = False  # control: predicates, then ends, permuted within the image
    features: Features = "all"  # control: what is left of a token's pixels
    auxiliary: tuple[Auxiliary, ...] = ()  # control: predicted in training, not an input
    encoder: VisionEncoder = "tokens"  # the others read patches alone
    bias_mode: BiasMode = "layer_head"  # how the weights of both biases are shared
    bias_value: Finite | None = None  # fixed: what a relation or neighbourhood adds
    predicate_embedding: PredicateEmbedding = "table"  # of intangible tokens
    clusters: Count | None = None  # patches attend within one of so many equal clusters (and [CLS])
    cluster_order: ClusterOrder = "semantic"  # what the clusters are cut from; others are controls
    registers: Annotated[int, Ge(0)] = 0  # learned tokens that no image fills and nothing reads
    key_mask: KeyMask | None = None  # foreground: nobody attends to patches that no mask covers
    gates: GateSettings | None = None  # tokens are dropped between blocks, within a budget
    keep_tokens: Count | None = None  # superpixels: so many of an image in a training step, drawn


@dataclass(frozen=True)
class OutsideModelSettings:
    """A model that was trained elsewhere and is scored beside the variants."""

    #: Of a CLIP or SigLIP of transformers, or a model of open_clip; absolute or in the project.
    folder: Annotated[str, MinLen(1)]


@dataclass(frozen=True)
class RemoteModelSettings:
    """A model that was trained elsewhere and is there still: its address says which weights."""

    hub: str = ""  # its id on the Hugging Face hub: OWNER/NAME
    revision: str = ""  # the commit there; without it the stage says which it is today, and stops
    registered: str = ""  # or a version in MLflow: models:/NAME/VERSION, models:/NAME@ALIAS


@dataclass(frozen=True)
class TransmissionSettings:
    """Patches that are sent over a channel: who ranks them, and how the links are trained."""

    variant: str  # of patches: its attention ranks them, and it classifies what arrived
    tokenizer: str  # the variant's, which DVC cannot look up
    steps: Count
    batch_size: Count = 32  # images
    learning_rate: Positive = 2e-3
    seed: Seed = 0  # of the links; and which training of the variant ranks


@dataclass(frozen=True)
class BenchSettings:
    """How scores and intervals are computed."""

    benchmarks: Annotated[tuple[str, ...], MinLen(1)]  # modules of semtok/bench
    splits: tuple[str, ...]
    bootstrap: Count  # resamples of an interval
    confidence: Annotated[float, Interval(gt=0, lt=1)]
    baseline: str  # the variant that the others are compared with
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of benchmarks
    checksums: Mapping[str, str] = field(default_factory=dict)  # BENCHMARK/FILE -> its SHA-256
    missing_share: Share = 0.01  # of a benchmark file's rows, on images the data set lacks, at most


@dataclass(frozen=True)
class PromotionSettings:
    """What `semtok promote` asks before the alias `champion` moves.

    Scores are named BENCHMARK/TASK/METRIC, e.g. `retrieval/text_to_image/R@1`, and are those on
    val; gains and allowances are in the metric's own unit (recalls in percent).
    """

    metric: Annotated[tuple[str, ...], MinLen(1)]  # of several the mean
    minimum_gain: Annotated[float, Ge(0)]  # the gain's interval must lie above it
    guards: Mapping[str, Annotated[float, Ge(0)]]  # score -> by how much it may be lower


@dataclass(frozen=True)
class Params:
    """All of `params.yaml`."""

    data: DataSettings
    detectors: Mapping[str, DetectorSettings]
    relation_models: Mapping[str, RelationModelSettings]
    extractors: Mapping[str, ExtractorSettings]
    extraction: Mapping[str, ExtractionSettings]
    extraction_scores: Mapping[str, ExtractionScoresSettings]
    tokenizers: Mapping[str, Mapping[str, Any]]  # each with `scheme`, a module of semtok/tokens
    token_shards: Mapping[str, TokenShardsSettings]
    corruption: CorruptionSettings
    encoder: EncoderSettings
    text: TextSettings
    train: TrainSettings
    variants: Mapping[str, VariantSettings]
    models: Mapping[str, OutsideModelSettings]
    remote_models: Mapping[str, RemoteModelSettings]
    transmission: Mapping[str, TransmissionSettings]
    bench: BenchSettings
    promotion: PromotionSettings
    checks: Mapping[str, Mapping[str, Any]]
    download: DownloadSettings = field(default_factory=DownloadSettings)
    workers: WorkersSettings = field(default_factory=WorkersSettings)

    @property
    def outside_models(self) -> list[str]:
        """The names of all models that were trained elsewhere."""
        return [*self.models, *self.remote_models]
