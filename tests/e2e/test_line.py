"""The line through the door of DVC: what is run, what is skipped, what comes back."""

import contextlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import REPO, Project, new_project

pytestmark = pytest.mark.slow


def wait_for_state(folder: Path, training: subprocess.Popen) -> None:
    """Return once a training has saved a state to go on from."""
    while not list(folder.rglob("*.safetensors")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            training.wait(0.05)
            pytest.fail("the training ended before it saved a state")


def test_leaderboard_shows_all_variants_with_intervals(built: Project) -> None:
    board = json.loads(built.run("semtok", "compare", "--json").stdout)
    assert set(board["costs"]) == {"vit", "semantic"}
    blocks = {each["parameters"]["blocks"] for each in board["costs"].values()}
    assert len(blocks) == 1, "variants differ in their transformer blocks"
    text = built.run("semtok", "compare").stdout
    assert "Smoke run" in text
    assert "semantic" in text


def test_nothing_is_stale_after_repro(built: Project) -> None:
    assert json.loads(built.run("dvc", "status", "--json").stdout) == {}
    assert "Running stage" not in built.repro().stdout


def test_every_artifact_has_a_green_verdict_and_a_report(built: Project) -> None:
    folders = [built.root / out["path"] for stage in built.lock.values() for out in stage["outs"]]
    for folder in folders:
        if folder.suffix == ".json":
            continue
        assert json.loads((folder / "verdict.json").read_text())["passed"]
        for picture in json.loads((folder / "report.json").read_text())["pictures"]:
            assert (folder / picture).stat().st_size > 1000


def test_changing_one_variant_retrains_that_one_alone(project: Project) -> None:
    project.set_params(lambda p: p["variants"]["semantic"].update(neighbour_bias=False))
    planned = project.run("dvc", "repro", "--dry").stdout
    would_run = set(re.findall(r"Running stage '(.*)'", planned))
    assert "checkpoint@semantic" in would_run
    assert would_run <= {"checkpoint@semantic", "scores@semantic", "leaderboard"}


def test_trainings_that_read_the_same_as_before_are_kept(project: Project) -> None:
    """As when the file of a benchmark joins the data root: all that is read is made anew."""
    folder = project.root / "artifacts/scenes/checkpoint/vit"
    before = project.lock["checkpoint@vit"]["deps"]
    told = (folder / "seed-0/training.json").read_bytes()  # how long it took, among much else
    project.set_params(lambda p: p["data"].update(rejected_share=0.02))
    ran = project.repro("checkpoint@vit")
    assert "Running stage 'checkpoint@vit'" in ran.stdout
    assert project.lock["checkpoint@vit"]["deps"] != before
    assert (folder / "seed-0/training.json").read_bytes() == told
    # What somebody has changed since it was judged gets no new verdict: it is trained again.
    weights = folder / "seed-0/model.safetensors"
    own = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(own + b" ")
    project.repro("checkpoint@vit")
    assert weights.read_bytes() == own
    assert (again := (folder / "seed-0/training.json").read_bytes()) != told
    project.set_params(lambda p: p["train"].update(warmup=6))
    project.repro("checkpoint@vit")
    assert (folder / "seed-0/training.json").read_bytes() not in (told, again)


def test_a_moved_limit_and_a_new_backend_make_no_other_artifact(project: Project) -> None:
    before = {name: stage["outs"] for name, stage in project.lock.items()}
    project.set_params(lambda p: p["checks"]["token_shards"].update(share_blank=0.02))
    (project.root / "semtok/tokens/superpixel.py").write_text('"""A new tokenizer."""\n')
    ran = set(re.findall(r"Running stage '(.*)'", project.repro("scores@semantic").stdout))
    assert ran == {f"token_shards@semantic-{split}" for split in ("train", "val", "test")}
    assert {name: stage["outs"] for name, stage in project.lock.items()} == before


def test_clone_and_pull_bring_everything_back(project: Project, tmp_path: Path) -> None:
    project.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    project.run("git", "add", "dvc.lock", "metrics", ".dvc/config")
    project.run("git", "commit", "--quiet", "--message", "Results")
    project.run("dvc", "push", "--quiet")
    project.run("git", "clone", "--quiet", str(project.root), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone")
    clone.run("dvc", "pull", "--quiet")
    assert clone.run("semtok", "compare").stdout == project.run("semtok", "compare").stdout
    assert "Running stage" not in clone.repro().stdout


def test_metrics_diff_names_what_changed(project: Project) -> None:
    project.run("git", "add", "dvc.lock", "metrics")
    project.run("git", "commit", "--quiet", "--message", "Results")
    path = project.root / "metrics/scenes/vit.json"
    metrics = json.loads(path.read_text())
    metrics["retrieval"]["test"]["text_to_image"]["R@1"] += 1
    path.write_text(json.dumps(metrics))
    difference = project.run("dvc", "metrics", "diff", "--json").stdout
    (changed,) = json.loads(difference)["metrics/scenes/vit.json"].values()
    assert changed["diff"] == pytest.approx(1)


def test_experiment_overrides_a_setting(project: Project) -> None:
    project.run("git", "add", "dvc.lock", "metrics")
    project.run("git", "commit", "--quiet", "--message", "Results")
    project.run("dvc", "exp", "run", "--set-param", "variants.vit.patch_size=32", "scores@vit")
    assert "patch_size: 32" in (project.root / "params.yaml").read_text()
    costs = json.loads((project.root / "artifacts/scenes/scores/vit/costs.json").read_text())
    assert costs["tokens_per_image"] == 4


def test_an_experiment_in_a_folder_of_its_own_runs_the_code_that_is_there(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    with (project.root / "semtok/runner.py").open("a") as runner:
        runner.write("print(f'run by {__file__}')\n")
    done = project.run("dvc", "exp", "run", "--temp", "images", PYTHONPATH=".")
    copies = project.root / ".dvc/tmp/exps"
    assert f"run by {copies}/" in done.stdout
    assert not (project.root / "artifacts").exists()


def test_a_killed_training_goes_on_and_ends_the_same(project: Project) -> None:
    weights = project.root / "artifacts/scenes/checkpoint/vit/seed-0/model.safetensors"
    expected = weights.read_bytes()
    command = [str(Path(sys.executable).parent / "semtok"), "run", "checkpoint@vit"]
    state = project.root / ".semtok/scratch/.semtok/resume"
    started = subprocess.Popen(command, cwd=project.root, stderr=subprocess.PIPE)
    wait_for_state(state, started)
    started.send_signal(signal.SIGKILL)
    started.communicate()
    done = project.run(*command)
    assert "goes on after step" in done.stderr
    again = project.root / ".semtok/scratch/artifacts/scenes/checkpoint/vit/seed-0"
    assert (again / "model.safetensors").read_bytes() == expected


def test_by_hand_a_stage_leaves_the_outputs_of_dvc_alone(project: Project) -> None:
    project.run("semtok", "run", "leaderboard")
    assert json.loads(project.run("dvc", "status", "--json").stdout) == {}
    assert (project.root / ".semtok/scratch/artifacts/scenes/leaderboard/chart.png").exists()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda p: p["train"].update(stepz=3),
            "train.stepz: unknown key; remove it or check its spelling",
        ),
        # Of stages that come after the training: said before anything is done.
        (
            lambda p: p["checks"]["scores"].update(chance=1),
            "checks.scores: chance: unknown key; remove it or check its spelling",
        ),
        (
            lambda p: p["bench"].update(benchmarks=["nope"]),
            "scores@vit is to be made by semtok.bench.nope, which there is not; "
            "check its spelling, or add the file",
        ),
        (
            lambda p: p["bench"].update(benchmarks=["no.pe"]),
            "scores@vit is to be made by semtok.bench.no.pe, which there is not; "
            "check its spelling, or add the file",
        ),
        (
            lambda p: p["bench"].update(benchmarks=["retreival"]),
            "scores@vit is to be made by semtok.bench.retreival, which there is not; did you mean "
            "retrieval?",
        ),
    ],
)
def test_a_wrong_setting_is_one_line(
    tmp_path: Path, change: Callable[[dict], None], fault: str
) -> None:
    project = Project(tmp_path)
    shutil.copy(REPO / "params.yaml", tmp_path)
    project.set_params(change)
    done = project.run("semtok", "run", "images", check=False)
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [f"error: {project.root}/params.yaml: {fault}"]


