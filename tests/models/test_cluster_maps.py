"""The clusters that are drawn are those within which attention stays."""

from dataclasses import replace
from typing import get_args

import pytest
import torch

from semtok.models.attention_maps import attention_maps
from semtok.models.cluster_maps import cluster_maps
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import ClusterOrder, EncoderSettings

BLOCKS = EncoderSettings(width=16, depth=3, heads=2, mlp_ratio=2.0, embedding=8)


@pytest.mark.parametrize("order", get_args(ClusterOrder))
@pytest.mark.parametrize("registers", [0, 2])
def test_patches_see_those_of_their_cluster(patches_of, order, registers) -> None:
    torch.manual_seed(0)
    grid = VisionConfig(48, 4, False, (), False, False, False)
    vision = replace(grid, clusters=2, cluster_order=order, registers=registers)
    encoder, batch = VisualTokenEncoder(vision, BLOCKS).double(), patches_of(0, 3)
    found = cluster_maps(encoder, batch)
    assert found.shape == (3, 2, 2, 4)
    assert bool((found.sort(-1).values == torch.tensor([0, 0, 1, 1])).all())
    seen = attention_maps(encoder, batch)[:, :-1, :, encoder.leading :, encoder.leading :] > 0
    assert torch.equal(seen, found[..., :, None] == found[..., None, :])
