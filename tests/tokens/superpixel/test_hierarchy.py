"""Superpixels by a plain graph of Python in float64, and by scipy: what they promise, always."""

import functools
import itertools
import math
import operator
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from scipy.sparse import csgraph

from semtok.tokens.superpixel.hierarchy import Partition, merge, superpixels
from semtok.tokens.superpixel.vertices import pixel_features

#: Noise, a few plain colours (where many edges score the same), and one colour alone.
IMAGES = st.tuples(
    st.integers(1, 3), st.integers(1, 13), st.integers(1, 13), st.sampled_from([255, 2, 0])
).flatmap(
    lambda drawn: arrays(
        np.uint8, (*drawn[:3], 3), elements=st.integers(0, drawn[3]), fill=st.nothing()
    ).map(lambda pixels: pixels * np.uint8(255 // max(1, drawn[3])))
)
LEVELS = st.integers(0, 5)


def whole(
    image: np.ndarray, levels: int, compactness: float = 0.0, threshold: float = 0.0
) -> list[list[int]]:
    """The labels of one image [H, W, C] of vertex features, an edge at a time."""
    height, width, _ = image.shape
    features = [[float(value) for value in each] for each in image.reshape(-1, image.shape[2])]
    pixels = [[(y, x)] for y in range(height) for x in range(width)]
    edges = {(p, p + 1) for p in range(len(pixels)) if (p + 1) % width}
    edges |= {(p, p + width) for p in range(len(pixels) - width)}
    for _ in range(levels):
        sizes = [len(each) for each in pixels]
        mean = 2 * float(sum(sizes)) / len(sizes)
        squares = sum(Fraction(size) ** 2 for size in sizes)
        variance = (squares - Fraction(sum(sizes)) ** 2 / len(sizes)) / max(len(sizes) - 1, 1)
        deviation = max(math.sqrt(float(variance)), 1e-6)
        best: dict[int, tuple[float, int, int]] = {}
        for number, (u, v) in enumerate(sorted(edges)):
            if u == v:
                score = max(-0.75, min(0.75, (sizes[u] - mean) / deviation))
            else:
                one, other = features[u], features[v]
                norms = math.sqrt(dot(one, one)) * math.sqrt(dot(other, other))
                score = dot(one, other) / max(norms, 1e-12)
            score = (score + 1) / 2
            if compactness:
                ys, xs = zip(*pixels[u], *pixels[v], strict=True)
                around = max(ys) - min(ys) + max(xs) - min(xs) + 2
                area = len({*pixels[u], *pixels[v]})
                score = compactness * min(4 * area / around**2, 1) + (1 - compactness) * score
            key = float(np.float32(max(score, 0))), number * 0x9E3779B1 % 2**32
            best[u] = max(best.get(u, (-1.0, 0, 0)), (*key, v))
            best[v] = max(best.get(v, (-1.0, 0, 0)), (*key, u))
        group = list(range(len(pixels)))
        for u, (*_, v) in best.items():
            low, high = sorted((group[u], group[v]))
            group = [low if each == high else each for each in group]
        kept = sorted(set(group))
        members = [[at for at in range(len(group)) if group[at] == root] for root in kept]
        features = [
            [
                float(sum(Fraction(round(features[at][c] * 2**30)) for at in own) / len(own))
                / 2**30
                for c in range(image.shape[2])
            ]
            for own in members
        ]
        pixels = [[place for at in own for place in pixels[at]] for own in members]
        edges = {tuple(sorted((kept.index(group[u]), kept.index(group[v])))) for u, v in edges}
    alike = np.zeros((len(pixels), len(pixels)))
    for u, v in edges:
        changes = [one - other for one, other in zip(features[u], features[v], strict=True)]
        alike[u, v] = max(changes) - min(changes) < threshold
    count, group = csgraph.connected_components(alike, directed=False)
    pixels = [
        [place for own, places in zip(group, pixels, strict=True) for place in places if own == n]
        for n in range(count)
    ]
    labels = [[0] * width for _ in range(height)]
    for number, places in enumerate(sorted(pixels, key=min)):
        for y, x in places:
            labels[y][x] = number
    return labels


def dot(one: list[float], other: list[float]) -> float:
    """A scalar product, summed from left to right."""
    return functools.reduce(operator.add, map(operator.mul, one, other))


def local(partition: Partition) -> list[np.ndarray]:
    """The labels of each image, from 0."""
    first = partition.counts.cumsum(0) - partition.counts
    return list((partition.labels - first[:, None, None]).numpy())


@settings(deadline=None, max_examples=40)
@given(
    st.tuples(st.integers(1, 7), st.integers(1, 9), st.sampled_from([2, 4])).flatmap(
        # Few values make many equal scores; all are multiples of the unit of means.
        lambda shape: arrays(np.int64, (2, *shape), elements=st.integers(-4, 4))
    ),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.1, 1.0]),
    st.sampled_from([0.0, 0.3, 1.1]),
)
def test_levels_agree_with_a_graph_of_plain_python(values, levels, compactness, threshold):
    features = values / 4
    partition = merge(torch.from_numpy(features), levels, compactness, threshold)
    for found, image in zip(local(partition), features, strict=True):
        assert found.tolist() == whole(image, levels, compactness, threshold)


