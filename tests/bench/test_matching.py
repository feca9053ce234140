"""Matching: strict comparison against plain words, and known answers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import binom

from semtok.bench import matching
from semtok.bench.benchmark import split_data
from semtok.bench.embedding import Model
from semtok.tokens.shards import TokenShards


@given(
    arrays.arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.integers(1, 5)),
        elements=st.sampled_from([-np.inf, -0.5, 0.0, 0.25]),
    )
)
def test_a_rank_counts_what_is_as_similar_or_more(similarities):
    similarities[:, 0] = np.maximum(similarities[:, 0], -0.5)
    found = matching.ranks(similarities)
    for row, rank in zip(similarities.tolist(), found, strict=True):
        assert rank == sum(each >= row[0] for each in row)


@pytest.mark.parametrize("candidates", [2, 5])
def test_known_answers(candidates):
    random = np.random.default_rng(0)
    noise = random.random((4000, candidates))
    perfect = noise - np.arange(candidates)
    assert (matching.ranks(perfect) == 1).all()
    assert (matching.ranks(np.full_like(noise, 0.3)) == candidates).all()
    low, high = binom.interval(0.9999, 4000, 1 / candidates)
    assert low <= (matching.ranks(noise) == 1).sum() <= high


def test_differences_of_rounding_are_ties():
    assert matching.ranks(np.array([[0.3, 0.1 + 0.2], [0.1 + 0.2, 0.3]])).tolist() == [2, 2]


def test_similarities_are_those_of_a_plain_loop(trained):
    model = Model(trained.checkpoint / "seed-0")
    data = split_data("test", TokenShards(trained.shards["test"]), trained.annotations)
    ids = np.random.default_rng(0).choice(data.images.image_ids, 12)
    captions = [[f"caption {n % 4}", *(f"no {n - k}" for k in range(n % 3))] for n in range(12)]
    found = matching.similarities(model, data, ids, captions)
    images = model.embed_images(data.images)
    for image_id, own, row in zip(ids, captions, found, strict=True):
        image = images[data.images.image_ids.tolist().index(image_id)]
        alone = [torch.dot(image, model.embed_texts([text])[0]).item() for text in own]
        assert row[: len(own)] == pytest.approx(alone, abs=1e-6)
        assert (row[len(own) :] == -np.inf).all()
    assert found.shape == (12, 3)
