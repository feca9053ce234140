"""From masks and relations to the embedding: what an image is, and nothing else, decides it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.extract import rle
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tokens import semantic
from semtok.tokens.collate import Collate
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction
from semtok.tokens.rows import pack

SETTINGS = semantic.Settings(image_size=16, crop_size=2, max_masks=5, max_relations=6, neighbours=2)
PREDICATES = ("holding", "on", "under")
SIDE = 12
PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)

Masks = list[np.ndarray]
Relations = list[tuple[int, str, int]]


def extraction(masks: Masks, relations: Relations) -> Extraction:
    ends = [(subject, target) for subject, _, target in relations]
    return Extraction.of(
        rle.Runs.of([rle.encode(each) for each in masks]),
        SIDE,
        SIDE,
        ends,
        [name for _, name, _ in relations],
    )


def embed(model: ImageTextModel, *found: Extraction) -> torch.Tensor:
    """[B, P] of images of the same pixels, in one batch."""
    token_sets = semantic.tokenize([PIXELS] * len(found), list(found), SETTINGS)
    rows = pack(range(len(found)), token_sets, PREDICATES)
    with torch.no_grad():
        return model.encode_image(Collate(intangible=True)(rows))


@pytest.fixture(scope="module", params=["layer_head", "predicate", "fixed"])
def model(request) -> ImageTextModel:
    """In float64, with every table as if trained."""
    torch.manual_seed(0)
    value = 0.5 if request.param == "fixed" else None
    vision = VisionConfig(
        16, None, True, PREDICATES, True, True, True, bias_mode=request.param, bias_value=value
    )
    blocks = EncoderSettings(width=16, depth=3, heads=2, mlp_ratio=2.0, embedding=12)
    text = ScratchText(vocabulary=8, context=4, end=1, width=8, depth=1, heads=2)
    made = ImageTextModel(ModelConfig(blocks, vision, text)).double().eval()
    for table in made.vision.bias.parameters():
        torch.nn.init.normal_(table)
    return made


def blobs(random: np.random.Generator, count: int) -> Masks:
    """Masks of scattered pixels: no two centroids are as far from a third."""
    return [random.random((SIDE, SIDE)) < share for share in random.uniform(0.2, 0.6, count)]


def relations_among(random: np.random.Generator, masks: int, count: int) -> Relations:
    return [
        (int(a), str(random.choice(PREDICATES)), int(b))
        for a, b in random.integers(0, masks, (count, 2))
    ]


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**20), count=st.integers(1, 5), relations=st.integers(0, 6))
def test_the_order_of_masks_and_relations_says_nothing(model, seed, count, relations) -> None:
    random = np.random.default_rng(seed)
    masks, related = blobs(random, count), relations_among(random, count, relations)
    order = random.permutation(count)
    place = np.argsort(order)
    renamed = [(int(place[s]), name, int(place[o])) for s, name, o in related]
    renamed = [renamed[n] for n in random.permutation(relations)]
    listed = extraction([masks[n] for n in order], renamed)
    found = embed(model, listed)
    assert (found - embed(model, extraction(masks, related))).abs().max() < 1e-6


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 2**20),
    counts=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), min_size=1, max_size=4),
)
def test_an_image_alone_is_its_row_in_a_batch(model, seed, counts) -> None:
    """Images without masks, of one mask, without relations, and with many, padded together."""
    random = np.random.default_rng(seed)
    found = [
        extraction(blobs(random, masks), relations_among(random, masks, relations if masks else 0))
        for masks, relations in counts
    ]
    together = embed(model, *found)
    alone = torch.cat([embed(model, each) for each in found])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-11)
    assert together.isfinite().all()


def test_an_image_without_masks_is_one_token_of_all_of_it(model) -> None:
    nothing = extraction([], [])
    assert nothing is WHOLE_IMAGE
    everything = extraction([np.ones((SIDE, SIDE), bool)], [])
    torch.testing.assert_close(embed(model, nothing), embed(model, everything))


def test_one_object_has_no_neighbour_and_may_relate_to_itself(model) -> None:
    mask = blobs(np.random.default_rng(1), 1)
    alone, itself = extraction(mask, []), extraction(mask, [(0, "holding", 0)])
    assert embed(model, alone).isfinite().all()
    assert not torch.allclose(embed(model, alone), embed(model, itself))


def test_a_relation_that_is_said_twice_counts_twice(model) -> None:
    masks = blobs(np.random.default_rng(2), 3)
    once = extraction(masks, [(0, "on", 1)])
    twice = extraction(masks, [(0, "on", 1)] * 2)
    assert embed(model, twice).isfinite().all()
    assert not torch.allclose(embed(model, once), embed(model, twice))
