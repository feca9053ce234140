"""The stage that trains a variant, once for each seed."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from semtok.context import Context
from semtok.events import Emit, Message, tell_all
from semtok.params import TrainSettings
from semtok.report.summary import Summary
from semtok.tables import read_table


def checkpoint(context: Context) -> Summary:
    """Train a variant at the learning rate that does best on val."""
    from semtok import machine
    from semtok.report import curves
    from semtok.tracking.live import LiveRun
    from semtok.tracking.training import Training, commit
    from semtok.train import earlier, processes, search, train
    from semtok.train.history import HISTORY

    params, variant = context.params, context.params.variants[context.partition]
    seeds = params.train.seeds
    started_from = commit(context.workspace.root)

    tower = params.text.folder(context.workspace.root)
    inputs = (
        context.input("token_shards", f"{variant.tokenizer}-train"),
        context.input("token_shards", f"{variant.tokenizer}-val"),
        context.captions(),
        variant,
        params.encoder,
        replace(params.text, tower=str(tower)) if tower else params.text,
    )

    def resume(seed: int, recipe: TrainSettings) -> Path:
        key = (params.data.name, context.partition, str(seed), str(recipe.learning_rate))
        return context.workspace.state("resume", *key)

    def fit(seed: int, recipe: TrainSettings, folder: Path, tried: object, emit: Emit) -> Path:
        train.train(
            *inputs,
            recipe,
            seed,
            folder,
            resume(seed, recipe),
            context.source,
            {**started_from, "search": tried, "searched_with": seeds[0] if tried else None},
            emit,
            machine.probe(),
        )
        return folder

    def attempt(recipe: TrainSettings) -> Path:
        # Beside its resume state, from which the rate that is chosen goes on at its last step.
        folder = resume(seeds[0], recipe) / "attempt"
        return fit(seeds[0], recipe, folder, {}, context.emit)

    kept, same = earlier.Earlier(), earlier.premises(*inputs, params.train, context.source)
    # Of several processes the first may have published before another one looks.
    if processes.count() == 1:
        kept = earlier.find(context.published, same, seeds[0], params.train.rates)
    tried: Mapping[str, float | None] = kept.tried
    if kept.folders:
        recipe = replace(params.train, learning_rate=kept.rate, search=())
    else:
        recipe, tried = search.choose(params.train, attempt, context.emit)
    known = {**started_from, "premises": same, "learning_rate": recipe.learning_rate}
    histories = {}
    for seed in seeds:
        folder = context.staging / f"seed-{seed}"
        if seed in kept.folders:
            context.emit(Message(f"seed {seed}: kept, as all that it depends on is as it was"))
            shutil.copytree(kept.folders[seed], folder)
            histories[f"seed {seed}"] = read_table(folder / "history.parquet", HISTORY)
            continue
        if not processes.leads():
            fit(seed, recipe, folder, tried, context.emit)
            continue
        training = Training(params.data.name, seed, context.provenance, known)
        with LiveRun(training, context.emit) as live:
            fit(seed, recipe, folder, tried, tell_all(context.emit, live))
        histories[f"seed {seed}"] = read_table(folder / "history.parquet", HISTORY)
    if histories:
        curves.draw(histories, context.staging / "preview.png")
    numbers = {"trainings": len(histories), "learning rate": recipe.learning_rate}
    return Summary(numbers, pictures=("preview.png",))
