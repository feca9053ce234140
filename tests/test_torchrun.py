"""The stage `checkpoint`, run by torchrun in two processes, as on two machines."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from semtok import params_file, pipeline, runner
from semtok.errors import SemtokError
from semtok.tables import read_table
from semtok.train.history import HISTORY
from tests import small_line


def torchrun(root: Path, key: str) -> list[subprocess.CompletedProcess[str]]:
    """Train in two processes, each of a machine of its own: the loopback is their network."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(small_line.REPOSITORY), "OMP_NUM_THREADS": "1"}
    nodes = []
    for rank in range(2):
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
        command += ["--node-rank", str(rank), "--rdzv-endpoint", f"127.0.0.1:{port}"]
        command += ["--no-python", str(Path(sys.executable).with_name("semtok"))]
        command += ["--project", str(root), "run", key]
        pipe = subprocess.PIPE
        nodes.append(
            subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)
        )
    try:
        told = [node.communicate(timeout=300) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    return [
        subprocess.CompletedProcess(node.args, node.returncode, *each)
        for node, each in zip(nodes, told, strict=True)
    ]


@pytest.mark.slow
def test_one_process_of_two_publishes_what_one_alone_does(tmp_path: Path) -> None:
    document = small_line.shrunk(small_line.own())
    document["variants"] = {"vit": document["variants"]["vit"]}
    document["train"] |= {"seeds": [0], "search": [2.0e-3], "steps": 4, "warmup": 1}
    document["checks"]["checkpoint"] = {"loss_fall": -1.0}
    root = tmp_path / "line"
    small_line.start(root, document)
    params = params_file.load(root / "params.yaml")
    for key in pipeline.upstream(params, ("checkpoint", "vit")):
        small_line.run(root, *key)
    for done in torchrun(root, "checkpoint@vit"):
        assert done.returncode == 0, done.stderr
    alone = root / "artifacts/scenes/checkpoint/vit"
    together = root / ".semtok/scratch/artifacts/scenes/checkpoint/vit"
    files, expected = (
        sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        for folder in (together, alone)
    )
    assert files == expected
    found, wanted = (
        read_table(folder / "seed-0/history.parquet", HISTORY).to_pylist()
        for folder in (together, alone)
    )
    assert [(row["step"], row["name"]) for row in found] == [
        (row["step"], row["name"]) for row in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        if one["name"] in ("loss", "val/loss", "gradient_norm"):
            assert one["value"] == pytest.approx(other["value"], rel=1e-5, abs=1e-5)
    facts = json.loads((together / "seed-0/training.json").read_text())
    assert facts["processes"] == 2
    assert set(facts["search"]) == {"0.001", "0.002"}
    assert not (root / ".semtok/scratch/.semtok/resume/scenes/vit").exists()


def test_torchrun_is_for_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_line.start(tmp_path)
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SemtokError, match="images: one process runs it; torchrun is for chec"):
        runner.run("images", tmp_path, scratch=True)
