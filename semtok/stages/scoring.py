"""The stages that ask models the benchmarks, and the leaderboard of what came of it."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semtok import pipeline
from semtok.context import Context
from semtok.report.summary import Summary, flat, preview
from semtok.tables import write_table
from semtok.workspace import fingerprint

if TYPE_CHECKING:
    from semtok.bench.outside import Source


def scores(context: Context) -> Summary:
    """Ask the trainings of a variant, and draw what they look at."""
    from semtok.bench import benchmark, cases, costs, editions, leaderboard, scoring
    from semtok.data import index
    from semtok.report import looks

    bench = context.params.bench
    editions.hold(context.input("index"), bench.checksums)
    variant = context.params.variants[context.partition]
    tokenizer = variant.tokenizer
    checkpoint = context.input("checkpoint", context.partition)
    shards = {
        split: context.input("token_shards", f"{tokenizer}-{split}") for split in bench.splits
    }
    train = context.input("token_shards", f"{tokenizer}-{benchmark.TRAIN}")
    table = scoring.score(
        checkpoint,
        {benchmark.TRAIN: train, **shards},
        index.annotations(context.input("index")),
        bench.benchmarks,
        context.staging,
        context.emit,
        bench.settings,
        _kept(context),
        bench.missing_share,
    )
    tokens = context.input("token_shards", f"{tokenizer}-val")
    costs.add_extraction(context.staging, tokens, variant)
    # The leaderboard draws the curves of all variants and reads nothing but scores.
    trainings = scoring.seed_folders(checkpoint)
    for seed, folder in trainings.items():
        target = leaderboard.history(context.staging, seed)
        shutil.copyfile(folder / "history.parquet", target)
    shares, pictures = _background(context, trainings, shards)
    first, captions = next(iter(trainings.values())), context.captions()
    pictures += looks.draw(context.partition, variant, first, tokens, captions, context.staging)
    pictures += _faithfulness(context, first, tokens)
    return Summary({**flat(cases.metrics(table)), **shares}, preview(table), pictures)


def outside_scores(context: Context) -> Summary:
    """Ask a model that lies in a folder."""
    from semtok.bench import outside_folders

    folder = context.workspace.root / context.params.models[context.partition].folder
    return _ask_outside(context, outside_folders.of_folder(folder))


def remote_scores(context: Context) -> Summary:
    """Ask a model of the hub or a registered version."""
    from semtok.bench import outside_hub
    from semtok.tracking import version_source

    model = context.params.remote_models[context.partition]
    if model.registered:
        return _ask_outside(context, version_source.of_version(model.registered, context.emit))
    return _ask_outside(context, outside_hub.of_hub(model.hub, model.revision, context.emit))


def leaderboard(context: Context) -> Summary:
    """Put all that was scored side by side."""
    from semtok.bench import leaderboard
    from semtok.report import charts
    from semtok.report import leaderboard as text

    params = context.params
    names = (*params.variants, *params.outside_models)
    scores = {name: context.input(*pipeline.scores_of(params, name)) for name in names}
    board = leaderboard.build(
        scores,
        params.bench.baseline,
        params.bench.bootstrap,
        params.bench.confidence,
        params.outside_models,
    )
    leaderboard.write(board, context.staging)
    text.write(board, context.staging / "leaderboard.md")
    charts.draw(board, params, scores, context.staging)
    table = (context.staging / "leaderboard.md").read_text(encoding="utf-8")
    numbers = {"variants": len(board.costs), "outside models": len(board.outside)}
    return Summary(numbers, table, charts.names(params))


def transmission(context: Context) -> Summary:
    """Send patches over a channel, the most attended first."""
    from semtok.bench import rate_distortion, transmission
    from semtok.report import transmission as report

    settings = context.params.transmission[context.partition]
    train, test = (
        context.input("token_shards", f"{settings.tokenizer}-{split}")
        for split in ("train", "test")
    )
    trained = context.input("checkpoint", settings.variant) / f"seed-{settings.seed}"
    sent = rate_distortion.build(
        trained, train, test, context.input("index"), settings, context.emit
    )
    write_table(context.staging / transmission.NAME, sent.table, transmission.RATE_DISTORTION)
    report.draw(sent.table, context.staging / "rate_distortion.png")
    report.draw_pictures(sent.originals, sent.drawn, context.staging / "pictures.png")
    told = {report.SHOWN: transmission.metrics(sent.table)[report.SHOWN]}
    return Summary(flat(told), preview(sent.table), ("rate_distortion.png", "pictures.png"))


def _ask_outside(context: Context, source: "Source") -> Summary:
    from semtok.bench import benchmark, cases, editions, outside_scoring
    from semtok.bench.image_files import ImageFiles
    from semtok.data import index

    params, indexed = context.params, context.input("index")
    editions.hold(indexed, params.bench.checksums)
    splits = (benchmark.TRAIN, *params.bench.splits)
    table = outside_scoring.score(
        source,
        {split: ImageFiles(context.root, indexed, split) for split in splits},
        index.annotations(indexed),
        params.bench.benchmarks,
        context.staging,
        _kept(context, source.origin),
        context.emit,
        params.bench.settings,
        params.bench.missing_share,
    )
    return Summary(flat(cases.metrics(table)), preview(table))


def _kept(context: Context, *origin: Mapping[str, Any]) -> Path:
    """Where the vectors are kept that scoring goes on from.

    A run that was killed, or whose gate was red, goes on, if it is of the very same inputs; else
    what it left is of no use, and is removed.

    Args:
        context: of the stage, whose provenance says what it reads.
        origin: of a model that was trained elsewhere (`Source.origin`).
    """
    from semtok.bench import kept_vectors

    decisive = [context.provenance, kept_vectors.libraries(), *origin]
    inputs = fingerprint(json.dumps(decisive, sort_keys=True))
    kept = context.workspace.state("kept", context.stage, context.partition)
    for other in kept.glob("*"):
        if other.name != inputs:
            shutil.rmtree(other)
    return kept / inputs


def _faithfulness(context: Context, training: Path, tokens: Path) -> tuple[str, ...]:
    """What removing tokens of val's images does to a training, where the benchmark is asked."""
    from semtok.bench import benchmark, faithfulness, unasked
    from semtok.bench.embedding import Model
    from semtok.data import index
    from semtok.report import faithfulness as report

    bench = context.params.bench
    asked = {"faithfulness"} & {*bench.benchmarks}
    if asked <= {*unasked.read(context.staging)}:
        return ()
    model, annotations = Model(training), index.annotations(context.input("index"))
    shards = model.open_shards(tokens)
    data = benchmark.split_data("val", shards, annotations, bench.settings)
    found = faithfulness.explained(model, data, images=3, of=64)
    patch_size = context.params.variants[context.partition].patch_size
    report.draw(found, patch_size, context.staging / "faithfulness.png")
    return ("faithfulness.png",)


def _background(
    context: Context, trainings: Mapping[int, Path], shards: Mapping[str, Path]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """How much of its attention a variant spends on the background, where its tokens tell that."""
    from semtok.bench import background
    from semtok.report import heat_maps

    measured = background.measure(trainings, shards)
    if measured is None:
        return {}, ()
    write_table(context.staging / "background.parquet", measured, background.BACKGROUND)
    first = background.heat_maps(next(iter(trainings.values())), shards["val"], images=4)
    heat_maps.draw({context.partition: first}, context.staging / "heat_maps.png")
    means = background.means(measured).items()
    return {f"attention on background, {name}": each for name, each in means}, ("heat_maps.png",)
