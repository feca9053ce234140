"""The pipeline: one short function a stage; `runner.py` runs them."""

import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semtok.events import Emit, Event
from semtok.params import SPLITS, Params
from semtok.report.summary import Summary, preview
from semtok.tables import TableSchema, read_table
from semtok.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa

#: Images on a contact sheet.
_PICTURED = 8


@dataclass(frozen=True)
class Context:
    """What a stage's function is given.

    Attributes:
        partition: the stage's key, empty where it has none.
        staging: empty folder to fill; it replaces `published` when the gate is green.
        published: the artifact as it stands, if it does.
        source: fingerprint of the code that the result depends on.
        provenance: the key, the source, the digests of the inputs and the settings.
        emit: told of messages, progress and metrics.
    """

    params: Params
    workspace: Workspace
    partition: str
    staging: Path
    published: Path
    source: str
    provenance: Mapping[str, Any]
    emit: Emit

    def input(self, stage: str, partition: str | None = None) -> Path:
        """The folder of an upstream artifact."""
        return self.workspace.input(stage, partition)


def _images(context: Context) -> Summary:
    from semtok.data import files

    files.images(context.workspace, context.params, context.staging, context.emit)
    table = read_table(context.staging / "files.parquet", files.FILES)
    return Summary({"files": table.num_rows}, preview(table))


def _index(context: Context) -> Summary:
    from semtok.data import index, indexing

    root, files = _source(context)
    indexing.build(root, files, context.params.data, context.staging, context.emit)
    images = {f"{split} images": index.split_images(context.staging, split) for split in SPLITS}
    captions = read_table(context.staging / "captions.parquet", index.CAPTIONS)
    return Summary(
        {**{name: table.num_rows for name, table in images.items()}, "captions": captions.num_rows},
        preview(captions),
    )


def _masks(context: Context) -> Summary:
    from semtok.extract import masks

    name, images = _extractor(context)
    masks.build(
        *_source(context),
        images,
        context.params.extractors[name],
        context.params.data,
        context.staging,
        context.published,
        context.source,
        context.emit,
    )
    return _pictured(context, images, masks=context.staging, scene_graphs=None)


def _scene_graphs(context: Context) -> Summary:
    from semtok.extract import scene_graphs

    name, images = _extractor(context)
    masks = context.input("masks", context.partition)
    scene_graphs.build(
        *_source(context),
        images,
        masks,
        context.params.extractors[name],
        context.params.data,
        context.staging,
        context.published,
        context.source,
        context.emit,
    )
    return _pictured(context, images, masks=masks, scene_graphs=context.staging)


def _token_shards(context: Context) -> Summary:
    from semtok.report import tokens
    from semtok.tokens import tokenize
    from semtok.tokens.shards import TokenShards

    name, images = _extractor(context)
    reads = context.params.token_shards[context.partition].reads
    extraction = None
    if reads != "images":
        found = reads.removeprefix("extraction/")
        extraction = context.input("masks", found), context.input("scene_graphs", found)
    tokenize.build(
        _root(context),
        images,
        context.params.tokenizers[name],
        extraction,
        context.params.data,
        context.staging,
        context.published,
        context.source,
        context.emit,
    )
    shards = TokenShards(context.staging)
    tokens.draw(shards, context.staging / "preview.png")
    return Summary({"images": len(shards)}, pictures=("preview.png",))


def _checkpoint(context: Context) -> Summary:
    from semtok import machine
    from semtok.report import curves
    from semtok.tracking.live import LiveRun
    from semtok.tracking.training import Training
    from semtok.train import train
    from semtok.train.history import HISTORY

    params, variant = context.params, context.params.variants[context.partition]
    commit = _commit(context.workspace.root)
    histories = {}
    for seed in params.train.seeds:
        folder = context.staging / f"seed-{seed}"
        training = Training(params.data.name, seed, context.provenance, commit)
        with LiveRun(training, context.emit) as live:
            train.train(
                context.input("token_shards", f"{variant.tokenizer}-train"),
                context.input("token_shards", f"{variant.tokenizer}-val"),
                _captions(context),
                variant,
                params.encoder,
                params.text,
                params.train,
                seed,
                folder,
                context.workspace.state("resume", params.data.name, context.partition, str(seed)),
                commit,
                tell_all(context.emit, live),
                machine.probe(),
            )
        histories[f"seed {seed}"] = read_table(folder / "history.parquet", HISTORY)
    curves.draw(histories, context.staging / "preview.png")
    return Summary({"trainings": len(histories)}, pictures=("preview.png",))


