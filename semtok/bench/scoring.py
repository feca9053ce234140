"""The stage `scores`: every training of a variant on every benchmark and split."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from semtok.bench import benchmark, contestant, costs, missing, unasked
from semtok.bench.benchmark import Benchmark, SplitData
from semtok.bench.cases import CASES, Task
from semtok.bench.embedding import Embedder, Model
from semtok.data.index import Annotations
from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore
from semtok.tables import write_table
from semtok.tokens.shards import TokenShards

#: Columns of cases that every benchmark has; it leaves out what it has no use for of the others.
_ALWAYS = {*Task._fields, "seed", "case_id", "cluster_id"}


def score(
    checkpoint: Path,
    shards: Mapping[str, Path],
    annotations: Annotations,
    benchmarks: Sequence[str],
    staging: Path,
    emit: Emit = ignore,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    kept: Path | None = None,
    missing_share: float = 1.0,
) -> pa.Table:
    """Score all trainings of a variant; write `cases.parquet`, `costs.json` and what was not asked.

    A benchmark that the variant cannot be asked is left out, and told (`unasked.json`); so are rows
    whose image the data set lacks (`missing.parquet`).

    Args:
        checkpoint: the variant's artifact, with a folder `seed-S` for each training.
        shards: split -> token shards of the variant's tokenizer; those of train are learned from,
            where a benchmark does that, and never scored.
        annotations: what the index says of the images of these splits at least.
        benchmarks: names of modules of semtok/bench.
        staging: folder to write into.
        emit: told of progress, and of what is left out.
        settings: of benchmarks that have some, by name.
        kept: folder of the vectors that a run of the very same inputs goes on from where it was
            killed; None: it starts again.
        missing_share: of the rows of an official file, how many may be on images that the data set
            lacks (0..1).

    Returns:
        The cases (`cases.CASES`).

    Raises:
        SemtokError: there is no training or no such benchmark, or none that the variant can be
            asked, shards, captions and model do not fit together, or too many images are missing.
    """
    trainings = seed_folders(checkpoint)
    left_out = refusals(checkpoint, benchmarks)
    for name, reason in left_out.items():
        emit(Message(f"{name}: not asked of {checkpoint.name}: {reason}"))
    found = {name: benchmark.find(name) for name in benchmarks if name not in left_out}
    if not found:
        raise SemtokError(
            f"bench.benchmarks: {checkpoint.name} can be asked none of them; add one that fits"
        )
    opened = {split: TokenShards(path) for split, path in shards.items()}
    missing.hold(annotations.folder, found, opened, missing_share, staging, emit)
    parts = [CASES.columns.empty_table()]
    for seed, folder in trainings.items():
        model = Model(folder, kept)
        images = {split: model.open_shards(path) for split, path in shards.items()}
        for data in benchmark.splits_data(images, annotations, settings):
            parts += ask(model, data, found, seed, emit)
    table = pa.concat_tables(parts)
    write_table(staging / "cases.parquet", table, CASES)
    costs.write(staging, costs.of_trainings(list(trainings.values())))
    unasked.write(staging, left_out)
    return table


def refusals(checkpoint: Path, benchmarks: Sequence[str]) -> dict[str, str]:
    """Which benchmarks the trainings of a variant cannot be asked, and why.

    Raises:
        SemtokError: there is no training, or no such benchmark.
    """
    first = next(iter(seed_folders(checkpoint).values()))
    return benchmark.refusals(contestant.of_training(first), benchmarks)


def ask(
    model: Embedder,
    data: SplitData,
    benchmarks: Mapping[str, Benchmark],
    seed: int,
    emit: Emit = ignore,
) -> Iterator[pa.Table]:
    """Put a model to benchmarks on one split.

    Args:
        model: to be scored.
        data: of the split.
        benchmarks: by name.
        seed: of the model's training; 0 where it has none.
        emit: told of progress.

    Returns:
        For each benchmark its cases (`cases.CASES`).
    """
    for name, module in benchmarks.items():
        cases = module.score(model, data, emit)
        for column in sorted({*CASES.columns.names} - _ALWAYS - {*cases.column_names}):
            kind = CASES.columns.field(column).type
            cases = cases.append_column(column, pa.nulls(len(cases), kind))
        yield _label(cases, {"benchmark": name, "split": data.name, "seed": seed})


def seed_folders(checkpoint: Path) -> dict[int, Path]:
    """The trainings of a checkpoint artifact: seed -> folder, by seed.

    Raises:
        SemtokError: there is none.
    """
    prefix = "seed-"
    found = {int(each.name.removeprefix(prefix)): each for each in checkpoint.glob(f"{prefix}*")}
    if not found:
        raise SemtokError(f"{checkpoint}: holds no training; run checkpoint@{checkpoint.name}")
    return dict(sorted(found.items()))


def _label(cases: pa.Table, labels: Mapping[str, str | int]) -> pa.Table:
    for name, value in labels.items():
        kind = CASES.columns.field(name).type
        column = pa.repeat(pa.scalar(value, kind), cases.num_rows)
        cases = cases.append_column(name, column)
    return cases.select(CASES.columns.names).cast(CASES.columns)
