"""The learning rate of a variant: each variant tries the same ones and takes its best on val."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pyarrow.compute as pc

from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore
from semtok.params import TrainSettings
from semtok.tables import read_table
from semtok.train.history import HISTORY
from semtok.train.loop import DivergedError

#: What a rate is chosen by: at the last step the mean of both recalls, or a classifier's accuracy.
_ACCURACY = "val/accuracy"
_CHOSEN_BY = ("val/text_to_image_r1", "val/image_to_text_r1", _ACCURACY)


def choose(
    settings: TrainSettings, attempt: Callable[[TrainSettings], Path], emit: Emit = ignore
) -> tuple[TrainSettings, dict[str, float | None]]:
    """Train at every learning rate, and take the one with the best scores on val.

    Every attempt is a full training: the best rate of a short one is too high for a long one. Of
    equally good rates the lowest is taken.

    Args:
        settings: the recipe; `learning_rate` and those of `search` are tried.
        attempt: trains by a recipe and returns the folder of its checkpoint. It is not called
            where there is but one rate.
        emit: told what each rate achieved.

    Returns:
        The recipe with its learning rate chosen; and for each rate that was tried the mean of
        both R@1 on val at the last step, of a classifier its accuracy, 0..1; None where training
        diverged.

    Raises:
        SemtokError: training diverged at every rate.
    """
    recipes = [replace(settings, learning_rate=rate, search=()) for rate in settings.rates]
    if len(recipes) == 1:
        return recipes[0], {}
    found: dict[str, float | None] = {}
    for recipe in recipes:
        try:
            name, score = _score(attempt(recipe))
        except DivergedError:
            found[str(recipe.learning_rate)], what = None, "diverged"
        else:
            found[str(recipe.learning_rate)] = score
            what = f"{name} on val {100 * score:.2f} %"
        emit(Message(f"learning rate {recipe.learning_rate:g}: {what}"))
    scores = [-1.0 if score is None else score for score in found.values()]
    if max(scores) < 0:
        raise SemtokError(
            f"train.search: training diverged at each of {', '.join(found)}; lower the rates "
            "or raise train.warmup"
        )
    return recipes[scores.index(max(scores))], found


def _score(folder: Path) -> tuple[str, float]:
    """What was measured on val at the end of a training: its name, and how much, 0..1."""
    history = read_table(folder / "history.parquet", HISTORY)
    last = history.sort_by("step")
    values = {name: last.filter(pc.equal(last["name"], name))["value"] for name in _CHOSEN_BY}
    found = {name: each[-1].as_py() for name, each in values.items() if len(each)}
    return "accuracy" if _ACCURACY in found else "mean R@1", fmean(found.values())
