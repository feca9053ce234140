"""`benchmarks/gpu.py` where there is no GPU: it says so, and what it measures runs on the CPU."""

import sys

import pytest
import torch

from benchmarks import gpu
from semtok.params import EncoderSettings


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which it would measure")
def test_without_a_gpu_it_says_so_and_writes_nothing(tmp_path, capsys, monkeypatch) -> None:
    output = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["gpu", "--output", str(output)])
    gpu.main()
    assert "no GPU here" in capsys.readouterr().out
    assert not output.exists()


def test_what_it_measures_runs_on_a_cpu() -> None:
    tiny = gpu.Load(EncoderSettings(16, 2, 2, 2.0, 8), side=112, images=2, matrix=8, repetitions=1)
    found = {each.name: each for each in gpu.measure(torch.device("cpu"), tiny, compiled=False)}
    assert {"gpu: training step, as written", "gpu: attention with bias, SDPA"} <= set(found)
    checks = [each for name, each in found.items() if "numerics" in name]
    assert len(checks) == 4
    assert all(each.met for each in checks)
