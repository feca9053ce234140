"""The stage `token_shards`: every image of a split through one tokenizer, in shards.

A tokenizer is a module of this folder, named after its scheme, with
- `READS_EXTRACTION`: whether it needs masks and relations beside the pixels;
- `Settings`: a dataclass of its block in `params.yaml`, with an `image_size`;
- `schema(settings)`: one of the families of `shards.py`;
- `tokenize(images, extractions, settings)`: the token sets of some images;
- `located(settings, project)`, if it names a file: with that as it lies in the project's folder;
- `identity(settings)` and `cost(settings)`, if a frozen model has part in them: what identifies
  it, and what it takes.

Where severities are named, the folder `corrupted/KIND-SEVERITY` beside the shards has the same
images once more, each tokenized anew from its corrupted pixels (`corruptions.py`), and from what
was found in them so; what annotations say stays (`corrupted.py`).
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, cast

import pyarrow as pa

from semtok.data import rejects
from semtok.data.rejects import Reject
from semtok.errors import SemtokError, UnreadableImageError
from semtok.events import Progress
from semtok.extract import corrupted
from semtok.extract.corruptions import KINDS, Corruption, corrupt
from semtok.parsing import parse
from semtok.remote import AnyPath
from semtok.sharding import CORRUPTED, Partition, rebuild
from semtok.tables import REJECTED, TableSchema, read_table
from semtok.tokens import shards
from semtok.tokens.extraction import Extraction, ExtractionShard
from semtok.tokens.pixels import decode
from semtok.tokens.rows import TokenSet, UInt8, pack, predicate_names
from semtok.workspace import digest, fingerprint

#: Images that a tokenizer is given at once: enough to spread numpy's overhead over, few enough
#: to stay in the processor's cache.
_TOGETHER = 12


class Tokenizer(Protocol):
    """What the module of a tokenizer offers."""

    READS_EXTRACTION: bool
    Settings: type[Any]

    def schema(self, settings: Any) -> TableSchema:
        """The shards' schema."""

    def tokenize(
        self, images: Sequence[UInt8], extractions: Sequence[Extraction], settings: Any
    ) -> Sequence[TokenSet]:
        """The token sets of some images.

        Args:
            images: B times [S, S, 4] uint8 RGB and 255, at training size.
            extractions: what was found in each; none where it reads none.
        """


