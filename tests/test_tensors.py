"""Tensors on a disk that has no room."""

import subprocess
import sys

import pytest

#: Whoever writes them, in a process whose files may have a thousand bytes.
_FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np, torch
from semtok.errors import SemtokError
from semtok.events import ignore
from semtok.extract.learning import Task, learn
from semtok.params import LearningSettings
from semtok.tensors import write_tensors

def write(path):
    write_tensors(path, {"x": torch.zeros(10_000)})
def train(path):
    task = Task(
        "found", lambda: torch.nn.Conv2d(3, 99, 9), np.arange(4), lambda places, random: None,
        lambda network, batch, random: {"weight": network.weight.square().mean()},
    )
    learn(task, LearningSettings(2, 0, 1, 2, 0.1), {}, path.parent, ignore)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    {"write": write, "train": train}[sys.argv[1]](Path(sys.argv[2]))
except SemtokError as error:
    print(error)
"""


@pytest.mark.parametrize("who", ["write", "train"])
def test_a_full_disk_is_one_line(who, tmp_path):
    path = tmp_path / "fold-0.safetensors"
    command = [sys.executable, "-c", _FULL, who, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{path}: cannot be written")
    assert line.endswith("free space and start again")
