"""Retrieval among corrupted images: as `retrieval` on each folder of tokens, and the means."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from semtok.bench.cases import CASES, Task, by_task, metrics
from semtok.bench.scoring import score
from semtok.data.index import TRUTH
from semtok.extract.corruptions import KINDS
from semtok.sharding import CORRUPTED
from semtok.tables import read_table
from semtok.tokens import shards
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from tests import small_line

BOTH = ("text_to_image", "image_to_text")
SPOILT = ("blur-1", "blur-5", "noise-1", "noise-5")


@pytest.fixture
def spoilt(trained, tmp_path):
    """The shards of the hand-made variant, and on test those of four corruptions."""
    folder = tmp_path / "grid-test"
    shutil.copytree(trained.shards["test"], folder)
    random = np.random.default_rng(5)
    for name in SPOILT:
        for path in sorted(trained.shards["test"].glob("*.arrow")):
            ids = pa.ipc.open_file(path).read_all()["image_id"].to_numpy()
            rows = PixelRows(ids, random.integers(0, 256, (len(ids), 8, 8, 3), np.uint8))
            tokens = TokenShards(folder).tokens
            target = folder / CORRUPTED / name / path.name
            shards.write(target, shards.pixels_schema(8), rows, (), tokens, "f")
    return trained.shards | {"test": folder}


def scored(trained, annotations, folders, benchmark, staging):
    staging.mkdir()
    score(trained.checkpoint, folders, annotations, [benchmark], staging)
    return read_table(staging / "cases.parquet", CASES)


def some_truth(trained):
    """Of each caption its own image and the next one."""
    rows = trained.captions.to_pylist()
    splits = [TokenShards(each).image_ids.tolist() for each in trained.shards.values()]
    pairs = {
        (row["caption_id"], image)
        for row in rows
        for ids in splits
        if row["image_id"] in ids
        for image in (row["image_id"], sorted(ids)[sorted(ids).index(row["image_id"]) - 1])
    }
    return pa.Table.from_pylist(
        [{"caption_id": c, "image_id": i} for c, i in sorted(pairs)], schema=TRUTH.columns
    )


@pytest.mark.parametrize("way", ["", "_any_true"])
def test_ranks_are_those_of_retrieval_on_the_corrupted_tokens(trained, spoilt, tmp_path, way):
    annotations = trained.annotations
    if way:
        annotations = replace(annotations, truth=some_truth(trained))
    cases = scored(trained, annotations, spoilt, "retrieval_corrupted", tmp_path / "scores")
    found = by_task(cases)
    names = [task + way + part for task in BOTH for part in ("", "/blur", "/noise")]
    assert set(found) == {Task("retrieval_corrupted", "test", name) for name in names}
    plain = {
        name: by_task(
            scored(
                trained,
                annotations,
                {"test": spoilt["test"] / CORRUPTED / name},
                "retrieval",
                tmp_path / name,
            )
        )
        for name in SPOILT
    }
    told = metrics(cases)["retrieval_corrupted"]["test"]
    for task in BOTH:
        parts = [each[Task("retrieval", "test", task + way)] for each in plain.values()]
        whole = found[Task("retrieval_corrupted", "test", task + way)]
        wanted = np.stack([each.ranks for each in parts], axis=2).reshape(2, -1)
        np.testing.assert_array_equal(whole.ranks, wanted)
        recall = np.mean([(each.ranks == 1).mean() * 100 for each in parts])
        assert told[task + way]["R@1"] == pytest.approx(recall)
        kinds = [told[f"{task}{way}/{kind}"]["R@1"] for kind in ("blur", "noise")]
        assert told[task + way]["R@1"] == pytest.approx(np.mean(kinds))
        np.testing.assert_array_equal(np.unique(whole.clusters), np.unique(parts[0].clusters))


def test_a_split_without_corrupted_tokens_is_not_asked(trained, tmp_path):
    told = []
    (tmp_path / "scores").mkdir()
    cases = score(
        trained.checkpoint,
        trained.shards,
        trained.annotations,
        ["retrieval_corrupted"],
        tmp_path / "scores",
        told.append,
    )
    assert cases.num_rows == 0
    assert "retrieval_corrupted: test has no corrupted tokens; not asked" in [
        getattr(each, "text", "") for each in told
    ]


def test_it_needs_no_opencv():
    code = "import sys; sys.modules['cv2'] = None; import semtok.bench.retrieval_corrupted"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A whole line that corrupts test, at two severities."""
    document = small_line.shrunk(small_line.own())
    document["corruption"]["severities"] = [0, 5]
    document["bench"]["benchmarks"] = ["retrieval", "retrieval_corrupted"]
    document["checks"]["scores"]["chance_level"] = 1.0
    return small_line.build(tmp_path_factory.mktemp("corrupted") / "line", document)


@pytest.mark.slow
@pytest.mark.parametrize("variant", small_line.VARIANTS)
def test_through_the_whole_line(line, variant):
    told = json.loads((line.root / f"metrics/scenes/{variant}.json").read_text())
    assert set(told["retrieval_corrupted"]) == {"test"}
    tasks = [f"{task}_any_true" for task in BOTH]
    names = {name for task in tasks for name in (task, *(f"{task}/{kind}" for kind in KINDS))}
    assert set(told["retrieval_corrupted"]["test"]) == names
    found = by_task(read_table(line.input("scores", variant) / "cases.parquet", CASES))
    for task in tasks:
        clean = found[Task("retrieval", "test", task)]
        for kind in KINDS:
            both = found[Task("retrieval_corrupted", "test", f"{task}/{kind}")]
            # Of the two severities of a kind the first is 0: the picture as it is.
            order = both.case_ids % (2 * len(KINDS)) % 2 == 0
            np.testing.assert_array_equal(both.ranks[:, order], clean.ranks)


@pytest.mark.slow
@pytest.mark.parametrize("key", ["token_shards@semantic-test", "scores@semantic"])
def test_gates_let_it_through(line, key):
    small_line.run_gated(line.root, key)
