"""Auxiliary losses against loops over pairs and relations, one at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.models.auxiliary import auxiliary_heads
from semtok.tokens.rows import RegionRows, RelatedPixelRows
from semtok.train.objective import mask_loss, relation_loss
from semtok.train.targets import targets

WIDTH, PREDICATES = 6, 4


def random_rows(seed: int, regions: list[int], relations: list[int]) -> RelatedPixelRows:
    """Images of four cells, whose regions cover each of them wholly or not at all."""
    random = np.random.default_rng(seed)
    total, edges = sum(regions), sum(relations)
    ends = random.integers(0, np.repeat(regions, relations)[:, None], (edges, 2))
    return RelatedPixelRows(
        np.zeros((len(regions), 8, 8, 3), np.uint8),
        RegionRows(
            image_ids=np.arange(len(regions)),
            region_counts=np.array(regions),
            features=random.choice(np.array([0, 255], np.uint8), (total, 4)),
            geometry=np.zeros((total, 5), np.float32),
            neighbours=np.empty((total, 0), np.int16),
            edge_counts=np.array(relations),
            edge_ends=ends.astype(np.int16),
            edge_predicate=random.integers(0, PREDICATES, edges),
        ),
    )


def covered(features: np.ndarray) -> set[int]:
    """The patches of one region: a region that covers nothing is given the first patch."""
    return set(np.flatnonzero(features).tolist()) or {0}


IMAGES = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5)), min_size=1, max_size=4)


@settings(deadline=None)
@given(st.integers(0, 999), IMAGES)
def test_losses_are_means_over_pairs_and_over_relations(seed, images) -> None:
    rows = random_rows(seed, *map(list, zip(*images, strict=True)))
    torch.manual_seed(seed)
    heads = auxiliary_heads(["masks", "relations"], WIDTH, PREDICATES).double()
    patches = torch.randn(len(images), 4, WIDTH, dtype=torch.float64)
    labels = targets(rows, 4)

    region, edge = iter(rows.regions.features), 0
    pairs, predicates = [], []
    masks, relation = heads["masks"], heads["relations"]
    for number, (regions, relations) in enumerate(images):
        sets = [covered(next(region)) for _ in range(regions)]
        z = F.linear(masks.norm(patches[number]), masks.projection.weight)
        for i in range(4):
            for j in range(i):
                share = any({i, j} <= each for each in sets)
                score = z[i] @ z[j] / WIDTH**0.5 + masks.bias
                pairs.append(F.softplus(-score if share else score))
        seen = relation.norm(patches[number])
        for _ in range(relations):
            ends = [seen[sorted(sets[end])].mean(0) for end in rows.regions.edge_ends[edge]]
            scores = relation.mlp(torch.cat(ends))
            predicates.append(-scores.log_softmax(0)[rows.regions.edge_predicate[edge]])
            edge += 1
    found = mask_loss(masks, patches, labels).item()
    assert found == pytest.approx(torch.stack(pairs).mean().item(), rel=1e-5)
    wanted = torch.stack(predicates).mean().item() if predicates else 0
    assert relation_loss(relation, patches, labels).item() == pytest.approx(wanted, rel=1e-5)


def test_padding_of_regions_says_nothing() -> None:
    alone, beside = random_rows(1, [2], [3]), random_rows(1, [2, 4], [3, 2])
    few, many = targets(alone, 4), targets(beside, 4)
    assert few.regions.shape == (1, 2, 4)
    assert many.regions.shape == (2, 4, 4)
    assert not many.regions[0, 2:].any()


def test_only_what_is_wanted_is_predicted() -> None:
    assert list(auxiliary_heads(["relations"], WIDTH, PREDICATES)) == ["relations"]
    assert list(auxiliary_heads(["masks"], WIDTH, PREDICATES)) == ["masks"]
    assert not auxiliary_heads([], WIDTH, PREDICATES)
