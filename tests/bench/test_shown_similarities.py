"""What is kept of similarities: those of what a case shows, by plain dot products."""

from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from semtok.bench import matching, question, shown_similarities
from semtok.bench.benchmark import find, split_data
from semtok.bench.cases import CASES, Task
from semtok.bench.scoring import ask
from semtok.checks import similarities
from semtok.data.index import SIBLINGS
from semtok.tables import read_table, write_table
from semtok.tokens.shards import TokenShards
from tests.bench.test_known_answers import Random, Truth, files_of, siblings_of

#: Benchmark -> the tasks that it keeps them of.
TASKS = {
    "siblings": {"caption", "text", "image", "group"},
    "winoground": {"text", "image", "group"},
    "aro": {
        *("relation", "relation_micro", "attribution", "attribution_micro"),
        *("order", "flickr30k_order"),
    },
    "sugar_crepe": {"caption"},
    "vsr": {"statement", "statement_micro", "relation", "caption"},
}


@pytest.fixture
def scored(trained, with_files):
    """A function: a benchmark -> a random scorer, the data, and the cases that it made of them."""

    def score(name):
        images = TokenShards(trained.shards["test"])
        truth = Truth(sorted(images.image_ids.tolist()))
        known = with_files(files_of(truth))
        pairs = siblings_of(truth)
        write_table(known.folder / "siblings.parquet", pairs, SIBLINGS)
        data = split_data("test", images, replace(known, siblings=pairs))
        scorer = Random(truth)
        (cases,) = ask(scorer, data, {name: find(name)}, 3)
        return scorer, data, cases

    return score


@pytest.mark.parametrize("name", TASKS)
def test_each_image_has_its_own_to_each_caption_that_is_shown(scored, name):
    """In the order of the question that people see."""
    scorer, data, cases = scored(name)
    vectors = scorer.embed_images(data.images).numpy()
    images = dict(zip(data.images.image_ids.tolist(), vectors, strict=True))
    for task in TASKS[name]:
        rows = [row for row in cases.to_pylist() if row["task"] == task]
        found = {row["case_id"]: row["similarities"] for row in rows}
        asked = question.questions(Task(name, "test", task), data.index, list(found))
        assert len(found) >= 15
        for case_id, each in asked.items():
            texts = scorer.embed_texts(each.said).numpy()
            plain = [
                [sum(a * b for a, b in zip(images[image], text, strict=True)) for text in texts]
                for image in each.images
            ]
            assert found[case_id] == [pytest.approx(own, abs=6e-7) for own in plain]


@pytest.mark.parametrize("name", TASKS)
def test_parts_keep_nothing_and_whole_tasks_everything(scored, name):
    _, _, cases = scored(name)
    has = {(row["task"], row["similarities"] is not None) for row in cases.to_pylist()}
    assert {task for task, there in has if there} == TASKS[name]
    assert all("/" in task for task, there in has if not there)
    assert not pl.DataFrame(cases).select(similarities.RULE.broken).to_series().any()


@pytest.mark.parametrize("name", ["retrieval", "karpathy"])
def test_of_thousands_of_candidates_nothing_is_kept(scored, name):
    _, _, cases = scored(name)
    assert len(cases) > 30 and cases["similarities"].null_count == len(cases)


@pytest.mark.parametrize("name", TASKS)
def test_ranks_are_those_of_what_is_kept(scored, name):
    _, _, cases = scored(name)
    for row in cases.filter(cases["similarities"].is_valid()).to_pylist():
        found = row["similarities"]
        if len(found) == 1 and len(found[0]) > 1:
            ((first, *others),) = found
            assert row["rank"] == 1 + sum(other >= first for other in others)
        elif row["task"] == "text":
            (a, b), (c, d) = found
            assert (row["rank"] == 1) == (a > b and d > c)
        elif row["task"] == "image":
            (a, b), (c, d) = found
            assert (row["rank"] == 1) == (a > c and d > b)
        elif row["task"] == "group":
            (a, b), (c, d) = found
            assert (row["rank"] == 1) == (min(a, d) > max(b, c))


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.integers(2, 5)),
        elements=st.floats(-1, 1) | st.sampled_from([0.3, 0.1 + 0.2, 0.3000004, 0.300001, -np.inf]),
    ),
    st.integers(0, 1),
)
def test_the_gate_holds_what_is_kept_to_the_ranks(similar, off):
    """Whatever is a tie, or nearly one; of a rank that is off it says so where none is near."""
    similar[:, :2] = np.where(np.isfinite(similar[:, :2]), similar[:, :2], 0.25)
    similar = -np.sort(-similar, axis=1)
    similar[:, [0, 1]] = similar[:, [1, 0]]  # the right one is the second best, or as good
    count = len(similar)
    ids, ranks = np.arange(count), matching.ranks(similar)
    candidates = np.isfinite(similar).sum(axis=1).astype(np.int32)
    near = (np.abs(similar[:, 1:] - similar[:, :1]) < 3e-6).any(axis=1)
    told = matching.cases("caption", ids, ids, ranks - off, candidates, ranks, similar)
    found = pl.DataFrame(told).select(similarities.RULE.broken).to_series().to_numpy()
    assert not found[near & (off == 0)].any()
    assert (found == bool(off))[~near].all()


def test_vectors_that_are_nearly_of_unit_length_are_no_fault():
    similar, one = np.array([[1.001**2, 0.2]]), np.ones(1, np.int32)
    told = matching.cases("caption", one, one, one, 2 * one, one, similar)
    assert not pl.DataFrame(told).select(similarities.RULE.broken).item()


def test_of_several_trainings_it_is_the_mean():
    task = Task("sugar_crepe", "test", "caption")
    rows = [
        {**task._asdict(), "seed": seed, "case_id": case, "similarities": kept}
        for seed, of_seed in enumerate(
            [
                {4: [[0.25, 0.5]], 5: [[-0.5, 0.125]], 6: None},
                {4: [[0.75, 0.25]], 5: [[0.5, 0.125]], 6: None},
            ]
        )
        for case, kept in of_seed.items()
    ]
    rows += [{**rows[0], "split": "val", "similarities": [[1.0, 1.0]]}]
    kept = shown_similarities.kept(pa.Table.from_pylist(rows, schema=CASES.columns))
    found = shown_similarities.means(kept, task, [4, 6, 7])
    assert {case: each.tolist() for case, each in found.items()} == {4: [[0.5, 0.375]]}


def test_a_file_of_them_is_read_again(scored, tmp_path):
    _, _, cases = scored("aro")
    write_table(tmp_path / "cases.parquet", cases, CASES)
    assert read_table(tmp_path / "cases.parquet", CASES).equals(cases)


@given(
    arrays.arrays(np.float64, (2, 2), elements=st.floats(-1, 1)),
    st.sampled_from(["text", "image", "group"]),
)
def test_the_gate_holds_pairs_to_what_their_task_asks(similar, task):
    """Of the first image to both captions, then of the second; whichever rank it is given."""
    (a, b), (c, d) = similar
    margins = {"text": (a - b, d - c), "image": (a - c, d - b)}
    margins["group"] = margins["text"] + margins["image"]
    assume(all(abs(each) > 3e-6 for each in margins["group"]))
    right = min(margins[task]) > 0
    one = np.ones(1, np.int32)
    for rank in (1, 2):
        told = matching.cases(task, one, one, rank * one, 4 * one, one, similar[None])
        assert pl.DataFrame(told).select(similarities.RULE.broken).item() == (right != (rank == 1))
