"""The blocks of `params.yaml` that backends type themselves: checked before any stage works."""

from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from symtable import symtable

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
    _promotion(params, path)


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
    _are_benchmarks(params.bench.benchmarks, f"{path}: bench.benchmarks")
    for name, block in params.bench.settings.items():
        module, where = import_module(f"semtok.bench.{name}"), f"{path}: bench.settings.{name}"
        if not hasattr(module, "Settings"):
            raise SemtokError(f"{where}: this benchmark has no settings; remove the block")
        parse(module.Settings, dict(block), where)


def _promotion(params: Params, path: Path) -> None:
    """What is no score of any benchmark: whether those of its name were scored, `promote` says.

    An experiment that names its benchmarks on the command line need not be one to promote.
    """
    from semtok.bench.cases import METRICS

    for field in ("metric", "guards"):
        where = f"{path}: promotion.{field}"
        for name in getattr(params.promotion, field):
            _are_benchmarks([name.partition("/")[0]], where)
            if (metric := name.rpartition("/")[2]) not in METRICS:
                raise SemtokError(
                    f"{where}: {name}: no metric {metric!r}; there are {', '.join(METRICS)}"
                )


def _are_benchmarks(names: Iterable[str], where: str) -> None:
    for name in names:
        if not _is_benchmark(name):
            package = import_module("semtok.bench")
            found = sorted(each.name for each in iter_modules(package.__path__))
            known = ", ".join(filter(_is_benchmark, found))
            raise SemtokError(f"{where}: {name!r} is no benchmark; there are {known}")


def _is_benchmark(name: str) -> bool:
    """As `semtok.bench.benchmark.find` will say, which runs what it imports: torch."""
    spec = find_spec(f"semtok.bench.{name}") if name.isidentifier() else None
    if spec is None or spec.origin is None:
        return False
    defined = symtable(Path(spec.origin).read_text(encoding="utf-8"), name, "exec")
    return "case_ids" in defined.get_identifiers() and defined.lookup("case_ids").is_local()
