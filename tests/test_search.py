"""The search of the learning rate through the stages: what it leaves in the artifacts."""

import json

import pytest
import torch
import yaml
from safetensors.torch import load_file

from semtok.bench import leaderboard
from semtok.tables import read_table
from tests import small_line


def settings(**train) -> dict:
    document = yaml.safe_load((small_line.REPOSITORY / "params.yaml").read_text())
    document["variants"] = {"vit": document["variants"]["vit"]}
    document = small_line.shrunk(document)
    document["train"] |= train
    return document


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A line whose `vit` tries three rates, and the same line at the one that it took."""
    root = tmp_path_factory.mktemp("search")
    workspace = small_line.build(root / "three", settings(search=[1e-2, 1e-12]))
    small_line.run(root / "three", "leaderboard", None)
    facts = json.loads((workspace.input("checkpoint", "vit") / "seed-0/training.json").read_text())
    alone = small_line.build(root / "one", settings(learning_rate=facts["learning_rate"]))
    return workspace, alone, facts


def test_all_seeds_train_at_the_chosen_rate(searched) -> None:
    facts = searched[2]
    assert set(facts["search"]) == {"0.001", "0.01", "1e-12"}
    assert facts["search"][str(facts["learning_rate"])] == max(facts["search"].values())
    assert facts["searched_with"] == 0
    for seed in (0, 1):
        folders = [each.input("checkpoint", "vit") / f"seed-{seed}" for each in searched[:2]]
        found, plain = (json.loads((folder / "training.json").read_text()) for folder in folders)
        assert (found["learning_rate"], found["search"]) == (
            facts["learning_rate"],
            facts["search"],
        )
        assert plain["search"] == {}
        one, other = (load_file(folder / "model.safetensors") for folder in folders)
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_nothing_of_the_other_rates_stays(searched) -> None:
    workspace, alone, _ = searched
    names = [
        sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
        for root in (each.input("checkpoint", "vit") for each in (workspace, alone))
    ]
    assert names[0] == names[1]
    assert not workspace.state("resume", workspace.data, "vit").exists()


def test_the_leaderboard_says_the_rate(searched) -> None:
    workspace, _, facts = searched
    folder = workspace.input("leaderboard")
    rows = read_table(folder / leaderboard.NAME, leaderboard.LEADERBOARD)
    assert set(rows["learning_rate"].to_pylist()) == {facts["learning_rate"]}
    assert "| rate |" in (folder / "leaderboard.md").read_text()