def build(
    partition: Partition,
    tokenizer: Mapping[str, Any],
    extraction: tuple[Path, Path] | None,
    severities: Sequence[int] = (),
) -> int:
    """Fill a staging folder with the shards of one partition, redoing only what is stale.

    An image that cannot be read is set aside.

    Args:
        tokenizer: its block of `params.yaml`.
        extraction: the artifacts `masks` and `scene_graphs` that it reads, in as many shards.
        severities: 0..5; of each kind of corruption, those whose tokens are made as well.

    Returns:
        The number of shards that were built.

    Raises:
        SemtokError: no such scheme, a wrong setting, an extraction that is missing or damaged, or
            more unreadable images than `data.rejected_share` allows.
    """
    images, data, published = partition.images, partition.data, partition.published
    where = f"params.yaml: tokenizers.{published.name.rpartition('-')[0]}"
    module, settings = find(tokenizer, where)
    if module.READS_EXTRACTION and extraction is None:
        raise SemtokError(
            f"{where}: {tokenizer['scheme']} tokens need masks; let "
            f"token_shards.{published.name}.reads name an extraction"
        )
    reads = extraction if module.READS_EXTRACTION and extraction else ()
    # By the names that people gave: the same shards wherever the project lies.
    tokens = {"scheme": tokenizer["scheme"], "settings": dataclasses.asdict(settings)}
    settings = located(module, settings, partition.project)
    schema = module.schema(settings)
    identity = [module.identity(settings)] if hasattr(module, "identity") else []
    groups = {
        name: images.take(positions).select(["image_id", "path", "sha256"]).to_pylist()
        for name, positions in partition.assign(".arrow").items()
    }
    corruptions = [Corruption(kind, each) for kind in KINDS for each in severities]
    made: dict[str, tuple[str, Corruption | None]] = {name: (name, None) for name in groups}
    made |= {f"{CORRUPTED}/{each}/{name}": (name, each) for each in corruptions for name in groups}
    inputs = {
        name: [
            (corrupted.of(folder, each) if each else folder) / f"{Path(clean).stem}.parquet"
            for folder in reads
        ]
        for name, (clean, each) in made.items()
    }
    wanted = {
        name: fingerprint(
            schema.label,
            json.dumps([tokens, groups[clean], *([each] if each else [])]),
            partition.source,
            *identity,
            *map(digest, inputs[name]),
        )
        for name, (clean, each) in made.items()
    }
    done, total = 0, images.num_rows * (1 + len(corruptions))

    def build_shard(name: str, path: Path) -> pa.Table:
        nonlocal done
        clean, corruption = made[name]
        found = ExtractionShard.read(*inputs[name]) if reads else None
        image_ids: list[int] = []
        token_sets: list[TokenSet] = []
        rejected: list[Reject] = []
        for start in range(0, len(groups[clean]), _TOGETHER):
            some = groups[clean][start : start + _TOGETHER]
            partition.emit(Progress("tokens", done, total))
            done += len(some)
            readable, unreadable = _read(some, partition.root, settings.image_size)
            # An image is set aside once, whatever is made of it.
            rejected += unreadable if corruption is None else []
            if corruption is not None:
                readable = {key: corrupt(each, key, corruption) for key, each in readable.items()}
            if readable:
                extractions = [found.of(image_id) for image_id in readable] if found else []
                image_ids += readable
                token_sets += module.tokenize(list(readable.values()), extractions, settings)
        names = predicate_names(token_sets)
        rows = pack(image_ids, token_sets, names) if token_sets else None
        shards.write(path, schema, rows, names, tokens, wanted[name])
        return rejects.table(rejected, name)

    def build_shards(stale: Sequence[str]) -> Iterator[tuple[str, pa.Table]]:
        return ((name, build_shard(name, partition.staging / name)) for name in stale)

    built = rebuild(partition.staging, published, wanted, build_shards)
    partition.emit(Progress("tokens", total, total))
    rejected = read_table(partition.staging / "rejected.parquet", REJECTED)
    kept = images.num_rows - rejected.num_rows
    rejects.enforce(rejected, kept, data.rejected_share, "images", partition.root)
    return built


def cost(tokenizer: Mapping[str, Any], project: Path) -> dict[str, dict[str, float]]:
    """What a frozen model takes that has part in the token sets, for `cost.hand_down`."""
    module, settings = find(tokenizer, "params.yaml: tokenizers")
    if not hasattr(module, "cost"):
        return {}
    return {"features": module.cost(located(module, settings, project))}


def located(module: Tokenizer, settings: Any, project: Path) -> Any:
    """The settings of a tokenizer, with what they name as it lies in the project's folder.

    Raises:
        SemtokError: it is not there.
    """
    return module.located(settings, project) if hasattr(module, "located") else settings


def find(tokenizer: Mapping[str, Any], where: str) -> tuple[Tokenizer, Any]:
    """Look a tokenizer's module up by its scheme, and parse its settings.

    Args:
        tokenizer: {"scheme": NAME, ...settings}.
        where: the place in `params.yaml`, for messages.

    Raises:
        SemtokError: no such scheme, or a key that is unknown, missing or of a wrong type.
    """
    scheme = str(tokenizer.get("scheme", ""))
    name = f"{__package__}.{scheme}"
    module = import_module(name) if scheme.isidentifier() and find_spec(name) else None
    if not hasattr(module, "READS_EXTRACTION"):
        raise SemtokError(f"{where}.scheme: {scheme!r} is no tokenizer of semtok/tokens")
    found = cast(Tokenizer, module)
    raw = {key: value for key, value in tokenizer.items() if key != "scheme"}
    return found, parse(found.Settings, raw, where)


def _read(
    rows: Sequence[Mapping[str, Any]], root: AnyPath, size: int
) -> tuple[dict[int, UInt8], list[Reject]]:
    """The pixels of the images that can be read, by id, and why the others cannot."""
    readable, rejected = {}, []
    for image_id, file, _ in (row.values() for row in rows):
        try:
            readable[image_id] = decode(root / file, size)
        except UnreadableImageError as error:
            rejected.append(Reject(image_id, None, file, error.reason))
    return readable, rejected
