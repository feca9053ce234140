"""Which variants are controls: they ask why others win, and are no candidates themselves."""

from collections.abc import Mapping
from typing import Any


def is_control(variant: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> bool:
    """Whether a variant is a control, by its settings.

    Args:
        variant: its block of `params.yaml`; what is missing is as by default.
        tokenizer: the block of its tokenizer, with its `scheme`.
    """
    return bool(
        variant.get("permute_relations")
        or variant.get("features", "all") != "all"
        or variant.get("auxiliary")
        or variant.get("encoder") == "clip_vision"
        or variant.get("cluster_order", "semantic") != "semantic"
        or tokenizer.get("scheme") == "grid_mask_map"
        or tokenizer.get("partition") == "voronoi"
        or _leaves_relations_out(variant, tokenizer)
    )


def _leaves_relations_out(variant: Mapping[str, Any], tokenizer: Mapping[str, Any]) -> bool:
    """Whether it reads patches that masks and relations came with, and uses neither."""
    uses = ("intangible", "relation_bias", "neighbour_bias", "key_mask")
    return tokenizer.get("scheme") == "grid_relations" and not any(map(variant.get, uses))
