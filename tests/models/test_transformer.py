import pytest
import torch
from torch import nn

from semtok.models.transformer import Block, blocks

WIDTH, HEADS = 16, 4


def with_weights_of(block: Block) -> nn.TransformerEncoderLayer:
    """The same block by torch itself."""
    reference = nn.TransformerEncoderLayer(
        WIDTH, HEADS, 4 * WIDTH, dropout=0, activation="gelu", batch_first=True, norm_first=True
    ).double()
    ours = block.state_dict()
    for kind in ("weight", "bias"):
        parts = [ours.pop(f"attention.{name}.{kind}") for name in ("q", "kv")]
        ours[f"attention.qkv.{kind}"] = torch.cat(parts)
    names = {
        "self_attn.in_proj_": "attention.qkv.",
        "self_attn.out_proj.": "attention.out.",
        "linear1.": "mlp.0.",
        "linear2.": "mlp.2.",
        "norm1.": "norm_attention.",
        "norm2.": "norm_mlp.",
    }
    reference.load_state_dict(
        {
            f"{theirs}{kind}": ours[f"{name}{kind}"]
            for theirs, name in names.items()
            for kind in ("weight", "bias")
        }
    )
    return reference


@pytest.mark.parametrize("masking", ["none", "padding", "causal"])
def test_block_equals_torchs_encoder_layer(masking) -> None:
    torch.manual_seed(0)
    block = Block(WIDTH, HEADS, 4.0).double()
    for each in block.parameters():
        nn.init.normal_(each, std=0.3)
    reference = with_weights_of(block)
    x = torch.randn(3, 7, WIDTH, dtype=torch.float64)
    padded = torch.arange(7) >= torch.tensor([7, 4, 1])[:, None]
    if masking == "padding":
        bias = torch.zeros(3, 7).masked_fill(padded, float("-inf"))[:, None, None]
        found, expected = block(x, bias), reference(x, src_key_padding_mask=padded)
    elif masking == "causal":
        mask = nn.Transformer.generate_square_subsequent_mask(7, dtype=torch.float64)
        found, expected = block(x, causal=True), reference(x, src_mask=mask, is_causal=True)
    else:
        found, expected = block(x), reference(x)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    if masking != "causal":
        first = block(x, bias if masking == "padding" else None, queries=2)
        torch.testing.assert_close(first, expected[:, :2], rtol=1e-12, atol=1e-12)


def test_depth_leaves_the_scale_of_the_residual_stream_alone() -> None:
    torch.manual_seed(0)
    scales = []
    for depth in (2, 32):
        x = torch.randn(4, 10, 64)
        for block in blocks(depth, 64, 4, 4.0):
            x = block(x)
        scales.append(x.std().item())
    assert scales[1] < 1.2 * scales[0]
