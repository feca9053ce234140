"""Attributions by numpy, an image at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from semtok.models.attention_maps import attention_maps
from semtok.models.attributions import attention_flow, prototype_component
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import EncoderSettings
from semtok.tokens.batch import SUPERPIXEL, TokenBatch

BLOCKS = EncoderSettings(width=16, depth=3, heads=2, mlp_ratio=2.0, embedding=12)
COUNTS = [5, 2, 7]


@pytest.fixture(params=[0, 2])
def encoder(request) -> VisualTokenEncoder:
    torch.manual_seed(0)
    vision = VisionConfig(
        12, None, True, (), False, False, False, registers=request.param, geometry_dim=9
    )
    return VisualTokenEncoder(vision, BLOCKS).double()


@pytest.fixture
def batch() -> TokenBatch:
    random = torch.Generator().manual_seed(1)
    valid = torch.arange(max(COUNTS)) < torch.tensor(COUNTS)[:, None]
    features = torch.randint(0, 256, (*valid.shape, 12), generator=random).to(torch.uint8)
    return TokenBatch(
        features=features * valid[..., None],
        geometry=torch.rand((*valid.shape, 9), generator=random) * valid[..., None],
        kind=valid * SUPERPIXEL,
        valid=valid,
        edges=torch.empty((len(COUNTS), 0, 4), dtype=torch.int64),
        neighbours=torch.empty((*valid.shape, 0), dtype=torch.int64),
    )


def standardised(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / values.std()


def test_attention_flow_is_a_product_of_matrices_a_head(encoder, batch) -> None:
    found, maps = attention_flow(encoder, batch).numpy(), attention_maps(encoder, batch).numpy()
    for image, count in enumerate(COUNTS):
        own = [*range(encoder.leading + count)]
        flows = []
        for head in range(BLOCKS.heads):
            flow = np.eye(len(own))
            for block in range(BLOCKS.depth):
                attention = maps[image, block, head][np.ix_(own, own)]
                flow = (0.9 * attention + 0.1 * np.eye(len(own))) @ flow
            flows.append(flow[0, encoder.leading :])
        wanted = standardised(np.log(np.max(flows, axis=0)))
        np.testing.assert_allclose(found[image, :count], wanted, atol=1e-9)
        assert not found[image, count:].any()


def test_the_component_is_the_first_of_tokens_and_prototypes(encoder, batch) -> None:
    prototypes = F.normalize(torch.randn(4, 12, generator=torch.Generator().manual_seed(2)), dim=1)
    found = prototype_component(encoder, batch, prototypes).numpy()
    with torch.no_grad():
        x = encoder.blocks[-1](*encoder.contextualise(batch))
        tokens = F.normalize(encoder.projection(encoder.norm(x)), dim=-1)[:, encoder.leading :]
    for image, count in enumerate(COUNTS):
        rows = np.concatenate([tokens[image, :count].numpy(), prototypes.double().numpy()])
        rows -= rows.mean(axis=0)
        along = rows @ np.linalg.svd(rows)[2][0]
        along *= np.sign(along[count:].mean())
        np.testing.assert_allclose(found[image, :count], standardised(along[:count]), atol=1e-7)
        assert not found[image, count:].any()
