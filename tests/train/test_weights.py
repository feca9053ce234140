"""Weights on a disk that has no room."""

import subprocess
import sys

_FULL = """
import resource, signal, sys, torch
from pathlib import Path
from semtok.errors import SemtokError
from semtok.train import weights
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    weights.save({"x": torch.zeros(10_000)}, Path(sys.argv[1]) / "model.safetensors")
except SemtokError as error:
    print(error)
"""


def test_a_full_disk_is_one_line(tmp_path):
    command = [sys.executable, "-c", _FULL, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path}/model.safetensors: cannot be written")
    assert line.endswith("free space and start again")
