"""The leaderboard from scores on disk."""

import json
from dataclasses import replace

import pytest

from semtok.bench import costs, leaderboard, weights
from semtok.bench.cases import CASES
from semtok.errors import SemtokError
from semtok.extract import cost as cost_of_extraction
from semtok.params import VariantSettings
from semtok.tables import read_table, write_table

#: Of a model of the hub, with more than a row of the leaderboard tells.
FACTS = {"model": "CLIPModel", "text_context": 77, "hub": "some/clip", "revision": "32bd64"}

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
    extraction = costs.Extraction(500, 7e6, 40)
    paid = replace(COSTS, extraction=extraction, images_per_second=640.0)
    costs.write(scores["semantic"], paid)
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
        "extraction_flops_per_image": 7e6,
        "extraction_images": 40,
        "training_seconds": 60.0,
        "images_per_second": 640.0,
        "learning_rate": 1e-3,
        "chance": pytest.approx(0.1),
        "ceiling": None,
        "blind": None,
        "protocol": "0.6",
        "label": "smoke run (1 seed; a claim needs 5)",
    }
    assert {name: row[name] for name in expected} == expected
    of_vit = [r for r in rows if r["variant"] == "vit"]
    assert [r["points"] for r in of_vit] == [None] * 4
    assert {(r["extraction_flops_per_image"], r["extraction_images"]) for r in of_vit} == {
        (None, None)
    }


@pytest.mark.parametrize(
    ("told", "models", "paid"),
    [
        ({}, ("masks", "scene_graphs"), costs.Extraction(10, 100.0, 40)),
        ({"permute_relations": True}, ("masks", "scene_graphs"), costs.Extraction(10, 100.0, 40)),
        ({"intangible": True}, ("masks", "scene_graphs"), costs.Extraction(17, 170.0, 50)),
        ({"relation_bias": True}, ("masks", "scene_graphs"), costs.Extraction(17, 170.0, 50)),
        ({"relation_bias": True}, ("masks",), costs.Extraction(10, 100.0, 40)),
        ({"relation_bias": True}, ("scene_graphs",), costs.Extraction(7, 70.0, 50)),
        ({}, ("scene_graphs",), None),
        ({"intangible": True}, (), None),
    ],
)
def test_who_is_told_no_relation_pays_for_none(tmp_path, told, models, paid):
    """From the models' own stages to the bill, as masks, scene graphs and token shards hand it."""
    stages = {"masks": (10, 100.0, 40), "scene_graphs": (7, 70.0, 50)}
    for name, (parameters, flops, images) in stages.items():
        folder, model = tmp_path / name, tmp_path / f"model of {name}"
        folder.mkdir()
        model.mkdir()
        labels = {"images": images, "masks": 9}
        cost = {"parameters": parameters, "flops_per_image": flops, "seconds_per_image": 1.0}
        (model / "cost.json").write_text(json.dumps(cost | {"labels": labels}))
        cost_of_extraction.hand_down({name: model if name in models else None}, folder)
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    cost_of_extraction.hand_down({name: tmp_path / name for name in stages}, tokens)
    costs.write(tmp_path, COSTS)
    costs.add_extraction(tmp_path, tokens, VariantSettings("semantic", **told))
    assert costs.read(tmp_path) == replace(COSTS, extraction=paid)


def test_a_model_trained_elsewhere_stands_without_what_nobody_knows(scores, tmp_path):
    encoding = costs.Encoding(costs.Parameters(7, 6, 0, 5, 1), 49.0, 4e9)
    costs.write(scores["semantic"], encoding)
    weights.write(scores["semantic"], FACTS)
    board = leaderboard.build(scores, "vit", 50, 0.95, outside=["semantic"])
    assert (list(board.costs), dict(board.outside)) == (["vit"], {"semantic": encoding})
    assert set(board.as_dict()["costs"]) == {"vit", "semantic"}
    assert board.as_dict()["weights"] == {
        "semantic": {"model": "CLIPModel", "hub": "some/clip", "revision": "32bd64"}
    }
    leaderboard.write(board, tmp_path)
    rows = read_table(tmp_path / "leaderboard.parquet", leaderboard.LEADERBOARD).to_pylist()
    row = next(r for r in rows if (r["metric"], r["variant"]) == ("R@1", "semantic"))
    expected = {
        "value": 50.0,
        "points": 25.0,
        "verdict": "outside",
        "outside": True,
        "weights": "CLIPModel, some/clip at commit 32bd64",
        "flops_per_image": 4e9,
        "parameters_blocks": 7,
    }
    unknown = ("p", "p_adjusted", "seeds", "training_seconds", "images_per_second", "learning_rate")
    expected |= dict.fromkeys((*unknown, "extraction_flops_per_image", "extraction_images"))
    assert {name: row[name] for name in expected} == expected
    assert {(r["outside"], r["weights"]) for r in rows if r["variant"] == "vit"} == {(False, None)}
    with pytest.raises(SemtokError, match=r"semantic/costs.json: training_seconds: missing"):
        leaderboard.build(scores, "vit", 50, 0.95)


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
