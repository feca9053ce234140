"""The pipeline: one short function a stage; `runner.py` runs them."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semtok import pipeline
from semtok.context import Context
from semtok.events import Emit, tell_all
from semtok.json_files import read_json
from semtok.params import ANNOTATED, FETCHED, TrainSettings
from semtok.report.summary import Summary, preview
from semtok.tables import read_table, write_table
from semtok.workspace import fingerprint

if TYPE_CHECKING:
    from semtok.bench.outside import Source


def _images(context: Context) -> Summary:
    from semtok.data import files

    data = context.params.data
    if data.source == FETCHED and not files.is_made(data):
        from semtok.data.download.fetch import fetch

        fetch(context.root, data.fetch, context.params.download.mirror, context.emit)
    files.images(context.workspace, context.params, context.staging, context.emit)
    table = read_table(context.staging / "files.parquet", files.FILES)
    return Summary({"files": table.num_rows}, preview(table))


def _index(context: Context) -> Summary:
    from semtok.data import index, indexing, leakage

    indexing.build(
        context.root, context.files(), context.params.data, context.staging, context.emit
    )
    images = {
        f"{split} images": index.split_images(context.staging, split)
        for split in context.params.data.splits
    }
    captions = read_table(context.staging / "captions.parquet", index.CAPTIONS)
    shared = {
        f"{each.source}'s images in {split}": getattr(each, split)
        for each in leakage.overlaps(context.root)
        for split in ("train", "test")
    }
    counts = {name: table.num_rows for name, table in images.items()}
    return Summary({**counts, "captions": captions.num_rows, **shared}, preview(captions))


def _detector(context: Context) -> Summary:
    from semtok.extract.detector import stage
    from semtok.report import extraction

    settings = context.params.detectors[context.partition]
    val = context.images("val")
    extractor = context.params.extractors[ANNOTATED]
    found = stage.build(context.images("train"), val, context.files(), extractor, settings)
    numbers = _measured(context)
    return extraction.draw_found(val, found, None, numbers)


def _relation_model(context: Context) -> Summary:
    from semtok.extract.relation_model import stage
    from semtok.report import extraction

    settings = context.params.relation_models[context.partition]
    val = context.images("val")
    extractor, train = context.params.extractors[ANNOTATED], context.images("train")
    masks, relations = stage.build(train, val, context.files(), extractor, settings)
    numbers = _measured(context)
    return extraction.draw_found(val, masks, relations, numbers)


def _masks(context: Context) -> Summary:
    from semtok.extract import annotated_categories, cost, masks
    from semtok.report import extraction

    partition = context.images()
    extractor = context.params.extractors[context.name]
    model = context.model("masks")
    masks.build(partition, context.files(), extractor, model)
    elsewhere = masks.cost(extractor, partition.project)
    cost.hand_down({"masks": model}, context.staging, elsewhere)
    if elsewhere:
        kept = context.workspace.state("annotated_categories")
        annotated_categories.hand_down(context.root, context.files(), context.staging, kept)
    return extraction.draw(partition, context.staging, scene_graphs=None)


def _scene_graphs(context: Context) -> Summary:
    from semtok.extract import annotated_predicates, cost, scene_graphs
    from semtok.report import extraction

    partition, masks = context.images(), context.input("masks", context.partition)
    extractor = context.params.extractors[context.name]
    model = context.model("scene_graphs")
    scene_graphs.build(partition, context.files(), masks, extractor, model)
    cost.hand_down({"scene_graphs": model}, context.staging)
    annotated_predicates.hand_down(model, context.staging)
    return extraction.draw(partition, masks, context.staging)


def _extraction_scores(context: Context) -> Summary:
    from semtok.extract import extraction_scores
    from semtok.extract.corruptions import CLEAN
    from semtok.report import severity_curves

    params = context.params
    truth = params.extraction_scores[context.partition].truth.removeprefix("extraction/")
    table = extraction_scores.build(
        context.images(),
        context.files(),
        params.extractors[context.name],
        (context.model("masks"), context.model("scene_graphs")),
        (context.input("masks", truth), context.input("scene_graphs", truth)),
        params.corruption.severities,
    )
    severity_curves.draw(table, context.staging / "preview.png")
    clean = extraction_scores.metrics(table)[str(CLEAN)]
    return Summary(clean, preview(table), ("preview.png",))


def _token_shards(context: Context) -> Summary:
    from semtok.extract import cost
    from semtok.report import tokens
    from semtok.tokens import tokenize
    from semtok.tokens.shards import TokenShards

    reads = context.params.token_shards[context.partition].reads
    extraction = None
    if reads != "images":
        found = reads.removeprefix("extraction/")
        extraction = context.input("masks", found), context.input("scene_graphs", found)
    corruption = context.params.corruption
    corrupted = context.partition.rpartition("-")[2] in corruption.splits
    severities = corruption.severities if corrupted else ()
    tokenizer = context.params.tokenizers[context.name]
    partition = context.images()
    tokenize.build(partition, tokenizer, extraction, severities)
    sources = zip(("masks", "scene_graphs"), extraction or (), strict=False)
    cost.hand_down(dict(sources), context.staging, tokenize.cost(tokenizer, partition.project))
    shards = TokenShards(context.staging)
    tokens.draw(shards, context.staging / "preview.png")
    return Summary({"images": len(shards)}, pictures=("preview.png",))


def _checkpoint(context: Context) -> Summary:
    from semtok import machine
    from semtok.report import curves
    from semtok.tracking.live import LiveRun
    from semtok.tracking.training import Training, commit
    from semtok.train import processes, search, train
    from semtok.train.history import HISTORY

    params, variant = context.params, context.params.variants[context.partition]
    seeds = params.train.seeds
    started_from = commit(context.workspace.root)

    def resume(seed: int, recipe: TrainSettings) -> Path:
        key = (params.data.name, context.partition, str(seed), str(recipe.learning_rate))
        return context.workspace.state("resume", *key)

    def fit(seed: int, recipe: TrainSettings, folder: Path, tried: object, emit: Emit) -> Path:
        train.train(
            context.input("token_shards", f"{variant.tokenizer}-train"),
            context.input("token_shards", f"{variant.tokenizer}-val"),
            context.captions(),
            variant,
            params.encoder,
            params.text,
            recipe,
            seed,
            folder,
            resume(seed, recipe),
            context.source,
            {**started_from, "search": tried},
            emit,
            machine.probe(),
        )
        return folder

    def attempt(recipe: TrainSettings) -> Path:
        # Beside its resume state, from which the rate that is chosen goes on at its last step.
        folder = resume(seeds[0], recipe) / "attempt"
        return fit(seeds[0], recipe, folder, {}, context.emit)

    recipe, tried = search.choose(params.train, attempt, context.emit)
    histories = {}
    for seed in seeds:
        folder = context.staging / f"seed-{seed}"
        if not processes.leads():
            fit(seed, recipe, folder, tried, context.emit)
            continue
        training = Training(params.data.name, seed, context.provenance, started_from)
        with LiveRun(training, context.emit) as live:
            fit(seed, recipe, folder, tried, tell_all(context.emit, live))
        histories[f"seed {seed}"] = read_table(folder / "history.parquet", HISTORY)
    if histories:
        curves.draw(histories, context.staging / "preview.png")
    numbers = {"trainings": len(histories), "learning rate": recipe.learning_rate}
    return Summary(numbers, pictures=("preview.png",))


def _scores(context: Context) -> Summary:
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
    return Summary({**_flat(cases.metrics(table)), **shares}, preview(table), pictures)


def _faithfulness(context: Context, training: Path, tokens: Path) -> tuple[str, ...]:
    """What removing tokens of val's images does to a training, where the benchmark is asked."""
    from semtok.bench import benchmark, faithfulness, unasked
    from semtok.bench.embedding import Model
    from semtok.data import index
    from semtok.report import faithfulness as report

    asked = {"faithfulness"} & {*context.params.bench.benchmarks}
    if asked <= {*unasked.read(context.staging)}:
        return ()
    model, annotations = Model(training), index.annotations(context.input("index"))
    data = benchmark.split_data("val", model.open_shards(tokens), annotations)
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