def test_make_demo_says_what_stops_dvc(project: Project) -> None:
    project.set_params(lambda p: p["token_shards"]["grid-val"].update(reads="extraction/none-val"))
    shown = project.run("make", "--dry-run", "demo").stdout
    command = next(line for line in shown.splitlines() if line.startswith("dvc repro"))
    done = project.run(*shlex.split(command), check=False)
    assert done.returncode
    assert "none-val" in done.stdout + done.stderr


def test_two_runs_at_once_on_one_artifact(project: Project) -> None:
    # A scratch run holds the lock while it trains; the second says so.
    command = [str(Path(sys.executable).parent / "semtok"), "run", "checkpoint@vit"]
    state = project.root / ".semtok/scratch/.semtok/resume"
    first = subprocess.Popen(command, cwd=project.root, stderr=subprocess.PIPE)
    wait_for_state(state, first)
    first.send_signal(signal.SIGSTOP)
    try:
        done = project.run(*command, check=False)
    finally:
        first.kill()
        first.communicate()
    assert done.returncode == 1
    assert "another run is at work on it" in done.stderr


def test_plots_are_pictures_that_need_no_network(built: Project, tmp_path: Path) -> None:
    built.run("dvc", "plots", "show", "--out", str(tmp_path))
    pictures = {path.name for path in (tmp_path / "static").glob("*.png")}
    assert {name.rpartition("_")[2] for name in pictures} == {"chart.png", "curves.png"}
