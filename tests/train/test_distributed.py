"""Two processes train as one does with the same batches."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tables import read_table
from semtok.tokens import loader
from semtok.tokens.shards import TokenShards
from semtok.train import distributed, resume
from semtok.train.history import HISTORY
from semtok.train.loss import info_nce, part_of_info_nce
from semtok.train.train import train

#: Trains in each process; where those but the first would write there is nothing afterwards.
TRAINS = """
import pickle, sys
from pathlib import Path
import torch
from semtok.train import processes
from semtok.train.train import train

torch.set_num_threads(1)
arguments = pickle.loads(Path(sys.argv[1]).read_bytes())
if not processes.leads():
    arguments["staging"] /= "nowhere"
train(**arguments)
"""

RECIPE = {"steps": 12, "save_every": 4, "log_every": 1}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**20), parts=st.integers(1, 4), rows=st.integers(1, 3))
def test_parts_of_the_loss_make_the_whole_and_its_gradient(seed, parts, rows) -> None:
    random = torch.Generator().manual_seed(seed)

    def vectors() -> torch.Tensor:
        drawn = torch.randn(parts * rows, 5, generator=random, dtype=torch.float64)
        return F.normalize(drawn, dim=1).requires_grad_()

    images, texts = vectors(), vectors()
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    own = [
        part_of_info_nce(
            images[first : first + rows], texts[first : first + rows], images, texts, first, scale
        )
        for first in range(0, parts * rows, rows)
    ]
    mean, whole = torch.stack(own).mean(), info_nce(images, texts, scale)
    torch.testing.assert_close(mean, whole, rtol=1e-12, atol=1e-12)
    wanted = torch.autograd.grad(whole, (images, texts, scale))
    found = torch.autograd.grad(mean, (images, texts, scale))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


@settings(max_examples=10, deadline=None)
@given(step=st.integers(0, 9), seed=st.integers(0, 99), parts=st.sampled_from([1, 2, 4]))
def test_the_parts_of_a_batch_are_the_batch(arguments, step, seed, parts) -> None:
    shards = TokenShards(arguments("grid")["train_shards"])

    def ids(part: int, parts: int) -> np.ndarray:
        return next(loader.batches(shards, 8, seed, step, part, parts))[1].image_ids

    together = np.concatenate([ids(part, parts) for part in range(parts)])
    np.testing.assert_array_equal(together, ids(0, 1))


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "WORLD_SIZE": "3"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SemtokError, match=r"train\.batch_size: 8 images cannot be shared by 3"):
        distributed.join(8)


@pytest.mark.slow
def test_two_processes_have_the_loss_curve_of_one(arguments, tmp_path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    given = arguments("semantic", **RECIPE)
    train(**given, staging=one, resume=one / "resume")
    together(given, two)
    expected, found = curve(one), curve(two)
    assert expected.keys() == found.keys()
    assert {"loss", "gradient_norm", "val/loss"} <= {name for _, name in expected}
    for key, value in expected.items():
        if not key[1].endswith("_r1"):  # which jump where two images change places
            assert found[key] == pytest.approx(value, rel=1e-5, abs=1e-5), key
    # The first alone writes.
    assert not (two / "nowhere").exists()
    assert sorted(path.name for path in two.iterdir()) == sorted(p.name for p in one.iterdir())


@pytest.mark.slow
def test_two_processes_go_on_where_one_was_stopped(arguments, tmp_path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    given = arguments("auxiliary", **RECIPE)  # whose processes have unequal numbers of relations

    class StoppedError(Exception):
        pass

    def stop(event: object) -> None:
        if getattr(event, "done", None) == 10:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(**given, staging=two, resume=two / "resume", emit=stop)
    assert (two / "resume" / resume._FILE).exists()
    together(given, two)
    train(**given, staging=one, resume=one / "resume")
    expected, found = curve(one), curve(two)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-5, abs=1e-5), key
        # The first eight steps are those that one process had made.
        assert found[key] == value or key[0] > 8


def together(given: dict, folder) -> None:
    """Train in two processes."""
    folder.mkdir(exist_ok=True)
    script, told = folder.parent / "trains.py", folder.parent / "arguments.pickle"
    script.write_text(TRAINS)
    told.write_bytes(pickle.dumps(given | {"staging": folder, "resume": folder / "resume"}))
    launch = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, "-m", *launch, str(script), str(told)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def curve(folder) -> dict[tuple[int, str], float]:
    table = read_table(folder / "history.parquet", HISTORY)
    rows = table.to_pylist()
    return {
        (row["step"], row["name"]): row["value"]
        for row in rows
        if row["name"] != "images_per_second"
    }


def test_batch_norms_are_refused_where_processes_would_see_a_part_each(monkeypatch) -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.BatchNorm2d(4))
    assert distributed.replicated(model) is model
    for name, value in {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2", "RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SemtokError, match=r"has batch norms.*train it in one process"):
        distributed.replicated(model)
