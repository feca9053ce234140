"""What a variant asks of its tokens, held to the tokens themselves.

`variant_rules` refuses most of it when `params.yaml` is read, by the names of schemes; this is for
shards that somebody else has made, and for who trains without a `params.yaml`.
"""

from pathlib import Path

from semtok.errors import SemtokError
from semtok.params import VariantSettings
from semtok.tokens.rows import PixelRows, RegionRows, RelatedPixelRows, Rows, SuperpixelRows

_OF_RELATIONS = ("intangible", "relation_bias", "permute_relations")

#: What the rows of a kind do not have.
_LACKING: dict[type[Rows], tuple[str, ...]] = {
    PixelRows: (*_OF_RELATIONS, "neighbour_bias"),
    RelatedPixelRows: ("neighbour_bias",),
    RegionRows: (),
    SuperpixelRows: (*_OF_RELATIONS, "neighbour_bias"),
}


def check(variant: VariantSettings, rows: Rows, folder: Path) -> None:
    """Refuse what a variant asks of tokens that do not have it.

    Args:
        variant: what is asked.
        rows: some of the tokens.
        folder: where they lie, for messages.

    Raises:
        SemtokError: says what does not fit, and what would.
    """
    if variant.key_mask and not isinstance(rows, RelatedPixelRows):
        raise SemtokError(
            f"{folder}: has no patches with masks, which key_mask: foreground reads; "
            "take the tokenizer grid_relations"
        )
    if variant.keep_tokens and not isinstance(rows, SuperpixelRows):
        raise SemtokError(
            f"{folder}: holds no superpixels, of which keep_tokens drops some; take the setting "
            "off the variant"
        )
    if variant.auxiliary:
        _check_auxiliary(variant, rows, folder)
    if variant.encoder != "tokens" and not (
        isinstance(rows, PixelRows) and rows.pixels.shape[-1] == 3
    ):
        raise SemtokError(
            f"{folder}: holds more than pixels, which is all that encoder: {variant.encoder} "
            "reads; take the tokenizer grid"
        )
    if asked := [name for name in _LACKING[type(rows)] if getattr(variant, name)]:
        what = "neighbours" if isinstance(rows, RelatedPixelRows) else "relations"
        tokens = "superpixels" if isinstance(rows, SuperpixelRows) else "patches"
        raise SemtokError(
            f"{folder}: holds {tokens}, which have no {what}; "
            f"take {', '.join(asked)} off the variant or give it another tokenizer"
        )
    if isinstance(rows, RegionRows | SuperpixelRows):
        return
    if variant.features == "shape" and rows.pixels.shape[-1] == 3:
        raise SemtokError(
            f"{folder}: holds patches without a mask map, of which features: shape leaves nothing; "
            "take the tokenizer grid_mask_map"
        )
    if variant.features == "none" and not (variant.intangible or variant.relation_bias):
        raise SemtokError(
            f"{folder}: holds patches, of which features: none leaves nothing to tell images apart "
            "by, and a contrastive loss nothing to learn; give the variant relations"
        )


def _check_auxiliary(variant: VariantSettings, rows: Rows, folder: Path) -> None:
    if not isinstance(rows, RelatedPixelRows):
        raise SemtokError(
            f"{folder}: has no patches with masks and relations, which auxiliary predicts; "
            "take the tokenizer grid_relations"
        )
    if asked := [name for name in _OF_RELATIONS if getattr(variant, name)]:
        raise SemtokError(
            f"{folder}: auxiliary predicts relations from patches that are not told them; "
            f"take {', '.join(asked)} off the variant"
        )
