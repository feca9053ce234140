"""What the settings of `params.yaml` must agree on, beyond the type and range of each."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from semtok.errors import SemtokError
from semtok.params import ANNOTATED, FETCHED, SPLITS, Params
from semtok.remote import is_address, refusal
from semtok.variant_rules import RULES, Faults, one_of

#: Entries of the least byte-level BPE, which `semtok.train.text_tokenizer` learns.
_BYTES = 256 + 3

#: What the registry gives a number or an alias: names have neither / nor @.
_VERSION = re.compile("models:/[^/@]+(/[1-9][0-9]*|@[^/@]+)")


def check(params: Params, path: Path) -> None:
    """Hold the blocks of a `params.yaml` against each other.

    Args:
        params: all of them.
        path: names the file in errors.

    Raises:
        SemtokError: names the first field that does not fit, and what would.
    """
    for faults in _RULES:
        for where, fault in faults(params):
            raise SemtokError(f"{path}: {where}: {fault}")


def check_places(raw: Any, path: Path) -> None:
    """Point to the block that a key belongs into, where its own knows no such key.

    Args:
        raw: what YAML gave, of any type.
        path: names the file in errors.

    Raises:
        SemtokError: an address stands in `models`, which are folders.
    """
    models = raw.get("models") if isinstance(raw, dict) else None
    for name, model in models.items() if isinstance(models, dict) else ():
        for key in ("hub", "registered"):
            if isinstance(model, dict) and key in model:
                raise SemtokError(
                    f"{path}: models.{name}.{key}: models are folders; write {name} with its {key} "
                    "in remote_models"
                )


def _names(params: Params) -> Faults:
    for section in (
        "detectors",
        "relation_models",
        "extractors",
        "tokenizers",
        "variants",
        "models",
        "remote_models",
        "transmission",
    ):
        for name in getattr(params, section):
            if not name.isidentifier():
                yield (
                    f"{section}.{name}",
                    "use letters, digits and _ only: names are joined by - in partition keys",
                )
    if not params.data.name.isidentifier():
        yield "data.name", "use letters, digits and _ only: it names folders"


def _backends(params: Params) -> Faults:
    for name, pair in params.extractors.items():
        for backend in pair.settings:
            where = f"extractors.{name}.settings.{backend}"
            yield from one_of(where, backend, (pair.masks, pair.scene_graphs))


def _benchmarks(params: Params) -> Faults:
    for name in params.bench.settings:
        yield from one_of(f"bench.settings.{name}", name, params.bench.benchmarks)


def _splits(params: Params) -> Faults:
    splits = params.data.splits
    if splits not in (SPLITS[:3], SPLITS):
        yield (
            "data.splits",
            "must be [train, val, test], with novel behind them where the data set has it",
        )
    if params.data.last_split != splits[-1]:
        yield "data.last_split", f"must be the last of data.splits, {splits[-1]}"
    if not {"val"} <= set(params.bench.splits) <= set(splits[1:]):
        yield "bench.splits", f"must be val, and any of {', '.join(splits[2:])} besides"
    if not set(params.corruption.splits) <= set(splits):
        yield "corruption.splits", f"must be some of {', '.join(splits)}"
    if len(set(params.corruption.severities)) < len(params.corruption.severities):
        yield "corruption.severities", "must not repeat one"


def _data(params: Params) -> Faults:
    data, mirror = params.data, params.download.mirror
    if not data.source:
        yield "data.source", f"must be the data's root, or {FETCHED}, and they are fetched"
    if is_address(data.source) and (fault := refusal(data.source)):
        yield "data.source", fault
    if data.source == FETCHED and not data.fetch:
        yield "data.fetch", "must name the sources to fetch, e.g. [coco]; semtok data sources"
    if mirror and not mirror.startswith(("http://", "https://")):
        yield "download.mirror", "must begin with http:// or https://"


def _workers(params: Params) -> Faults:
    workers = params.workers
    host, _, port = workers.ray.rpartition(":")
    named = bool(host) and port.isdecimal() and int(port) < 2**16 and "/" not in host
    if workers.ray not in ("", "local") and not named:
        yield "workers.ray", f"{workers.ray!r} is no address of a Ray cluster; write HOST:PORT"
    if workers.gpus and not workers.ray:
        yield "workers.gpus", "are of actors on a Ray cluster; name it in workers.ray, or write 0"
    if workers.gpus > 1 and workers.gpus % 1:
        yield "workers.gpus", "must be whole above 1, as Ray shares one GPU alone"


def _token_shards(params: Params) -> Faults:
    """Each tokenizer says for each split what it reads: of that split, and the same of each."""
    owners = _by_split(params, params.tokenizers)
    yield from _keys("token_shards", "tokenizer", owners, params.token_shards)
    for key, shards in params.token_shards.items():
        split = key.removeprefix(f"{owners[key]}-")
        sources = ["images", *(f"extraction/{name}-{split}" for name in params.extractors)]
        if shards.tokenizer != owners[key]:
            yield f"token_shards.{key}.tokenizer", f"must be {owners[key]!r}"
        yield from one_of(f"token_shards.{key}.reads", shards.reads, sources)
        of_train = params.token_shards[f"{owners[key]}-train"].reads
        if shards.reads.removesuffix(f"-{split}") != of_train.removesuffix("-train"):
            yield (
                f"token_shards.{key}.reads",
                f"must be of the extractor that {owners[key]}-train reads, {of_train}",
            )


def _extraction(params: Params) -> Faults:
    """Each extractor says for each split what it reads: a trained model where it runs one.

    What is called predicted has to be, and by the same model on every split.
    """
    owners = _by_split(params, params.extractors)
    yield from _keys("extraction", "extractor", owners, params.extraction)
    for key, reads in params.extraction.items():
        if reads.extractor != owners[key]:
            yield f"extraction.{key}.extractor", f"must be {owners[key]!r}"
        for stage, kind in (("masks", "detector"), ("scene_graphs", "relation_model")):
            where, found = f"extraction.{key}.{stage}", getattr(reads, stage)
            # A backend that a stage trains has the stage's name; the others have nothing to load.
            backend = getattr(params.extractors[owners[key]], stage)
            models = [f"{kind}/{name}" for name in getattr(params, f"{kind}s")]
            if backend != kind and found != "images":
                yield where, f"must be images: the backend {backend} runs no model"
            if backend == kind and found not in models:
                known = ", ".join(models) or f"{kind}/NAME, with NAME in {kind}s"
                yield where, f"must be a model that the backend {kind} runs: {known}"
            of_train = getattr(params.extraction[f"{owners[key]}-train"], stage)
            if found != of_train:
                yield where, f"must be what {owners[key]}-train reads, {of_train}"


def _models(params: Params) -> Faults:
    """The models of predicted extraction learn from annotations alone."""
    found = [params.extraction.get(f"{ANNOTATED}-{split}") for split in params.data.splits]
    plain = all(each and each.masks == each.scene_graphs == "images" for each in found)
    for section in ("detectors", "relation_models"):
        if getattr(params, section) and not plain:
            yield (
                section,
                f"learn from the extractor {ANNOTATED!r}, which must be there and read images "
                "alone",
            )


def _extraction_scores(params: Params) -> Faults:
    """What a trained model finds is judged, by the annotations of its split, and never on train."""
    for key, scored in params.extraction_scores.items():
        split = key.rpartition("-")[2]
        reads = params.extraction.get(key)
        if reads is None or reads.masks == reads.scene_graphs == "images" or split == "train":
            yield (
                f"extraction_scores.{key}",
                "must be a partition of extraction that reads a trained model, and not of train",
            )
        else:
            wanted = {**vars(reads), "truth": f"extraction/{ANNOTATED}-{split}"}
            for name, value in wanted.items():
                if getattr(scored, name) != value:
                    yield f"extraction_scores.{key}.{name}", f"must be {value!r}"


def _transmission(params: Params) -> Faults:
    """Patches of RGB are ranked by a training of a variant whose attention reaches all of them."""
    for name, sent in params.transmission.items():
        where, variant = f"transmission.{name}", params.variants.get(sent.variant)
        if variant is None:
            yield from one_of(f"{where}.variant", sent.variant, params.variants)
            continue
        scheme = params.tokenizers[variant.tokenizer].get("scheme")
        if scheme != "grid" or variant.encoder != "tokens" or variant.gates:
            yield (
                f"{where}.variant",
                f"{sent.variant!r} does not rank patches of RGB; name a variant with encoder: "
                "tokens, without gates, and a tokenizer of the scheme grid",
            )
        if sent.tokenizer != variant.tokenizer:
            yield f"{where}.tokenizer", f"must be {variant.tokenizer!r}"
        if sent.seed not in params.train.seeds:
            known = ", ".join(map(str, params.train.seeds))
            yield f"{where}.seed", f"must be one of train.seeds, {known}"


def _contestants(params: Params) -> Faults:
    for section, others in (
        ("models", params.variants),
        ("remote_models", {**params.variants, **params.models}),
    ):
        for name in getattr(params, section):
            if name in others:
                what = "variant" if name in params.variants else "folder in models"
                yield f"{section}.{name}", f"a {what} has that name; their scores lie side by side"
    for name, model in params.remote_models.items():
        where, address = f"remote_models.{name}", model.registered
        if bool(model.hub) == bool(address):
            yield where, "must have either hub or registered"
        if address and not _VERSION.fullmatch(address):
            yield (
                f"{where}.registered",
                f"{address!r} is no version; write models:/NAME/NUMBER or models:/NAME@ALIAS",
            )
        if address and model.revision:
            yield f"{where}.revision", "is of a model of the hub; a version needs none"
    if params.bench.baseline not in params.variants:
        yield "bench.baseline", f"{params.bench.baseline!r} is no variant"


def _recipe(params: Params) -> Faults:
    for name in ("encoder", "text"):
        block = getattr(params, name)
        if block.width % block.heads:
            yield f"{name}.heads", f"must divide {name}.width, {block.width}"
    text = params.text
    if text.tower == "scratch" and text.vocabulary < _BYTES:
        yield "text.vocabulary", f"must be {_BYTES} or more: the bytes, and three special tokens"
    train = params.train
    if min(train.seeds) < 0 or len(set(train.seeds)) < len(train.seeds):
        yield "train.seeds", "must be different numbers from 0 up"
    if train.warmup >= train.steps:
        yield "train.warmup", f"must end before train.steps, {train.steps}"


def _promotion(params: Params) -> Faults:
    """Promotion rests on what can be a score; whether it was scored is seen when it is read."""
    for field in ("metric", "guards"):
        for name in getattr(params.promotion, field):
            if name.count("/") < 2 or not all(name.split("/")):
                yield f"promotion.{field}", f"{name!r} is no score; write BENCHMARK/TASK/METRIC"
    if len({name.rpartition("/")[2] for name in params.promotion.metric}) > 1:
        yield "promotion.metric", "must be of one metric, since their mean counts"


def _checksums(params: Params) -> Faults:
    for name, checksum in params.bench.checksums.items():
        if not re.fullmatch(r"[^/]+/[^/]+", name):
            yield f"bench.checksums.{name}", "is no BENCHMARK/FILE of the data root"
        if not re.fullmatch("[0-9a-f]{64}", checksum):
            yield (
                f"bench.checksums.{name}",
                f"{checksum!r} is no SHA-256, 64 digits of 0 to 9 and a to f; sha256sum prints it",
            )


_RULES = (
    _names,
    _backends,
    _benchmarks,
    _splits,
    _data,
    _workers,
    _token_shards,
    _extraction,
    _models,
    _extraction_scores,
    _contestants,
    *RULES,
    _recipe,
    _transmission,
    _promotion,
    _checksums,
)


def _by_split(params: Params, names: Iterable[str]) -> dict[str, str]:
    """`NAME-SPLIT` -> NAME."""
    return {f"{name}-{split}": name for name in names for split in params.data.splits}


def _keys(block: str, owner: str, wanted: Mapping[str, str], found: Mapping[str, Any]) -> Faults:
    for key in sorted(set(wanted) - set(found)):
        yield f"{block}.{key}", "missing; say what it reads"
    for key in sorted(set(found) - set(wanted)):
        yield f"{block}.{key}", f"no such {owner} and split"
