"""`benchmarks/gpu.py` where there is no GPU: it says so, and what it measures runs on the CPU."""

import sys
from dataclasses import replace

import pytest
import torch

from benchmarks import gpu, gpu_numerics
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
    assert len(checks) == 2 * len(("dense", "clusters", "additive bias")) + len(("superpixels",))
    assert all(each.met for each in checks)
    # There is a bias to compute, and superpixels that differ would not pass.
    batch, vision = gpu_numerics.semantic(4)
    assert len(batch.edges[batch.edges[..., 0] >= 0]) and vision.relation_bias
    superpixels = found["gpu: numerics, superpixels"]
    assert replace(superpixels, ours=1.0).met is False
    # Two images on a CPU are no batch on a GPU, but they are cut, and SLIC's are too.
    cut = found["gpu: superpixels in batches"]
    assert cut.ratio is not None and cut.ratio > 0
    # Where timm is not installed the row says so.
    (beside,) = [each for name, each in found.items() if "timm" in name]
    assert (beside.ratio is None) == (beside.note == "timm is not installed")
