"""What a variant is told of an image beside its pixels, and who found it."""

from collections.abc import Mapping

from semtok.params import Params

ORACLE = "oracle"
PREDICTED = "predicted"
COMPUTED = "computed"

#: Backends that are told nothing but pixels, or nothing but masks, whoever found those. Here and
#: not in their modules, as in `headlines`: leaderboards would depend on all of these. What is not
#: named here and runs no model counts as annotated, so that no new one passes for less.
_OF_PIXELS = ("superpixels",)
_OF_MASKS = ("geometry",)

#: Backends that run a model which was trained elsewhere, on annotations as well.
_ELSEWHERE = ("detectron2", "sam2", "transformers")


def told(params: Params, variant: str) -> str:
    """Whose masks and relations are an input of a variant.

    Args:
        params: all settings.
        variant: one of them.

    Returns:
        `ORACLE`: annotated ones, be it in part; `PREDICTED`: those of models, which have learned
        from annotations; `COMPUTED`: what follows from the pixels alone; empty: none, be it that
        they are a task of its training.
    """
    settings = params.variants[variant]
    reads = params.token_shards[f"{settings.tokenizer}-{params.data.splits[0]}"].reads
    # Beside patches, masks only say what relations and key masks are about.
    beside = params.tokenizers[settings.tokenizer]["scheme"] == "grid_relations"
    asked = settings.intangible or settings.relation_bias or settings.key_mask
    if reads == "images" or (beside and not asked):
        return ""
    extraction = params.extraction[reads.removeprefix("extraction/")]
    extractor = params.extractors[extraction.extractor]
    found = {extractor.masks: extraction.masks, extractor.scene_graphs: extraction.scene_graphs}
    return of_backends({backend: model != "images" for backend, model in found.items()})


def of_backends(trained: Mapping[str, bool]) -> str:
    """Whose masks and relations two backends give.

    Args:
        trained: backend -> whether a model runs in it that the line has trained.

    Returns:
        `ORACLE`, `PREDICTED` or `COMPUTED`.
    """
    learned = {backend for backend, ours in trained.items() if ours or backend in _ELSEWHERE}
    if set(trained) - learned - {*_OF_PIXELS, *_OF_MASKS}:
        return ORACLE
    return PREDICTED if learned else COMPUTED
