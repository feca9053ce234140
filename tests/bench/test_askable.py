"""Which benchmarks can be asked of which variants, and what becomes of the others."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from semtok import params, params_file
from semtok.bench import benchmark, costs, leaderboard, unasked
from semtok.bench.cases import CASES
from semtok.bench.comparison import ALONE, compare
from semtok.bench.contestant import Contestant, of_library, of_params, of_training
from semtok.bench.scoring import refusals, score
from semtok.errors import SemtokError
from semtok.events import Message
from semtok.report import charts
from semtok.report import leaderboard as text
from semtok.tables import read_table, write_table

REPO = Path(__file__).parents[2]

PATCHES = Contestant("grid", "tokens", depth=4, clusters=False, gates=False, classes=False)
DROPPING, LOOKING = ["budget", "faithfulness"], ["saliency", "corloc"]
OF_SHARDS = ["retrieval_permuted", "retrieval_corrupted", "siblings_permuted", "budget"]
OF_SENTENCES = [
    *("retrieval", "retrieval_permuted", "retrieval_corrupted", "karpathy"),
    *("siblings", "siblings_permuted", "sugar_crepe", "winoground", "aro", "vsr"),
]
EVERY = [*OF_SENTENCES, *DROPPING, *LOOKING, "classification", "knn", "linear_probe"]


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        ({}, []),
        ({"scheme": "superpixel"}, []),
        ({"scheme": "grid_relations"}, []),
        ({"scheme": "semantic"}, LOOKING),
        ({"scheme": "semantic_features"}, LOOKING),
        ({"encoder": "clip_vision"}, [*DROPPING, *LOOKING]),
        ({"clusters": True}, DROPPING),
        ({"gates": True}, ["faithfulness", *LOOKING]),
        ({"depth": 1}, ["budget"]),
        ({"classes": True}, OF_SENTENCES),
    ],
)
def test_a_benchmark_says_whom_it_cannot_ask(change, refused):
    found = benchmark.refusals(replace(PATCHES, **change), EVERY)
    assert sorted(found) == sorted(refused)
    assert all(found.values())


@pytest.mark.parametrize(
    ("who", "refused"),
    [
        (of_library("transformers", 12), OF_SHARDS),
        (of_library("open_clip", 12), OF_SHARDS),
        (of_library("TimmModel of open_clip", 12), [*OF_SHARDS, "faithfulness", *LOOKING]),
        (replace(PATCHES, shards=False), OF_SHARDS),
        (replace(PATCHES, shards=False, scheme="semantic"), [*OF_SHARDS, *LOOKING]),
    ],
)
def test_models_from_elsewhere_are_asked_what_needs_no_token_shards(who, refused):
    found = benchmark.refusals(who, EVERY)
    assert sorted(found) == sorted(refused)
    assert all(found.values())


@pytest.fixture
def settings():
    return params_file.load(REPO / "params.yaml")


def asking(settings, names, **variants):
    """The settings with other benchmarks, and other settings of variants."""
    changed = {name: replace(settings.variants[name], **each) for name, each in variants.items()}
    return replace(
        settings,
        bench=replace(settings.bench, benchmarks=tuple(names)),
        variants={**settings.variants, **changed},
    )


def test_what_is_trained_is_what_was_asked_for(trained, settings):
    assert of_training(trained.checkpoint / "seed-0") == replace(PATCHES, depth=1)
    assert of_params(settings, "vit") == PATCHES
    gated = asking(settings, EVERY, vit={"gates": params.GateSettings(2)})
    assert of_params(gated, "vit") == replace(PATCHES, gates=True)
    assert of_params(settings, "semantic") == replace(PATCHES, scheme="semantic")


def test_settings_are_refused_only_where_nobody_can_be_asked(settings):
    benchmark.check_askable(settings)
    benchmark.check_askable(asking(settings, ["retrieval", "saliency", "budget"]))
    classes = replace(settings, text=replace(settings.text, tower="classes"))
    only = replace(settings, variants={"vit": settings.variants["vit"]})
    gates = {"vit": {"gates": params.GateSettings(2)}}
    for wrong, told in (
        (classes, "retrieval can be asked of no variant; vit: it asks about sentences, and text.t"),
        (
            asking(only, ["retrieval", "budget"], vit={"clusters": 4}),
            "budget can be asked of no variant; vit: it needs all of its tokens",
        ),
        (
            asking(only, ["retrieval", "faithfulness"], **gates),
            "faithfulness can be asked of no variant; vit: its gates drop some of the tokens",
        ),
        (
            asking(settings, ["retrieval", "corloc"], **gates),
            "corloc can be asked of no variant; vit: its gates keep some tokens from the last",
        ),
        (
            asking(settings, ["saliency"]),
            "variants.semantic: no benchmark of bench.benchmarks can be asked of it; saliency: ",
        ),
    ):
        with pytest.raises(SemtokError, match=told) as caught:
            benchmark.check_askable(wrong)
        assert "\n" not in str(caught.value)


def test_what_cannot_be_asked_is_left_out_of_scores_and_told(trained, tmp_path):
    shards, said = {"test": trained.shards["test"]}, []
    names, of_one_block = ["retrieval", "budget"], "of one block, none sends and none receives"
    found = score(trained.checkpoint, shards, trained.annotations, names, tmp_path, said.append)
    assert set(found["benchmark"].to_pylist()) == {"retrieval"}
    told = [each.text for each in said if isinstance(each, Message)]
    assert [each for each in told if "budget" in each] == [
        f"budget: not asked of checkpoint: {of_one_block}; set encoder.depth to 2"
    ]
    assert unasked.read(tmp_path) == refusals(trained.checkpoint, names)
    assert unasked.read(tmp_path)["budget"].startswith(of_one_block)
    with pytest.raises(SemtokError, match="checkpoint can be asked none of them; add one"):
        score(trained.checkpoint, shards, trained.annotations, ["budget"], tmp_path)


def of_benchmark(name, cases):
    kind = CASES.columns.field("benchmark").type
    column = pa.repeat(pa.scalar(name, kind), len(cases))
    return cases.set_column(0, "benchmark", column)


@pytest.fixture
def three(make_cases):
    """Cases of three, of whom the last was asked `retrieval` alone."""
    ranks = {"vit": [1, 20, 3, 9], "grid": [1, 1, 3, 9], "semantic": [1, 1, 1, 9]}
    cases = {name: make_cases({0: each}) for name, each in ranks.items()}
    both = {
        name: pa.concat_tables([each, of_benchmark("looks", each)]) for name, each in cases.items()
    }
    return {**both, "semantic": cases["semantic"]}


def test_who_was_not_asked_has_no_row_and_the_others_are_compared(three):
    found = compare(three, "vit", 50, 0.95, unasked={"semantic": ["looks"]})
    assert found.unasked == {"looks": ("semantic",)}
    rows = [row for row in found.rows if row.benchmark == "looks"]
    assert {row.variant for row in rows} == {"vit", "grid"}
    without = compare({name: three[name] for name in ("vit", "grid")}, "vit", 50, 0.95)
    assert rows == [row for row in without.rows if row.benchmark == "looks"]
    with pytest.raises(SemtokError, match="only vit has looks test text_to_image; score both on"):
        compare(three, "vit", 50, 0.95)


def test_without_the_baseline_the_others_stand_alone(three):
    found = compare(three, "semantic", 50, 0.95, unasked={"semantic": ["looks"]})
    rows = [row for row in found.rows if row.benchmark == "looks"]
    assert {row.variant for row in rows} == {"vit", "grid"}
    beside = compare(three, "vit", 50, 0.95, unasked={"semantic": ["looks"]})
    values = {(r.metric, r.variant): r.value for r in beside.rows if r.benchmark == "looks"}
    assert {(row.metric, row.variant): row.value for row in rows} == values
    assert {(row.points, row.relative, row.p, row.verdict) for row in rows} == {
        (None, None, None, ALONE)
    }
    assert {row.verdict for row in found.rows if row.benchmark == "retrieval"} != {ALONE}
    # What the others were asked has to be the same.
    changed = {**three, "grid": three["grid"].filter(pc.less(three["grid"]["case_id"], 3))}
    with pytest.raises(SemtokError, match=r"looks .*: 1 cases are in one of them only, 3 in both"):
        compare(changed, "semantic", 50, 0.95, unasked={"semantic": ["looks"]})


@pytest.mark.parametrize("baseline", ["vit", "semantic"])
def test_tables_and_charts_cope(three, baseline, settings, tmp_path):
    cost = costs.Costs(costs.Parameters(900, 90, 8, 500, 1), 12.5, 3e6, 60.0, 1e-3)
    folders = {name: tmp_path / name for name in three}
    for name, folder in folders.items():
        write_table(folder / "cases.parquet", three[name], CASES)
        costs.write(folder, cost)
        unasked.write(folder, {"looks": "it is blind"} if name == "semantic" else {})
    board = leaderboard.build(folders, baseline, 50, 0.95)
    leaderboard.write(board, tmp_path)
    rows = read_table(tmp_path / leaderboard.NAME, leaderboard.LEADERBOARD).to_pylist()
    own = {row["variant"] for row in rows if row["benchmark"] == "looks"}
    assert own == {"vit", "grid"}
    told = text.in_markdown(board)
    alone = ": without it nobody has points or a verdict there" * (baseline == "semantic")
    assert f"looks could not be asked of semantic{alone}." in told
    assert json.loads(json.dumps(board.as_dict()))["unasked"] == {"looks": ["semantic"]}
    found = board.comparison
    for draw in (
        lambda path: charts.chart.draw(board, path),
        lambda path: charts.forest.draw(found, [*found.cases], {"all": found.names}, path),
    ):
        draw(tmp_path / "chart.png")
        assert Path(tmp_path / "chart.png").read_bytes()[:4] == b"\x89PNG"