def _scores(context: Context) -> Summary:
    from semtok.bench import cases, scoring

    bench = context.params.bench
    tokenizer = context.params.variants[context.partition].tokenizer
    checkpoint = context.input("checkpoint", context.partition)
    table = scoring.score(
        checkpoint,
        {split: context.input("token_shards", f"{tokenizer}-{split}") for split in bench.splits},
        _captions(context),
        bench.benchmarks,
        context.staging,
        context.emit,
    )
    # The leaderboard draws the curves of all variants and reads nothing but scores.
    for seed, folder in scoring.seed_folders(checkpoint).items():
        shutil.copyfile(folder / "history.parquet", context.staging / _history(seed))
    return Summary(_flat(cases.metrics(table)), preview(table))


def _leaderboard(context: Context) -> Summary:
    from semtok.bench import leaderboard
    from semtok.report import chart, curves
    from semtok.report import leaderboard as text
    from semtok.train.history import HISTORY

    variants = context.params.variants

    board = leaderboard.build(
        {name: context.input("scores", name) for name in variants},
        context.params.bench.baseline,
        context.params.bench.bootstrap,
        context.params.bench.confidence,
    )
    leaderboard.write(board, context.staging)
    text.write(board, context.staging / "leaderboard.md")
    chart.draw(board, context.staging / "chart.png")
    first = _history(context.params.train.seeds[0])
    histories = {name: context.input("scores", name) / first for name in board.costs}
    curves.draw(
        {name: read_table(path, HISTORY) for name, path in histories.items()},
        context.staging / "curves.png",
    )
    table = (context.staging / "leaderboard.md").read_text(encoding="utf-8")
    return Summary({"variants": len(board.costs)}, table, ("chart.png", "curves.png"))


WORK: dict[str, Callable[[Context], Summary]] = {
    "images": _images,
    "index": _index,
    "masks": _masks,
    "scene_graphs": _scene_graphs,
    "token_shards": _token_shards,
    "checkpoint": _checkpoint,
    "scores": _scores,
    "leaderboard": _leaderboard,
}


def _root(context: Context) -> Path:
    from semtok.data import files

    return files.root(context.workspace, context.params.data)


def _source(context: Context) -> tuple[Path, "pa.Table"]:
    """The data root, and the list of its files by hash."""
    from semtok.data import files

    listed = read_table(context.input("images") / "files.parquet", files.FILES)
    return _root(context), listed


def _extractor(context: Context) -> tuple[str, "pa.Table"]:
    """The name in `NAME-SPLIT`, and the images of the split."""
    from semtok.data import index

    name, _, split = context.partition.rpartition("-")
    return name, index.split_images(context.input("index"), split)


def _captions(context: Context) -> "pa.Table":
    from semtok.data import index

    return read_table(context.input("index") / "captions.parquet", index.CAPTIONS)


def _pictured(
    context: Context, images: "pa.Table", masks: Path, scene_graphs: Path | None
) -> Summary:
    """Draw the first images of a partition with what was found in them."""
    from semtok.extract.masks import MASKS
    from semtok.extract.scene_graphs import SCENE_GRAPHS
    from semtok.report import overlay

    found = _shards(masks, MASKS)
    relations = _shards(scene_graphs, SCENE_GRAPHS) if scene_graphs else None
    overlay.draw(
        images.slice(0, _PICTURED),
        _root(context),
        found,
        SCENE_GRAPHS.columns.empty_table() if relations is None else relations,
        context.staging / "preview.png",
    )
    numbers = {"images": images.num_rows, "masks": found.num_rows}
    if relations is not None:
        numbers["relations"] = relations.num_rows
    table = found if relations is None else relations
    return Summary(numbers, preview(table), ("preview.png",))


def _shards(folder: Path, schema: TableSchema) -> "pa.Table":
    import pyarrow as pa

    return pa.concat_tables(
        read_table(path, schema) for path in sorted(folder.glob("[0-9]*.parquet"))
    )


def _commit(root: Path) -> dict[str, Any]:
    """The commit that a training starts from, and whether code or settings differ from it.

    A new file counts as a difference. Both are None where there is no repository.
    """

    def git(*command: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--", "semtok", "params.yaml", "dvc.yaml")
    return {"commit": commit or None, "dirty": bool(changed) if commit else None}


def tell_all(*listeners: Emit) -> Emit:
    """One listener that tells several."""

    def emit(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return emit


def _history(seed: int) -> str:
    return f"history-seed-{seed}.parquet"


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in values.items():
        key = f"{prefix} {name}".strip()
        flat |= _flat(value, key) if isinstance(value, Mapping) else {key: value}
    return flat
