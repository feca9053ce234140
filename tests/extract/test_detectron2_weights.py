"""Files of weights that are pickles: numbers are read, nothing is run."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from semtok.errors import SemtokError
from semtok.extract.detectron2.weights import read_weights

WEIGHTS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.float32([1, 2])}


class Command:
    """Runs something where a pickle of it is read carelessly."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("run-by-a-pickle"),)


def pickled(path: Path, content: object) -> Path:
    with path.open("wb") as stream:
        pickle.dump(content, stream, protocol=2)
    return path


@pytest.mark.parametrize("suffix", [".pkl", ".pth", ".safetensors"])
def test_weights_are_read(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    tensors = {name: torch.from_numpy(each) for name, each in WEIGHTS.items()}
    if suffix == ".pkl":
        pickled(path, {"model": WEIGHTS, "__author__": "zoo", "iteration": np.int64(3)})
    elif suffix == ".pth":
        torch.save({"model": tensors, "iteration": 3}, path)
    else:
        save_file(tensors, path)
    found = read_weights(path, "weights")
    assert found.keys() == WEIGHTS.keys()
    for name, each in WEIGHTS.items():
        np.testing.assert_array_equal(found[name].numpy(), each)


@pytest.mark.parametrize("suffix", [".pkl", ".pth"])
def test_a_file_that_would_run_something_is_refused(tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"model{suffix}"
    content = {"model": {"a": Command()}}
    if suffix == ".pkl":
        pickled(path, content)
    else:
        torch.save(content, path)
    with pytest.raises(SemtokError, match="no weights that can be read safely") as refused:
        read_weights(path, "weights")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run-by-a-pickle").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [([1, 2], "holds no weights by name"), ({"model": {"a": "text"}}, "holds no weights by name")],
)
def test_what_holds_no_weights_is_refused(tmp_path, content, said):
    with pytest.raises(SemtokError, match=said):
        read_weights(pickled(tmp_path / "model.pkl", content), "weights")


def test_a_cut_file_is_refused(tmp_path):
    path = pickled(tmp_path / "model.pkl", {"model": WEIGHTS})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SemtokError, match="no weights that can be read safely"):
        read_weights(path, "weights")
