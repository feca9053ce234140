import os
import pickle
import signal
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from semtok.events import Message, Progress
from semtok.tables import read_table
from semtok.train import resume
from semtok.train.history import HISTORY
from semtok.train.train import train

STEPS = 12

#: Trains in a process of its own, and kills it for good at a step or in the midst of a save.
KILLED = """
import os, pickle, signal, sys
import torch
from safetensors.torch import save_file
from semtok.events import Progress
from semtok import tensors as at_rest
from semtok.train.train import train

arguments, threads, moment = pickle.load(sys.stdin.buffer)
torch.set_num_threads(threads)
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
def emit(event):
    if isinstance(event, Progress) and event.done == moment:
        die()
    if isinstance(event, Progress) and moment == "save" and event.done == 8:
        at_rest.save_file = torn
def torn(tensors, path, metadata):
    save_file(tensors, path, metadata)
    os.truncate(path, path.stat().st_size // 2)
    die()
train(**arguments, emit=emit)
"""


class KilledError(Exception):
    pass


def killer(step: int):
    def emit(event) -> None:
        if isinstance(event, Progress) and event.done == step:
            raise KilledError

    return emit


@pytest.fixture(scope="module")
def uninterrupted(arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(**arguments(steps=STEPS), staging=folder, resume=folder / "resume")
    return folder


def assert_same(folder, uninterrupted) -> None:
    one, other = (load_file(each / "model.safetensors") for each in (folder, uninterrupted))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    histories = []
    for each in (folder, uninterrupted):
        rows = read_table(each / "history.parquet", HISTORY).to_pylist()
        histories.append([row for row in rows if row["name"] != "images_per_second"])
    assert histories[0] == histories[1]


@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(kills=st.lists(st.integers(1, STEPS), min_size=1, max_size=3))
def test_interrupted_anywhere_it_ends_the_same(
    kills, arguments, uninterrupted, tmp_path_factory
) -> None:
    folder = tmp_path_factory.mktemp("interrupted")
    given = arguments(steps=STEPS) | {"staging": folder, "resume": folder / "resume"}
    for step in kills:
        # After a later kill the state is beyond this step, and the training runs through.
        try:
            train(**given, emit=killer(step))
        except KilledError:
            continue
    train(**given)
    assert_same(folder, uninterrupted)


@pytest.mark.slow
def test_killed_for_good_it_ends_the_same(arguments, uninterrupted, tmp_path) -> None:
    given = arguments(steps=STEPS) | {"staging": tmp_path, "resume": tmp_path / "resume"}
    for moment in ("save", 10):
        work = pickle.dumps((given, torch.get_num_threads(), moment))
        ended = subprocess.run([sys.executable, "-c", KILLED], input=work, check=False)
        assert ended.returncode == -signal.SIGKILL
        assert not (tmp_path / "model.safetensors").exists()
        # The kill in the midst of the second save leaves the first state whole.
        with safe_open(tmp_path / "resume" / "state.safetensors", framework="pt") as state:
            assert state.metadata()["step"] == {"save": "4", 10: "8"}[moment]
    messages = []
    train(**given, emit=messages.append)
    assert Message("training goes on after step 8") in messages
    assert_same(tmp_path, uninterrupted)


def test_a_finished_training_is_not_repeated(arguments, uninterrupted, tmp_path) -> None:
    events = []
    given = arguments(steps=STEPS) | {"staging": tmp_path, "resume": uninterrupted / "resume"}
    train(**given, emit=events.append)
    assert events == [Message(f"training goes on after step {STEPS}")]
    assert_same(tmp_path, uninterrupted)


@pytest.mark.parametrize(
    "change", [{"learning_rate": 1e-3}, {"steps": STEPS + 4}, {"clip_norm": 0.5}]
)
def test_a_state_of_other_settings_is_ignored(change, arguments, tmp_path) -> None:
    first = {"staging": tmp_path, "resume": tmp_path / "resume", "emit": killer(5)}
    with pytest.raises(KilledError):
        train(**arguments(steps=STEPS), **first)
    assert (tmp_path / "resume" / "state.safetensors").exists()
    events = []
    given = arguments(**{"steps": STEPS} | change)
    train(**given, **first | {"emit": events.append})
    assert not [each for each in events if isinstance(each, Message)]
    assert next(each.done for each in events if isinstance(each, Progress)) == 1


def test_a_damaged_state_is_ignored(arguments, uninterrupted, tmp_path) -> None:
    given = arguments(steps=STEPS) | {"staging": tmp_path, "resume": tmp_path / "resume"}
    with pytest.raises(KilledError):
        train(**given, emit=killer(9))
    state = tmp_path / "resume" / "state.safetensors"
    os.truncate(state, state.stat().st_size // 2)
    train(**given)
    assert_same(tmp_path, uninterrupted)


def test_random_numbers_go_on_where_they_were(tmp_path) -> None:
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    resume.save(tmp_path, "same", resume.Position(7), model, optimizer)
    expected = torch.rand(3)
    position = resume.load(tmp_path, "same", model, optimizer)
    assert position == resume.Position(7)
    assert torch.equal(torch.rand(3), expected)
