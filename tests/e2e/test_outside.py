"""A person's own model in the table, by the lines and commands of docs/benchmarks.md."""

import json
import re

import pytest
import yaml

from tests.bench import tiny_clip
from tests.e2e.conftest import REPO, Project

pytestmark = pytest.mark.slow


def test_one_line_puts_a_model_into_the_table(project: Project) -> None:
    page = (REPO / "docs/benchmarks.md").read_text()
    blocks = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    (block,) = (each for each in blocks if "models" in each)
    tiny_clip.clip(project.root / block["models"]["own"]["folder"])
    before = {name: stage["outs"] for name, stage in project.lock.items()}
    project.set_params(lambda params: params.update(block))
    # Random weights guess.
    project.set_params(lambda params: params["checks"]["outside_scores"].update(chance_level=1.0))

    ran = re.findall(r"Running stage '(.*)'", project.repro().stdout)
    assert ran == ["outside_scores@own", "leaderboard"]
    assert {name: project.lock[name]["outs"] for name in before if name != "leaderboard"} == {
        name: outs for name, outs in before.items() if name != "leaderboard"
    }
    assert json.loads(project.run("dvc", "status", "--json").stdout) == {}
    shown = project.run("semtok", "compare", "vit", "own").stdout
    assert "not under the protocol: own" in shown
    assert "own" in json.loads(project.run("semtok", "compare", "--json").stdout)["costs"]
    project.run("semtok", "run", "outside_scores@own")
    assert json.loads(project.run("dvc", "status", "--json").stdout) == {}
    assert "models" not in project.run("git", "status", "--short", "--untracked-files=all").stdout

    tiny_clip.clip(project.root / "models/own", seed=1)
    assert list(json.loads(project.run("dvc", "status", "--json").stdout)) == ["outside_scores@own"]
