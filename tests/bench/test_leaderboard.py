"""The leaderboard from scores on disk."""

import json

import pytest

from semtok.bench import costs, leaderboard
from semtok.bench.cases import CASES
from semtok.errors import SemtokError
from semtok.tables import read_table, write_table

COSTS = costs.Costs(costs.Parameters(900, 90, 8, 500, 1), 12.5, 3e6, 60.0, 1e-3)


@pytest.fixture
def scores(tmp_path, make_cases):
    folders = {}
    for name, ranks in {"semantic": [1, 1, 3, 9], "vit": [1, 20, 3, 9]}.items():
        folders[name] = tmp_path / name
        write_table(folders[name] / "cases.parquet", make_cases({0: ranks}), CASES)
        costs.write(folders[name], COSTS)
    return folders


def test_quality_stands_beside_cost(scores, tmp_path):
    board = leaderboard.build(scores, "vit", 50, 0.95)
    leaderboard.write(board, tmp_path)
    rows = read_table(tmp_path / "leaderboard.parquet", leaderboard.LEADERBOARD).to_pylist()
    row = next(r for r in rows if (r["metric"], r["variant"]) == ("R@1", "semantic"))
    expected = {
        "value": 50.0,
        "points": 25.0,
        "relative": pytest.approx(100.0),
        "baseline": "vit",
        "cases": 4,
        "seeds": 1,
        "tokens_per_image": 12.5,
        "parameters_blocks": 900,
        "parameters_embeddings": 90,
        "parameters_bias": 8,
        "flops_per_image": 3e6,
        "training_seconds": 60.0,
        "learning_rate": 1e-3,
        "chance": pytest.approx(0.1),
        "ceiling": None,
        "blind": None,
        "protocol": "0.3",
        "label": "smoke run (1 seed; a claim needs 5)",
    }
    assert {name: row[name] for name in expected} == expected
    assert [r["points"] for r in rows if r["variant"] == "vit"] == [None] * 4


def test_the_same_scores_give_the_same_bytes(scores, tmp_path):
    for folder in ("one", "other"):
        leaderboard.write(leaderboard.build(scores, "vit", 50, 0.95), tmp_path / folder)
    one, other = (tmp_path / name / leaderboard.NAME for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_scores_without_costs_are_refused(scores):
    (scores["semantic"] / "costs.json").unlink()
    with pytest.raises(SemtokError, match=r"semantic/costs.json: no such file"):
        leaderboard.build(scores, "vit", 50, 0.95)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "no JSON mapping"), ("[1, 2]", "no JSON mapping"), ("{}", "parameters: missing")],
)
def test_broken_costs_are_refused(scores, text, reason):
    (scores["vit"] / "costs.json").write_text(text)
    with pytest.raises(SemtokError, match=rf"vit/costs.json: {reason}"):
        leaderboard.build(scores, "vit", 50, 0.95)


def test_trainings_of_different_models_are_refused(tmp_path):
    for seed, blocks in ((0, 900), (1, 800)):
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        parameters = {"blocks": blocks, "embeddings": 1, "bias": 0, "text": 1, "scale": 1}
        facts = {
            "tokens_per_image": 4,
            "flops_per_image": 4,
            "training_seconds": 4,
            "learning_rate": 4,
            "seed": seed,
        }
        text = json.dumps(facts | {"parameters": parameters})
        (folder / "training.json").write_text(text)
    with pytest.raises(SemtokError, match="seed-1: another model than"):
        costs.of_trainings(sorted(tmp_path.iterdir()))
