"""Files of weights: tensors are read, nothing is run."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from semtok.errors import SemtokError
from semtok.extract.detectron2.weights import read_weights

WEIGHTS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.tensor([1.0, 2.0])}


class Command:
    """Runs something where a pickle of it is read carelessly."""

    def __reduce__(self) -> tuple:
        return Path.touch, (Path("run-by-a-pickle"),)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_are_read(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    if suffix == ".pth":
        torch.save({"model": WEIGHTS, "iteration": 3}, path)
    else:
        save_file(WEIGHTS, path)
    found = read_weights(path, "weights")
    assert found.keys() == WEIGHTS.keys()
    for name, each in WEIGHTS.items():
        torch.testing.assert_close(found[name], each, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("suffix", "said"),
    [
        (".pkl", r"is a pickle, .* write its weights as \.pth"),
        (".pth", "no weights that can be read"),
    ],
)
def test_a_file_that_would_run_something_is_refused(tmp_path, monkeypatch, suffix, said):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"model{suffix}"
    content = {"model": {"a": Command()}}
    if suffix == ".pkl":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path)
    with pytest.raises(SemtokError, match=said) as refused:
        read_weights(path, "weights")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run-by-a-pickle").exists()


@pytest.mark.parametrize(
    "content", [[1, 2], {"model": {"a": "text"}}, {"model": {3: WEIGHTS["a.bias"]}}]
)
def test_what_holds_no_weights_is_refused(tmp_path, content):
    path = tmp_path / "model.pth"
    torch.save(content, path)
    with pytest.raises(SemtokError, match="holds no weights by name"):
        read_weights(path, "weights")


def test_a_damaged_file_gives_weights_or_one_line(tmp_path):
    """Byte for byte: torch answers to some of them with errors of any kind."""
    path = tmp_path / "model.pth"
    torch.save({"model": WEIGHTS}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    refused = 0
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x15]) + whole[at + 1 :])
        try:
            read_weights(path, "weights")
        except SemtokError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused
    path.write_bytes(whole[:-20])
    with pytest.raises(SemtokError, match="no weights that can be read"):
        read_weights(path, "weights")