def _outside_scores(context: Context) -> Summary:
    from semtok.bench import outside_folders

    folder = context.workspace.root / context.params.models[context.partition].folder
    return _ask_outside(context, outside_folders.of_folder(folder))


def _remote_scores(context: Context) -> Summary:
    from semtok.bench import outside_hub
    from semtok.tracking import version_source

    model = context.params.remote_models[context.partition]
    if model.registered:
        return _ask_outside(context, version_source.of_version(model.registered, context.emit))
    return _ask_outside(context, outside_hub.of_hub(model.hub, model.revision, context.emit))


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
    )
    return Summary(_flat(cases.metrics(table)), preview(table))


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


def _transmission(context: Context) -> Summary:
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
    return Summary(_flat(told), preview(sent.table), ("rate_distortion.png", "pictures.png"))


def _leaderboard(context: Context) -> Summary:
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


WORK: dict[str, Callable[[Context], Summary]] = {
    "images": _images,
    "index": _index,
    "detector": _detector,
    "masks": _masks,
    "relation_model": _relation_model,
    "scene_graphs": _scene_graphs,
    "extraction_scores": _extraction_scores,
    "token_shards": _token_shards,
    "checkpoint": _checkpoint,
    "scores": _scores,
    "outside_scores": _outside_scores,
    "remote_scores": _remote_scores,
    "transmission": _transmission,
    "leaderboard": _leaderboard,
}


def _measured(context: Context) -> dict[str, float]:
    """How good and how dear the model is that the stage has just trained."""
    quality, cost = (read_json(context.staging / f"{name}.json") for name in ("quality", "cost"))
    return {**quality, **_flat(cost)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in values.items():
        key = f"{prefix} {name}".strip()
        flat |= _flat(value, key) if isinstance(value, Mapping) else {key: value}
    return flat
