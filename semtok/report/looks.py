"""The pictures that come with the scores of a variant: what one of its trainings does to images."""

from pathlib import Path

import pyarrow as pa

from semtok.params import VariantSettings
from semtok.report import artifacts, attributions, clusters, kept_tokens, token_graph


def draw(
    name: str,
    variant: VariantSettings,
    training: Path,
    shards: Path,
    captions: pa.Table,
    folder: Path,
) -> tuple[str, ...]:
    """Draw what there is to see, on the first images of some token shards.

    Args:
        name: of the variant.
        variant: its settings.
        training: `seed-S` of its checkpoint.
        shards: of its tokenizer.
        captions: the index's: caption_id, image_id, caption.
        folder: where the pictures go.

    Returns:
        Their names: the bias that joins regions, attributions of superpixels, clusters, tokens that
        gates keep, and the artifact report of a variant with registers.
    """
    return (
        *token_graph.draw_first(training, shards, folder),
        *attributions.draw_first(training, shards, captions, folder),
        *clusters.draw_first(training, shards, folder),
        *kept_tokens.draw_first(training, shards, variant.patch_size, folder),
        *artifacts.draw_first(name, training, shards, folder),
    )
