"""What the settings of `params.yaml` must agree on, beyond the type and range of each."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from semtok.errors import SemtokError
from semtok.params import ANNOTATED, CLASSES, SPLITS, Params


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


#: A field and what is wrong with it.
Faults = Iterable[tuple[str, str]]


def _names(params: Params) -> Faults:
    for section in (
        "detectors",
        "relation_models",
        "extractors",
        "tokenizers",
        "variants",
        "models",
    ):
        for name in getattr(params, section):
            if not name.isidentifier():
                yield (
                    f"{section}.{name}",
                    "use letters, digits and _ only: names are joined by - in partition keys",
                )
    if not params.data.name.isidentifier():
        yield "data.name", "use letters, digits and _ only: it names folders"


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


def _token_shards(params: Params) -> Faults:
    """Each tokenizer says for each split what it reads: of that split, and the same of each."""
    owners = _by_split(params, params.tokenizers)
    yield from _keys("token_shards", "tokenizer", owners, params.token_shards)
    for key, shards in params.token_shards.items():
        split = key.removeprefix(f"{owners[key]}-")
        sources = ["images", *(f"extraction/{name}-{split}" for name in params.extractors)]
        if shards.tokenizer != owners[key]:
            yield f"token_shards.{key}.tokenizer", f"must be {owners[key]!r}"
        yield from _one_of(f"token_shards.{key}.reads", shards.reads, sources)
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


def _variants(params: Params) -> Faults:
    for name, variant in params.variants.items():
        yield from _one_of(f"variants.{name}.tokenizer", variant.tokenizer, [*params.tokenizers])
        if len(set(variant.auxiliary)) < len(variant.auxiliary):
            yield f"variants.{name}.auxiliary", "must not repeat"
        if variant.encoder != "tokens" and variant.registers:
            yield (
                f"variants.{name}.registers",
                f"is of encoder: tokens alone; take it off, or encoder: {variant.encoder}",
            )
    for name in params.models:
        if name in params.variants:
            yield f"models.{name}", "a variant has that name; their scores lie side by side"
    if params.bench.baseline not in params.variants:
        yield "bench.baseline", f"{params.bench.baseline!r} is no variant"


def _biases(params: Params) -> Faults:
    """A way of sharing weights of a bias needs a bias."""
    for name, variant in params.variants.items():
        where = f"variants.{name}"
        if variant.bias_mode != "layer_head" and not (
            variant.relation_bias or variant.neighbour_bias
        ):
            yield (
                f"{where}.bias_mode",
                "the variant has no bias; switch on relation_bias or neighbour_bias",
            )
        if variant.bias_mode == "predicate" and not variant.relation_bias:
            yield f"{where}.bias_mode", "predicates have weights in relation_bias; switch it on"
        if (variant.bias_mode == "fixed") != (variant.bias_value is not None):
            yield (
                f"{where}.bias_value",
                "must be stated where bias_mode is fixed, and nowhere else",
            )


def _untold(params: Params) -> Faults:
    """A setting that speaks of relations, neighbours or masks needs tokens that tell them."""
    for name, variant in params.variants.items():
        scheme = params.tokenizers.get(variant.tokenizer, {}).get("scheme")
        if variant.features == "shape" and scheme == "semantic_features":
            yield (
                f"variants.{name}.features",
                f"shape is the coverage of pixels, which {variant.tokenizer} ({scheme}) does not "
                "keep; remove it, or give the variant another tokenizer",
            )
        for setting, schemes, what in _UNTOLD:
            if getattr(variant, setting) and scheme in schemes:
                yield (
                    f"variants.{name}.{setting}",
                    f"the tokenizer {variant.tokenizer} ({scheme}) knows no {what}; take the "
                    "setting off the variant or give it another tokenizer",
                )


def _predicates(params: Params) -> Faults:
    """The name of a predicate is read by a frozen text side, for the relation's own token."""
    for name, variant in params.variants.items():
        where = f"variants.{name}.predicate_embedding"
        if variant.predicate_embedding == "table":
            continue
        if not variant.intangible:
            yield where, "is of intangible tokens; switch on intangible, or remove it"
        if params.text.tower in ("scratch", CLASSES):
            yield where, "text needs a frozen tower that reads; name a CLIP model in text.tower"


_GRIDS = ("grid", "grid_mask_map", "grid_relations")

#: A setting of a variant, the tokenizers of ours for which it means nothing, and what these lack.
#: Those that are not named here are refused by what their shards hold, when a training starts.
_WITHOUT_PATCHES_OF_MASKS = ("grid", "grid_mask_map", "semantic", "semantic_features", "superpixel")
_UNTOLD = (
    ("intangible", ("grid", "grid_mask_map", "superpixel"), "relations"),
    ("relation_bias", ("grid", "grid_mask_map", "superpixel"), "relations"),
    ("permute_relations", ("grid", "grid_mask_map", "superpixel"), "relations"),
    ("neighbour_bias", (*_GRIDS, "superpixel"), "nearest neighbours"),
    ("auxiliary", _WITHOUT_PATCHES_OF_MASKS, "patches with masks"),
    ("key_mask", _WITHOUT_PATCHES_OF_MASKS, "patches with masks"),
    (
        "keep_tokens",
        (*_GRIDS, "semantic", "semantic_features"),
        "superpixels, of which alone some may be dropped",
    ),
)


