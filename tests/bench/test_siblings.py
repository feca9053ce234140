"""Siblings: Winoground's scores against plain words, and what is scored without looking."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from semtok.bench import siblings
from semtok.bench.benchmark import split_data
from semtok.bench.cases import by_task, telling
from semtok.bench.embedding import Model
from semtok.bench.siblings import outcomes
from semtok.data.index import SIBLINGS
from semtok.tokens.shards import TokenShards


def few_values(*shape):
    """Ties are common."""
    return arrays.arrays(np.float64, shape, elements=st.sampled_from([-0.5, 0.0, 0.25, 1.0]))


@given(st.integers(0, 6).flatmap(lambda count: few_values(count, 2, 2)))
def test_scores_are_winogrounds(similarities):
    found = outcomes(similarities)
    for number, ((c0_i0, c0_i1), (c1_i0, c1_i1)) in enumerate(similarities):
        text = c0_i0 > c1_i0 and c1_i1 > c0_i1
        image = c0_i0 > c0_i1 and c1_i1 > c1_i0
        assert found["text"][number] == text
        assert found["image"][number] == image
        assert found["group"][number] == (text and image)
        assert found["caption"][number].tolist() == [c0_i0 > c1_i0, c1_i1 > c0_i1]


@given(arrays.arrays(np.int64, (9, 2), elements=st.integers(-50, 50), unique=True))
def test_words_alone_are_right_for_exactly_one_image_of_each_pair(of_text):
    found = outcomes(np.repeat(of_text[:, :, None] / 7, 2, axis=2))
    assert found["caption"].sum(axis=1).tolist() == [1] * 9
    assert not any(found[task].any() for task in ("text", "image", "group"))


def test_a_constant_model_is_never_right():
    assert not any(each.any() for each in outcomes(np.full((5, 2, 2), 0.3)).values())


def test_differences_of_rounding_are_ties():
    nearly = np.full((1, 2, 2), 0.1 + 0.2) + np.eye(2) * 1e-15
    assert not any(each.any() for each in outcomes(nearly).values())


@pytest.mark.parametrize("task", siblings.CANDIDATES)
def test_guessing_is_right_once_in_its_candidates(task):
    random = np.random.default_rng(0)
    found = outcomes(random.random((40_000, 2, 2)))[task].mean()
    assert found == pytest.approx(1 / siblings.CANDIDATES[task], abs=0.01)


@pytest.fixture(scope="module")
def data(trained):
    shards = TokenShards(trained.shards["test"])
    ids = sorted(shards.image_ids.tolist())
    texts = trained.captions["caption"].to_pylist()
    rows = [
        (ids[2 * n], ids[2 * n + 1], ("size", "roles")[n % 2], texts[2 * n], texts[2 * n + 1])
        for n in range(15)
    ]
    names = SIBLINGS.columns.names
    pairs = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    return split_data("test", shards, replace(trained.annotations, siblings=pairs))


def test_cases_are_those_of_a_plain_loop(trained, data):
    model = Model(trained.checkpoint / "seed-1")
    embedded = model.embed_images(data.images).double()
    images = dict(zip(data.images.image_ids.tolist(), embedded, strict=True))
    wanted = {}
    for pair in data.siblings.to_pylist():
        first, second = pair["first_image_id"], pair["second_image_id"]
        (one,), (other,) = (
            model.embed_texts([pair[f"{end}_caption"]]).double() for end in ("first", "second")
        )
        for part in ("", f"/{pair['kind']}"):
            captions = [
                images[first] @ one > images[first] @ other,
                images[second] @ other > images[second] @ one,
            ]
            chosen = [
                images[first] @ one > images[second] @ one,
                images[second] @ other > images[first] @ other,
            ]
            for image, right in zip((first, second), captions, strict=True):
                wanted[f"caption{part}", image] = (first, 1 if right else 2)
            wanted[f"text{part}", first] = (first, 1 if all(captions) else 4)
            wanted[f"image{part}", first] = (first, 1 if all(chosen) else 4)
            wanted[f"group{part}", first] = (first, 1 if all(captions + chosen) else 6)
    found = siblings.score(model, data).to_pylist()
    assert {(r["task"], r["case_id"]): (r["cluster_id"], r["rank"]) for r in found} == wanted
    assert len(found) == len(wanted)
    assert {(r["answers"], r["truths"]) for r in found} == {(1, 1)}
    ids = siblings.case_ids(data)
    assert {(task, each) for task in ids for each in ids[task].tolist()} == set(wanted)
    assert len({row["rank"] for row in found}) == 4  # some right, some wrong in every task


def test_a_split_without_siblings_is_not_asked(trained):
    data = split_data("test", TokenShards(trained.shards["test"]), trained.annotations)
    assert siblings.case_ids(data) == {}
    assert siblings.score(Model(trained.checkpoint / "seed-0"), data).num_rows == 0


def test_of_few_candidates_only_the_first_place_tells(make_cases):
    few, many = (by_task(make_cases({0: [1, 2]}, candidates=n)).popitem()[1] for n in (6, 11))
    assert telling(few) == ("R@1",)
    assert telling(many) == ("R@1", "R@5", "R@10", "median_rank")
