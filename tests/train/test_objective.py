"""Auxiliary losses against loops over pairs and relations, one at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from semtok.models.auxiliary import auxiliary_heads
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tokens.collate import Collate
from semtok.tokens.rows import RegionRows, RelatedPixelRows
from semtok.train.batches import Batch
from semtok.train.loss import info_nce
from semtok.train.objective import Objective, mask_loss, relation_loss
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


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), images=IMAGES)
def test_batches_are_encoded_in_parts_of_similar_size_and_contrasted_as_one(seed, images) -> None:
    rows = random_rows(seed, *map(list, zip(*images, strict=True))).regions
    tokens = Collate(intangible=True)(rows)
    torch.manual_seed(seed)
    vision = VisionConfig(4, None, True, ("on", "under", "by"), True, True, False)
    encoder = EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2.0, embedding=6)
    text = ScratchText(vocabulary=9, context=4, end=2, width=8, depth=1, heads=2)
    model = ImageTextModel(ModelConfig(encoder, vision, text)).double()
    ids = torch.randint(3, 9, (len(images), 4))
    ids[:, -1] = text.end
    [found] = Objective(model, nn.ModuleDict())(Batch(tokens, ids))
    embedded = model.encode_image(tokens), model.encode_text(ids)
    expected = info_nce(embedded[0].float(), embedded[1].float(), model.logit_scale)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    gradients = torch.autograd.grad(found, [*model.vision.parameters()])
    plain = torch.autograd.grad(expected, [*model.vision.parameters()])
    for one, other in zip(gradients, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