def _clusters(params: Params) -> Faults:
    """Clusters are equal parts of a grid of patches, which nothing else joins."""
    for name, variant in params.variants.items():
        where = f"variants.{name}.clusters"
        if variant.clusters is None:
            if variant.cluster_order != "semantic":
                yield f"variants.{name}.cluster_order", "orders nothing; add clusters, or remove it"
            continue
        tokenizer = params.tokenizers[variant.tokenizer]
        if tokenizer.get("scheme") not in _GRIDS:
            yield where, f"needs as many tokens of each image; take a tokenizer of {_list(_GRIDS)}"
        joined = ("intangible", "relation_bias", "neighbour_bias")
        if asked := [each for each in joined if getattr(variant, each)]:
            yield where, f"cuts through what relations join; take {_list(asked)} off the variant"
        if variant.key_mask:
            yield (
                where,
                "cuts all patches, whether a mask covers them; take key_mask off the variant",
            )
        if variant.encoder != "tokens":
            yield where, f"is of encoder: tokens alone; encoder: {variant.encoder} keeps its own"
        if params.encoder.depth == 1:
            yield where, "the last block has none; set encoder.depth to 2 or more"
        size, patch_size = tokenizer.get("image_size"), variant.patch_size
        if isinstance(size, int) and patch_size and (size // patch_size) ** 2 % variant.clusters:
            yield where, f"must divide the {(size // patch_size) ** 2} patches of an image"


def _encoders(params: Params) -> Faults:
    """Encoders that cut the picture themselves need it, in a size that they can cut."""
    for name, variant in params.variants.items():
        tokenizer = params.tokenizers[variant.tokenizer]
        if variant.encoder == "tokens":
            continue
        if tokenizer.get("scheme") != "grid":
            yield (
                f"variants.{name}.encoder",
                f"{variant.encoder} reads patches alone; take a tokenizer of the scheme grid",
            )
        size = tokenizer.get("image_size")
        if variant.encoder.startswith("secvit") and isinstance(size, int) and size % _SECVIT_SIDE:
            yield (
                f"variants.{name}.encoder",
                f"{variant.encoder} halves the picture five times; take an image_size that "
                f"{_SECVIT_SIDE} divides",
            )


_SECVIT_SIDE = 32


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _gates(params: Params) -> Faults:
    """Gates drop tokens between blocks of our own encoder, and nobody else may need these."""
    for name, variant in params.variants.items():
        gates, where = variant.gates, f"variants.{name}.gates"
        if gates is None:
            continue
        if gates.block >= params.encoder.depth:
            yield (
                f"{where}.block",
                f"must be below encoder.depth, {params.encoder.depth}: the next block receives",
            )
        if gates.budgets[0] > gates.budgets[1]:
            yield f"{where}.budgets", "must be the least, then the most"
        if variant.encoder != "tokens":
            yield where, f"the encoder {variant.encoder} has none; take gates or encoder off"
        if variant.auxiliary:
            yield where, "drop tokens that auxiliary predicts from; take gates or auxiliary off"
        if variant.clusters:
            yield where, "leave too few tokens for equal clusters; take gates or clusters off"


def _budget(params: Params) -> Faults:
    """The benchmark `budget` takes tokens out of the midst of our own encoder."""
    if "budget" not in params.bench.benchmarks:
        return
    where = "bench.benchmarks"
    if params.encoder.depth < 2:
        yield where, "budget needs a block that sends and one that receives; set encoder.depth to 2"
    for name, variant in params.variants.items():
        if variant.encoder != "tokens" or variant.clusters:
            yield (
                where,
                f"budget drops tokens that the variant {name} needs; take one of both out",
            )


def _recipe(params: Params) -> Faults:
    for name in ("encoder", "text"):
        block = getattr(params, name)
        if block.width % block.heads:
            yield f"{name}.heads", f"must divide {name}.width, {block.width}"
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


def _classes(params: Params) -> Faults:
    """A classifier knows the names of classes, and no sentence that a benchmark may ask."""
    if params.text.tower != CLASSES:
        return
    for name in params.bench.benchmarks:
        if name in _OF_SENTENCES:
            yield (
                "bench.benchmarks",
                f"{name} asks about sentences, and text.tower: {CLASSES} knows names of classes "
                "alone; take it off, or take another tower",
            )


#: Benchmarks whose captions are no classes.
_OF_SENTENCES = (
    *("retrieval", "retrieval_permuted", "retrieval_corrupted"),
    *("siblings", "siblings_permuted", "sugar_crepe", "winoground", "aro"),
)


_RULES = (
    _names,
    _splits,
    _token_shards,
    _extraction,
    _models,
    _extraction_scores,
    _variants,
    _untold,
    _biases,
    _predicates,
    _clusters,
    _encoders,
    _gates,
    _budget,
    _recipe,
    _promotion,
    _classes,
)


def _by_split(params: Params, names: Iterable[str]) -> dict[str, str]:
    """`NAME-SPLIT` -> NAME."""
    return {f"{name}-{split}": name for name in names for split in params.data.splits}


def _keys(block: str, owner: str, wanted: Mapping[str, str], found: Mapping[str, Any]) -> Faults:
    for key in sorted(set(wanted) - set(found)):
        yield f"{block}.{key}", "missing; say what it reads"
    for key in sorted(set(found) - set(wanted)):
        yield f"{block}.{key}", f"no such {owner} and split"


def _one_of(where: str, found: str, known: Iterable[str]) -> Faults:
    if found not in known:
        yield where, f"{found!r} is not one of {', '.join(known)}"