@pytest.mark.parametrize("seed", range(4))
def test_levels_of_noise_agree_too(seed):
    features = np.random.default_rng(seed).uniform(-1, 1, (1, 12, 11, 4))
    features = np.round(features * 2**30) / 2**30
    for threshold in (0.0, 0.8):
        (found,) = local(merge(torch.from_numpy(features), 3, 0.0, threshold))
        assert found.tolist() == whole(features[0], 3, 0.0, threshold)


@settings(deadline=None, max_examples=30)
@given(IMAGES, LEVELS, st.sampled_from([0.0, 0.1]), st.sampled_from([0.0, 0.5]))
@example(np.zeros((1, 1, 1, 3), np.uint8), 4, 0.0, 0.5)
@example(np.full((2, 40, 40, 3), 255, np.uint8), 4, 0.0, 0.0)
def test_every_pixel_is_in_one_connected_region(images, levels, compactness, threshold):
    partition = superpixels(torch.from_numpy(images), levels, compactness, threshold)
    assert partition.labels.shape == images.shape[:3]
    assert partition.image.tolist() == sorted(partition.image.tolist())
    for labels, count in zip(local(partition), partition.counts.tolist(), strict=True):
        numbers, first = np.unique(labels, return_index=True)
        assert numbers.tolist() == list(range(count))
        assert sorted(first.tolist()) == first.tolist()
        assert sum(ndimage.label(labels == each)[1] for each in numbers) == count


@settings(deadline=None, max_examples=12)
@given(IMAGES, LEVELS, st.sampled_from([0.0, 0.5]))
def test_an_image_alone_has_the_regions_that_it_has_among_others(images, levels, threshold):
    asked = levels, 0.0, threshold
    together = merge(pixel_features(torch.from_numpy(images)), *asked)
    for _ in range(2):
        in_turn = superpixels(torch.from_numpy(images), *asked)
        assert torch.equal(in_turn.labels, together.labels)
        assert torch.equal(in_turn.counts, together.counts)
    for image, labels in zip(images, local(together), strict=True):
        (alone,) = local(superpixels(torch.from_numpy(image[None].copy()), *asked))
        np.testing.assert_array_equal(alone, labels)


def test_a_final_threshold_merges_the_more_the_higher_it_is():
    """At 0 nothing, at last all that touches: an image becomes one region."""
    random = np.random.default_rng(2)
    images = torch.from_numpy(random.integers(0, 256, (2, 24, 20, 3), np.uint8))
    partitions = [superpixels(images, 2, 0.0, each) for each in (0.0, 0.2, 0.8, 4.0)]
    for fine, coarse in itertools.pairwise(partitions):
        pairs = torch.stack([fine.labels, coarse.labels]).flatten(1).unique(dim=1)
        assert pairs.shape[1] == int(fine.counts.sum()) > int(coarse.counts.sum())
    assert partitions[-1].counts.tolist() == [1, 1]


def test_the_regions_of_a_level_are_made_of_those_before_it():
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 48, 40, 3), np.uint8))
    counts = []
    for levels in range(1, 6):
        fine, coarse = (superpixels(images, each) for each in (levels - 1, levels))
        pairs = torch.stack([fine.labels, coarse.labels]).flatten(1).unique(dim=1)
        assert pairs.shape[1] == int(fine.counts.sum())
        counts.append(int(coarse.counts.sum()))
    # About fourfold a level, as the paper has it.
    assert all(2.5 < more / fewer < 6 for more, fewer in itertools.pairwise(counts))


def test_what_differs_plainly_is_kept_apart():
    """Patches of plain colours, far larger than a region: no region has two of them."""
    palette = np.array([[20, 20, 30], [230, 220, 240], [200, 30, 20], [20, 40, 200]], np.uint8)
    truth = np.repeat(np.repeat(np.random.default_rng(1).integers(0, 4, (4, 4)), 24, 0), 24, 1)
    (labels,) = local(superpixels(torch.from_numpy(palette[truth][None]), 4))
    mixed = [each for each in np.unique(labels) if len(np.unique(truth[labels == each])) > 1]
    assert len(mixed) <= 0.1 * (labels.max() + 1)
