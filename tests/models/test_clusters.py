"""Attention in equal clusters, against dense attention with a mask, in float64."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.models.clusters import cluster_order, clustered_attention

ORDERS = ("semantic", "random", "spatial", "principal")


def drawn(seed: int, images: int, heads: int, tokens: int, size: int) -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    shape = (images, heads, tokens, size)
    return [torch.randn(shape, generator=random, dtype=torch.float64) for _ in range(3)]


def clusters_of(keys: np.ndarray, clusters: int, kind: str) -> np.ndarray:
    """The cluster of each token of one head, keys [L, d], as the paper says it."""
    if kind == "semantic":
        towards = keys.mean(0)
        scores = [key @ towards / math.hypot(*key) / math.hypot(*towards) for key in keys]
    elif kind == "principal":
        scores = np.linalg.svd(keys - keys.mean(0))[2][0] @ (keys - keys.mean(0)).T
    else:
        scores = np.arange(len(keys))
    places = np.empty(len(keys), int)
    places[np.argsort(scores)] = np.arange(len(keys))
    return places // (len(keys) // clusters)


def dense(q, k, v, same: np.ndarray) -> np.ndarray:
    """Attention of one head to the tokens that `same` [N, N] allows."""
    scores = np.where(same, q @ k.T / math.sqrt(q.shape[1]), -np.inf)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) @ v


def allowed(cluster: np.ndarray, leading: int) -> np.ndarray:
    """Which token sees which: all see the leading ones, which see all."""
    whole = np.ones((leading + len(cluster),) * 2, bool)
    whole[leading:, leading:] = cluster[:, None] == cluster
    return whole


shapes = st.fixed_dictionaries(
    {
        "images": st.integers(1, 3),
        "heads": st.integers(1, 3),
        "each": st.integers(1, 5),
        "clusters": st.integers(1, 4),
        "size": st.integers(2, 6),
        "leading": st.integers(0, 3),
    }
)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), shape=shapes, kind=st.sampled_from(ORDERS))
def test_it_is_dense_attention_with_a_mask_by_cluster(seed, shape, kind) -> None:
    clusters, leading = shape["clusters"], shape["leading"]
    tokens = clusters * shape["each"]
    q, k, v = drawn(seed, shape["images"], shape["heads"], leading + tokens, shape["size"])
    order = cluster_order(k[:, :, leading:], kind, seed=7)
    found = clustered_attention(q, k, v, clusters, order, leading).numpy()
    for image in range(shape["images"]):
        for head in range(shape["heads"]):
            keys = k[image, head, leading:].numpy()
            if kind == "random":
                cluster = np.empty(tokens, int)
                cluster[order[image, head]] = np.arange(tokens) // shape["each"]
            else:
                cluster = clusters_of(keys, clusters, kind)
            one = (each[image, head].numpy() for each in (q, k, v))
            expected = dense(*one, allowed(cluster, leading))
            np.testing.assert_allclose(found[image, head], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("leading", [0, 1])
def test_one_cluster_is_dense_attention(kind, leading) -> None:
    q, k, v = drawn(0, 2, 2, leading + 6, 4)
    order = cluster_order(k[:, :, leading:], kind, 0)
    torch.testing.assert_close(
        clustered_attention(q, k, v, 1, order, leading),
        torch.nn.functional.scaled_dot_product_attention(q, k, v),
        rtol=1e-12,
        atol=1e-14,
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), kind=st.sampled_from(["semantic", "principal"]))
def test_where_tokens_stand_says_nothing_to_an_order_by_keys(seed, kind) -> None:
    q, k, v = drawn(seed, 2, 2, 1 + 12, 4)
    moved = torch.cat(
        [torch.zeros(1, dtype=torch.int64), 1 + torch.randperm(12, generator=_random(seed))]
    )

    def attend(q, k, v):
        return clustered_attention(q, k, v, 3, cluster_order(k[:, :, 1:], kind, 0), leading=1)

    found = attend(*(each[:, :, moved] for each in (q, k, v)))
    torch.testing.assert_close(found, attend(q, k, v)[:, :, moved], rtol=1e-10, atol=1e-12)


def _random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", ORDERS)
def test_an_image_does_not_depend_on_its_batch(kind) -> None:
    q, k, v = drawn(1, 5, 2, 1 + 8, 4)
    order = cluster_order(k[:, :, 1:], kind, 3)
    together = clustered_attention(q, k, v, 4, order, leading=1)
    for image in range(5):
        alone = [each[[image]] for each in (q, k, v)]
        own = cluster_order(alone[1][:, :, 1:], kind, 3)
        assert torch.equal(own[0], order[image])
        found = clustered_attention(*alone, 4, own, leading=1)
        torch.testing.assert_close(found[0], together[image], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("leading", [0, 2])
def test_gradients(kind, leading) -> None:
    q, k, v = (each.requires_grad_() for each in drawn(2, 1, 2, leading + 6, 3))

    def attend(q, k, v):
        order = cluster_order(k[:, :, leading:], kind, 0)
        return clustered_attention(q, k, v, 3, order, leading)

    assert torch.autograd.gradcheck(attend, (q, k, v))


def test_equal_tokens_keep_their_order() -> None:
    """So that the same image gives the same clusters wherever it is computed."""
    keys = torch.ones(1, 1, 40, 4)
    assert cluster_order(keys, "semantic", 0).flatten().tolist() == list(range(40))


def test_heads_sort_by_their_own_keys() -> None:
    _, k, _ = drawn(4, 1, 2, 16, 4)
    for kind in ("semantic", "principal", "random"):
        order = cluster_order(k, kind, 0)
        assert not torch.equal(order[0, 0], order[0, 1])
        assert order.sort(-1).values.tolist() == [[list(range(16))] * 2]


def test_chance_is_drawn_once_for_all_images_and_anew_for_each_layer() -> None:
    keys, others = (drawn(seed, 2, 2, 16, 4)[1] for seed in (5, 6))
    order = cluster_order(keys, "random", 0)
    assert torch.equal(order, cluster_order(others, "random", 0))
    assert torch.equal(order[0], order[1])
    assert not torch.equal(order, cluster_order(keys, "random", 1))


def test_in_half_precision_the_order_is_that_of_its_exact_numbers() -> None:
    keys = drawn(7, 2, 2, 64, 8)[1].bfloat16()
    assert torch.equal(
        cluster_order(keys, "semantic", 0), cluster_order(keys.float(), "semantic", 0)
    )


def test_clusters_that_would_not_be_equal_are_refused() -> None:
    q, k, v = drawn(8, 1, 1, 7, 4)
    with pytest.raises(SemtokError, match="clusters: 3 does not divide 7 tokens"):
        clustered_attention(q, k, v, 3, cluster_order(k, "semantic", 0))


@pytest.mark.parametrize("kind", ["semantic", "principal"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_mixed_precision_leaves_the_order_alone(kind, dtype) -> None:
    keys = drawn(3, 2, 2, 32, 8)[0].to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        found = cluster_order(keys, kind, seed=0)
    exact = keys if dtype == torch.float64 else keys.float()
    assert torch.equal(found, cluster_order(exact, kind, seed=0))
