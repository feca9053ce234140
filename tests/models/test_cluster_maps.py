"""The clusters that are drawn are those within which attention stays."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import nn

from semtok.models.attention_maps import attention_maps
from semtok.models.cluster_maps import cluster_maps, stage_cluster_maps
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.models.secvit_encoder import SecViTEncoder
from semtok.params import ClusterOrder, EncoderSettings
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows

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


def test_places_of_a_backbone_read_those_of_their_cluster() -> None:
    torch.manual_seed(0)
    vision = VisionConfig(3 * 16**2, 4, False, (), False, False, False, encoder="secvit_tiny")
    encoder = SecViTEncoder(vision, BLOCKS).double().eval()
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    batch = Collate(patch_size=16)(PixelRows(np.arange(2), pixels))
    layers = [stage.blocks[0].attention for stage in encoder.backbone.stages]
    given: list[tuple[torch.Tensor, torch.Tensor]] = []
    for layer in layers:
        layer.register_forward_pre_hook(lambda _, arguments: given.append(arguments))
    found = stage_cluster_maps(encoder, batch)
    assert [each.shape for each in found] == [(2, 1, 64), (2, 2, 16), (2, 4, 4)]
    for layer, (x, rotation), clusters in zip(layers[:3], given, found, strict=False):
        # The layer as it is, but that values are not blurred and heads stay side by side.
        layer.place = Nothing()
        with torch.no_grad():
            layer.out.weight.copy_(torch.eye(len(layer.out.weight)))
        jacobian = torch.autograd.functional.jacobian(
            lambda each, layer=layer, rotation=rotation: layer(each, rotation).flatten(1, 2).sum(0),
            x[:1],
        )
        # [places, heads, size, images, h, w, channels]
        parts = jacobian.unflatten(1, (layer.heads, -1)).flatten(4, 5).abs()
        read = parts.amax(dim=(2, 3, 5)).transpose(0, 1) > 0
        own = clusters[0]
        assert torch.equal(read, own[:, :, None] == own[:, None, :])


class Nothing(nn.Module):
    """What adds nothing."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.zeros_like(x)
