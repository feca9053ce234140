"""What a variant is told of an image beside its pixels, and who found it."""

from semtok.params import ANNOTATED, Params

ORACLE = "oracle"
PREDICTED = "predicted"


def told(params: Params, variant: str) -> str:
    """Whose masks and relations are an input of a variant.

    Args:
        params: all settings.
        variant: one of them.

    Returns:
        `ORACLE`: annotated ones; `PREDICTED`: those of models; empty: none, be it that they are a
        task of its training.
    """
    settings = params.variants[variant]
    reads = params.token_shards[f"{settings.tokenizer}-{params.data.splits[0]}"].reads
    if reads == "images" or settings.auxiliary:
        return ""
    return ORACLE if reads.startswith(f"extraction/{ANNOTATED}-") else PREDICTED
