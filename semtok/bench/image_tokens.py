"""Image files as the tokens of a variant whose tokens need nothing but pixels."""

from collections.abc import Callable
from pathlib import Path

from semtok.bench.token_maps import Features, TokenMap, of_rows
from semtok.errors import SemtokError
from semtok.models.encoder import VisualTokenEncoder
from semtok.tokens import tokenize
from semtok.tokens.pixels import decode
from semtok.tokens.rows import pack
from semtok.train import checkpoint


def reader(folder: Path, features: Features) -> Callable[[Path], TokenMap]:
    """Read image files, stretched to the training size, by a training of a variant.

    Args:
        folder: `seed-S` of a checkpoint, of patches or superpixels that need no masks.
        features: which ones.

    Raises:
        SemtokError: the checkpoint cannot be read, or its tokens are others.
    """
    trained = checkpoint.load(folder)
    tokens = trained.tokens
    tokenizer, settings = tokenize.find(
        {"scheme": tokens["scheme"], **tokens["settings"]}, f"{folder}/config.json: tokens"
    )
    if tokenizer.READS_EXTRACTION or type(trained.model.vision) is not VisualTokenEncoder:
        raise SemtokError(
            f"{folder}: its tokens need more than pixels; name a variant of the tokenizer grid or "
            "superpixel, with encoder: tokens and without gates"
        )

    def read(path: Path) -> TokenMap:
        made = tokenizer.tokenize([decode(path, settings.image_size)], [], settings)
        found = of_rows(trained, pack([0], made, ()), features)
        assert found is not None, "such variants have token maps"
        return found[0]

    return read
