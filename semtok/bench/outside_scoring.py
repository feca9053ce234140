"""The stage `outside_scores`: a model that was trained elsewhere, put to the same cases."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from semtok.bench import benchmark, costs, missing, unasked, weights
from semtok.bench.cases import CASES
from semtok.bench.contestant import Contestant
from semtok.bench.image_files import ImageFiles
from semtok.bench.outside import OutsideModel, Source
from semtok.bench.scoring import ask
from semtok.data.index import Annotations
from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore
from semtok.json_files import read_json
from semtok.parsing import parse
from semtok.tables import write_table

#: Such a model was trained once, and the cases have a column for that.
SEED = 0


def score(
    source: Source,
    images: Mapping[str, ImageFiles],
    annotations: Annotations,
    benchmarks: Sequence[str],
    staging: Path,
    kept: Path | None = None,
    emit: Emit = ignore,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    missing_share: float = 1.0,
) -> pa.Table:
    """Score a model; write what `scoring.score` does of a variant, and `model.json`.

    The last says which model it was, and what decided what it was asked.

    Args:
        source: of the model.
        images: split -> its images; those of train are learned from, where a benchmark does that,
            and never scored.
        annotations: what the index says of them.
        benchmarks: names of modules of semtok/bench; those that it cannot be asked are left out.
        staging: folder to write into.
        kept: folder of the vectors that a run of the very same inputs goes on from where it was
            killed; None: it starts again.
        emit: told of progress, and of what is left out.
        settings: of benchmarks that have some, by name.
        missing_share: as of `scoring.score`.

    Returns:
        The cases (`cases.CASES`).

    Raises:
        SemtokError: the model or an image cannot be read, there is no such benchmark, or none that
            such a model can be asked, or too many images are missing.
    """
    model = OutsideModel(source, kept)
    facts = model.facts() | {"contestant": asdict(model.contestant())}
    left_out = benchmark.refusals(model.contestant(), benchmarks)
    for name, reason in left_out.items():
        emit(Message(f"{name}: not asked of {source.name}: {reason}"))
    asked = {name: benchmark.find(name) for name in benchmarks if name not in left_out}
    if not asked:
        raise SemtokError(
            f"bench.benchmarks: {source.name} can be asked none of them; add one that fits"
        )
    missing.hold(annotations.folder, asked, images, missing_share, staging, emit)
    emit(Message(f"{source.name}: {facts['model']}; its vectors are brought to unit length"))
    parts = [CASES.columns.empty_table()]
    for data in benchmark.splits_data(images, annotations, settings):
        parts += ask(model, data, asked, SEED, emit)
    table = pa.concat_tables(parts)
    write_table(staging / "cases.parquet", table, CASES)
    costs.write(staging, model.costs())
    unasked.write(staging, left_out)
    weights.write(staging, facts)
    return table


def refusals(scores: Path, benchmarks: Sequence[str]) -> dict[str, str]:
    """Which of the given benchmarks the model cannot be asked, and why.

    Args:
        scores: what `score` wrote, which says what the model is.
        benchmarks: names of modules of semtok/bench.

    Raises:
        SemtokError: there is none of that name, or the scores do not say what the model is.
    """
    path = scores / weights.NAME
    who = parse(Contestant, read_json(path).get("contestant"), f"{path}: contestant")
    return benchmark.refusals(who, benchmarks)
