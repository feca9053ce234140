"""What the settings of a variant must agree on, with each other and with its tokenizer."""

from collections.abc import Iterable

from semtok.params import CLASSES, Params

#: A field and what is wrong with it.
Faults = Iterable[tuple[str, str]]


def _variants(params: Params) -> Faults:
    for name, variant in params.variants.items():
        yield from one_of(f"variants.{name}.tokenizer", variant.tokenizer, [*params.tokenizers])
        if len(set(variant.auxiliary)) < len(variant.auxiliary):
            yield f"variants.{name}.auxiliary", "must not repeat"
        if variant.encoder != "tokens" and variant.registers:
            yield (
                f"variants.{name}.registers",
                f"is of encoder: tokens alone; take it off, or encoder: {variant.encoder}",
            )


def _biases(params: Params) -> Faults:
    """A way of sharing weights of a bias needs a bias, and permuted relations need to be told."""
    for name, variant in params.variants.items():
        where = f"variants.{name}"
        if variant.permute_relations and not (variant.intangible or variant.relation_bias):
            yield (
                f"{where}.permute_relations",
                "the variant is told no relations; switch on intangible or relation_bias",
            )
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
        tokenizer = params.tokenizers[variant.tokenizer]
        scheme = tokenizer.get("scheme")
        if variant.features == "shape" and scheme == "semantic_features":
            yield (
                f"variants.{name}.features",
                f"shape is the coverage of pixels, which {variant.tokenizer} ({scheme}) does not "
                "keep; remove it, or give the variant another tokenizer",
            )
        for setting, cap, what in _CAPPED:
            if getattr(variant, setting) and tokenizer.get(cap) == 0:
                yield (
                    f"variants.{name}.{setting}",
                    f"{cap} of the tokenizer {variant.tokenizer} is 0, which leaves no {what}; "
                    "raise it, or take the setting off the variant",
                )
        for setting, schemes, what in _UNTOLD:
            if getattr(variant, setting) and scheme in schemes:
                yield (
                    f"variants.{name}.{setting}",
                    f"the tokenizer {variant.tokenizer} ({scheme}) knows no {what}; take the "
                    "setting off the variant or give it another tokenizer",
                )


def _unseen(params: Params) -> Faults:
    """Something of an image has to be left for a model to tell it from others by."""
    for name, variant in params.variants.items():
        scheme = params.tokenizers[variant.tokenizer].get("scheme")
        where = f"variants.{name}.features"
        if variant.features == "shape" and scheme in ("grid", "grid_relations"):
            yield (
                where,
                "shape leaves nothing of patches without a mask map; take a tokenizer of the "
                "scheme grid_mask_map, or remove it",
            )
        told = variant.intangible or variant.relation_bias
        if variant.features == "none" and scheme in _GRIDS and not told:
            yield (
                where,
                "none leaves patches nothing to tell images apart by; remove it, or take a "
                "tokenizer of the scheme grid_relations and switch on intangible or relation_bias",
            )


def _auxiliary(params: Params) -> Faults:
    """What is predicted is not told."""
    for name, variant in params.variants.items():
        told = ("intangible", "relation_bias", "permute_relations")
        asked = [each for each in told if getattr(variant, each)]
        if variant.auxiliary and asked:
            yield (
                f"variants.{name}.auxiliary",
                f"predicts relations from patches that are not told them; take {_list(asked)} off "
                "the variant",
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
_REGIONS = ("semantic", "semantic_features", "superpixel")

#: A setting of a variant, the tokenizer's cap that can leave it nothing, and of what.
_CAPPED = (
    ("intangible", "max_relations", "relations"),
    ("relation_bias", "max_relations", "relations"),
    ("neighbour_bias", "neighbours", "nearest neighbours"),
)

#: A setting of a variant, the tokenizers of ours for which it means nothing, and what these lack.
#: Those that are not named here are refused by what their shards hold, when a training starts.
_WITHOUT_PATCHES_OF_MASKS = ("grid", "grid_mask_map", *_REGIONS)
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


def _patches(params: Params) -> Faults:
    """Patches cut a grid evenly, and nothing else."""
    for name, variant in params.variants.items():
        tokenizer = params.tokenizers[variant.tokenizer]
        where, size = f"variants.{name}.patch_size", tokenizer.get("image_size")
        cell = tokenizer.get("cell_size")
        if tokenizer.get("scheme") in _GRIDS:
            if variant.patch_size is None:
                yield where, "missing; say how many pixels a side a patch has"
            elif isinstance(size, int) and size % variant.patch_size:
                yield where, f"must divide the {size} pixels of an image's side"
            elif isinstance(cell, int) and cell > 0 and variant.patch_size % cell:
                yield where, f"must be a multiple of the tokenizer's cell_size, {cell}"
        elif tokenizer.get("scheme") in _REGIONS and variant.patch_size is not None:
            yield where, f"the tokenizer {variant.tokenizer} has no patches; remove it"


def _depth(params: Params) -> Faults:
    """All blocks but the last have a bias."""
    for name, variant in params.variants.items():
        where = f"variants.{name}"
        for setting in ("relation_bias", "neighbour_bias"):
            if getattr(variant, setting) and params.encoder.depth == 1:
                yield (
                    f"{where}.{setting}",
                    "the last block has none; set encoder.depth to 2 or more",
                )


#: Each yields what is wrong with the settings that it looks at.
RULES = (
    _variants,
    _untold,
    _unseen,
    _biases,
    _auxiliary,
    _predicates,
    _clusters,
    _encoders,
    _gates,
    _patches,
    _depth,
)


def one_of(where: str, found: str, known: Iterable[str]) -> Faults:
    """A fault unless something is one of those that are known."""
    if found not in known:
        yield where, f"{found!r} is not one of {', '.join(known)}"
