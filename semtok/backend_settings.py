"""The blocks of `params.yaml` that backends type themselves: checked before any stage works."""

from importlib import import_module
from pathlib import Path

from semtok.errors import SemtokError
from semtok.params import Params
from semtok.parsing import parse


def check(params: Params, path: Path) -> None:
    """Let each backend that the settings name read its own block.

    The format of the data is left to the first stage, which reads it at once.

    Args:
        params: of which every backend is there.
        path: names the file in errors.

    Raises:
        SemtokError: names the first block that does not fit.
    """
    _tokenizers(params, path)
    _extractors(params)
    _benchmarks(params, path)


def _tokenizers(params: Params, path: Path) -> None:
    from semtok.tokens import tokenize

    for name, block in params.tokenizers.items():
        module, _ = tokenize.find(block, f"{path}: tokenizers.{name}")
        for key, shards in params.token_shards.items():
            if shards.tokenizer == name and shards.reads == "images" and module.READS_EXTRACTION:
                raise SemtokError(
                    f"{path}: token_shards.{key}.reads: {block['scheme']} tokens need masks; name "
                    "the partition of extraction that has them, extraction/EXTRACTOR-SPLIT"
                )


def _extractors(params: Params) -> None:
    from semtok.extract.backends import find_backend

    for extractor in params.extractors.values():
        for kind in ("masks", "scene_graphs"):
            find_backend(kind, getattr(extractor, kind), extractor.settings)


def _benchmarks(params: Params, path: Path) -> None:
    for name, block in params.bench.settings.items():
        module, where = import_module(f"semtok.bench.{name}"), f"{path}: bench.settings.{name}"
        if not hasattr(module, "Settings"):
            raise SemtokError(f"{where}: this benchmark has no settings; remove the block")
        parse(module.Settings, dict(block), where)
