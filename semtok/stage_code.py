"""The code that stages are made of: files that DVC watches, and modules that did the work.

Which of the files a result depends on, the modules say (`source.py`).
"""

from pathlib import Path

from semtok.params import FETCHED, Params, RemoteModelSettings

_JSON = "semtok/json_files.py"
_TENSORS = "semtok/tensors.py"
_TABLES = ("semtok/tables.py", "semtok/sharding.py")
#: What lies at an address is listed and read by it.
_ROOT = "semtok/remote.py"
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

DATA = ("semtok/data", _ROOT, *_TABLES)
EXTRACTING = ("semtok/data", "semtok/extract", _ROOT, _JSON, _TENSORS, *_TABLES)
TOKENIZING = ("semtok/data", "semtok/extract", "semtok/tokens", _ROOT, _JSON, *_TABLES)
TRAINING = ("semtok/models", "semtok/train", *_READ_TOKENS, _TENSORS, *_TABLES)
SCORING = (
    "semtok/bench",
    "semtok/models",
    "semtok/train",
    "semtok/data/coco.py",
    "semtok/data/documents.py",
    "semtok/data/editions.py",
    "semtok/data/salient.py",
    "semtok/data/voc.py",
    "semtok/data/words.py",
    "semtok/parsing.py",
    *_READ_TOKENS,
    _JSON,
    _TENSORS,
    *_TABLES,
)
OUTSIDE_SCORING = (
    "semtok/data/class_folders.py",
    "semtok/data/files.py",
    "semtok/data/halves.py",
    "semtok/data/listing.py",
    _ROOT,
    *SCORING,
)
#: A registered version finds masks in image files, and makes tokens of them, itself.
REMOTE_SCORING = (
    "semtok/bench",
    "semtok/data",
    "semtok/extract",
    "semtok/tokens",
    "semtok/models",
    "semtok/train",
    "semtok/given.py",
    "semtok/predict.py",
    "semtok/version_reader.py",
    _ROOT,
    _JSON,
    _TENSORS,
    *_TABLES,
)
LEADERBOARD = ("semtok/bench", "semtok/report", "semtok/train/history.py", _JSON, *_TABLES)

#: Models that were trained elsewhere, for extractors, tokenizers and text sides: one folder for
#: all, as DVC can depend neither on no folder nor on one that another block of the settings names.
FROZEN = ("frozen",)


def fetchers(params: Params) -> list[str]:
    """The modules that fetch the data; none where they are there, or made."""
    if params.data.source != FETCHED:
        return []
    names = sorted({each.partition("/")[0] for each in params.data.fetch})
    return ["semtok.data.download.fetch", *(f"semtok.data.sources.{name}" for name in names)]


def readers(model: RemoteModelSettings) -> list[str]:
    """The modules that open a model by its address, and do its work."""
    if not model.registered:
        return ["semtok.bench.outside_hub"]
    # Which backends and which tokenizer a version names is known once it was downloaded.
    package = Path(__file__).parent
    files = [path for part in ("extract", "tokens") for path in (package / part).rglob("*.py")]
    named = [path.relative_to(package.parent).with_suffix("") for path in sorted(files)]
    return ["semtok.version_reader", *(".".join(each.parts) for each in named)]


def backend(params: Params, extractor: str, kind: str) -> str:
    """The module of an extractor's backend."""
    return f"semtok.extract.{getattr(params.extractors[extractor], kind)}"
