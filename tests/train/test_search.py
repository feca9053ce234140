"""The learning rate is chosen on val, among the same ones for every variant."""

import itertools
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from semtok.errors import SemtokError
from semtok.events import Message, Progress
from semtok.params import TrainSettings
from semtok.tables import write_table
from semtok.train.history import HISTORY
from semtok.train.search import choose
from semtok.train.train import train

RECIPE = TrainSettings(
    steps=12, batch_size=8, learning_rate=1e-3, weight_decay=0.1, warmup=2, clip_norm=1.0,
    seeds=(3,), log_every=5, save_every=4, search=(1e-2, 1e-4),
)  # fmt: skip


RECALLS = ("val/text_to_image_r1", "val/image_to_text_r1")


def history(
    folder: Path, first: float, last: tuple[float, ...], scores: tuple[str, ...] = RECALLS
) -> Path:
    """A checkpoint's folder, of which the search reads the history alone."""
    names = (*scores, "loss")
    rows = [(12, name, value) for name, value in zip(names, (*last, 99.0), strict=True)]
    rows += [(3, name, first) for name in names]
    columns = dict(zip(HISTORY.columns.names, map(list, zip(*rows, strict=True)), strict=True))
    folder.mkdir()
    write_table(folder / "history.parquet", pa.table(columns), HISTORY)
    return folder


@pytest.mark.parametrize(
    ("recalls", "chosen"),
    [
        ({1e-4: (0.1, 0.5), 1e-3: (0.2, 0.2), 1e-2: (0.4, 0.3)}, 1e-2),
        ({1e-4: (0.1, 0.1), 1e-3: (0.3, 0.2), 1e-2: (0.2, 0.3)}, 1e-3),
        ({1e-4: (0.0, 0.0), 1e-3: (0.0, 0.0), 1e-2: (0.0, 0.0)}, 1e-4),
    ],
)
def test_the_best_mean_recall_at_the_last_step_wins(tmp_path, recalls, chosen) -> None:
    number = itertools.count()

    def attempt(recipe: TrainSettings) -> Path:
        before = 0.9 if recipe.learning_rate == 1e-4 else 0.1
        return history(tmp_path / str(next(number)), before, recalls[recipe.learning_rate])

    recipe, found = choose(RECIPE, attempt)
    assert recipe == replace(RECIPE, learning_rate=chosen, search=())
    assert found == {
        str(rate): pytest.approx(sum(recalls[rate]) / 2) for rate in (1e-4, 1e-3, 1e-2)
    }


@pytest.mark.parametrize(
    ("scores", "name"), [(RECALLS, "mean R@1"), (("val/accuracy",), "accuracy")]
)
def test_people_are_told_what_a_rate_is_chosen_by(tmp_path, scores, name) -> None:
    events = []

    def attempt(recipe: TrainSettings) -> Path:
        folder = tmp_path / str(recipe.learning_rate)
        return history(folder, 0.1, (recipe.learning_rate,) * len(scores), scores)

    choose(RECIPE, attempt, events.append)
    assert [each.text for each in events] == [
        f"learning rate {rate:g}: {name} on val {100 * rate:.2f} %" for rate in (1e-4, 1e-3, 1e-2)
    ]


def test_one_rate_is_no_search() -> None:
    for settings in (replace(RECIPE, search=()), replace(RECIPE, search=(1e-3,))):
        assert choose(settings, pytest.fail) == (replace(RECIPE, search=()), {})


def fits(given, root, emit=lambda event: None):
    """A function that trains by a recipe, as the stage does."""

    def attempt(recipe: TrainSettings) -> Path:
        folder = root / str(recipe.learning_rate)
        own = given | {"settings": recipe}
        train(**own, staging=folder / "attempt", resume=folder, emit=emit)
        return folder / "attempt"

    return attempt


def test_a_rate_that_diverges_loses(arguments, tmp_path) -> None:
    recipe = replace(RECIPE, search=(1e38,), clip_norm=1e38, warmup=0, steps=60)
    chosen, found = choose(recipe, fits(arguments("grid"), tmp_path))
    assert chosen.learning_rate == 1e-3
    assert found["1e+38"] is None
    assert found["0.001"] is not None
    hopeless = replace(recipe, learning_rate=1e37)
    with pytest.raises(SemtokError, match=r"diverged at each of 1e\+37, 1e\+38; lower the rates"):
        choose(hopeless, fits(arguments("grid"), tmp_path))


def test_a_killed_search_ends_as_one_that_ran_through(arguments, tmp_path) -> None:
    class KilledError(Exception):
        pass

    steps = itertools.count(1)

    def kill(event) -> None:
        if isinstance(event, Progress) and next(steps) == 19:  # the second rate's seventh
            raise KilledError

    given = arguments("grid")
    through = choose(RECIPE, fits(given, tmp_path / "through"))
    with pytest.raises(KilledError):
        choose(RECIPE, fits(given, tmp_path / "killed", kill))
    events = []
    assert choose(RECIPE, fits(given, tmp_path / "killed", events.append)) == through
    messages = [each.text for each in events if isinstance(each, Message)]
    assert messages == ["training goes on after step 12", "training goes on after step 4"]
    for rate in through[1]:
        one, other = (
            load_file(tmp_path / name / rate / "attempt/model.safetensors")
            for name in ("through", "killed")
        )
        assert all(torch.equal(one[name], other[name]) for name in one)
