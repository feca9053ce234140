"""The SECViT backbones: published sizes, the attention layer in plain float64, the encoder."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.pictures import assembled
from semtok.models.secvit import FEATURES, SHAPES, ClusteredAttention, SecViT, rotated, rotations
from semtok.models.secvit_encoder import SecViTEncoder
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tokens.batch import TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows

BLOCKS = EncoderSettings(width=16, depth=2, heads=2, mlp_ratio=2.0, embedding=12)
VISION = replace(VisionConfig(3 * 16**2, 16, False, (), False, False, False), encoder="secvit_tiny")
TEXT = ScratchText(vocabulary=20, context=9, end=2, width=16, depth=1, heads=2)
CLASSES = 1000


def batch_of(seed: int, images: int) -> tuple[np.ndarray, TokenBatch]:
    pixels = np.random.default_rng(seed).integers(0, 256, (images, 64, 64, 3), np.uint8)
    return pixels, Collate(patch_size=16)(PixelRows(np.arange(images), pixels))


@pytest.mark.parametrize(
    ("name", "millions"),
    [("secvit_t", 15), ("secvit_s", 27), ("secvit_b", 55), ("secvit_l", 96)],
)
def test_sizes_are_the_published_ones(name, millions) -> None:
    with torch.device("meta"):
        backbone = SecViT(SHAPES[name])
    of_classifier = (FEATURES + 1) * CLASSES
    found = sum(each.numel() for each in backbone.parameters()) + of_classifier
    assert found == pytest.approx(millions * 1e6, rel=0.01)


def test_at_224_pixels_a_cluster_has_98_tokens() -> None:
    with torch.device("meta"):
        backbone = SecViT(SHAPES["secvit_t"])
    clusters = [stage.blocks[0].attention.clusters.count for stage in backbone.stages]
    sides = (56, 28, 14, 7)
    each = [side**2 // count for side, count in zip(sides, clusters, strict=True)]
    assert each == [98, 98, 98, 49]


def attention_reference(layer: ClusteredAttention, x: np.ndarray) -> np.ndarray:
    """One picture [h, w, width], a head and a token at a time."""
    rows, columns = x.shape[:2]
    state = {name: each.detach().numpy() for name, each in layer.state_dict().items()}
    q, k, v = np.split(x @ state["qkv.weight"].T + state["qkv.bias"], 3, axis=-1)
    size, clusters = layer.head_size, layer.clusters.count
    mixed = np.zeros_like(v)
    places = [(row, column) for row in range(rows) for column in range(columns)]
    for head in range(layer.heads):
        part = slice(head * size, (head + 1) * size)

        def turned(vectors, part=part):
            found = []
            for place in places:
                numbers = vectors[place][part].view(complex)
                count = len(numbers) // 2
                paces = [10000 ** -(i / (count - 1)) for i in range(count)]
                angles = [place[0] * pace for pace in paces] + [place[1] * pace for pace in paces]
                found.append((numbers * np.exp(1j * np.array(angles))).view(float))
            return np.array(found)

        queries, keys, values = turned(q), turned(k), np.array([v[place][part] for place in places])
        keys = keys / math.sqrt(size)
        towards = keys.mean(0)
        cosines = [key @ towards / np.linalg.norm(key) / np.linalg.norm(towards) for key in keys]
        for members in np.argsort(cosines).reshape(clusters, -1):
            for query in members:
                weights = np.exp(keys[members] @ queries[query])
                mixed[places[query]][part] = weights / weights.sum() @ values[members]
    kernel, padded = state["place.weight"][:, 0], np.pad(v, ((2, 2), (2, 2), (0, 0)))
    for row, column in places:
        window = padded[row : row + 5, column : column + 5]
        mixed[row, column] += np.einsum("ijc,cij->c", window, kernel) + state["place.bias"]
    return mixed @ state["out.weight"].T + state["out.bias"]


@pytest.mark.parametrize("clusters", [1, 4])
def test_attention_is_the_published_one(clusters) -> None:
    torch.manual_seed(0)
    layer = ClusteredAttention(16, 2, clusters).double()
    x = torch.randn(2, 4, 6, 16, dtype=torch.float64)
    found = layer(x, rotations(4, 6, 8, x)).detach().numpy()
    for image in range(2):
        expected = attention_reference(layer, x[image].numpy())
        np.testing.assert_allclose(found[image], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("clusters", [1, 2])
def test_gradients_of_the_attention(clusters) -> None:
    """Through rotations, clusters and the convolution of values."""
    torch.manual_seed(4)
    layer = ClusteredAttention(8, 2, clusters).double()
    x = torch.randn(1, 2, 3, 8, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in layer.named_parameters()]
    turns = rotations(2, 3, 4, x)

    def mix(x, *given):
        state = dict(zip(names, given, strict=True))
        return torch.func.functional_call(layer, state, (x, turns))

    assert torch.autograd.gradcheck(mix, (x, *layer.parameters()), fast_mode=True)


def test_a_rotated_product_depends_on_the_offset_alone() -> None:
    random = torch.Generator().manual_seed(1)
    q, k = torch.randn(2, 8, dtype=torch.float64, generator=random)
    grid = rotations(5, 5, 8, q)
    everywhere = [rotated(each.expand(1, 1, 25, 8), grid)[0, 0] for each in (q, k)]
    products = (everywhere[0] @ everywhere[1].T).view(5, 5, 5, 5)
    torch.testing.assert_close(products[1, 1, 3, 2], products[2, 3, 4, 4])
    torch.testing.assert_close(products[4, 2, 0, 3], products[4, 1, 0, 2])
    assert not torch.isclose(products[1, 1, 3, 2], products[1, 1, 2, 3])


def test_flops_are_what_torch_counts() -> None:
    model = SecViTEncoder(VISION, BLOCKS)
    _, batch = batch_of(0, 2)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(batch)
    assert 2 * model.flops(16) == counter.get_total_flops()


def test_patches_are_joined_to_the_picture() -> None:
    pixels, batch = batch_of(1, 2)
    expected = torch.from_numpy(pixels).double().permute(0, 3, 1, 2) / 127.5 - 1
    assert torch.equal(assembled(batch.features, torch.float64), expected)


def test_an_image_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(2)
    model = SecViTEncoder(VISION, BLOCKS).double().eval()
    _, batch = batch_of(2, 3)
    with torch.inference_mode():
        together = model(batch)
        for image in range(3):
            told = {name: each for name, each in vars(batch).items() if each is not None}
            alone = TokenBatch(**{name: each[[image]] for name, each in told.items()})
            torch.testing.assert_close(model(alone)[0], together[image], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("scaled", [False, True])
def test_every_parameter_learns(scaled, monkeypatch) -> None:
    shape = replace(SHAPES["secvit_tiny"], scaled=(scaled,) * 4)
    monkeypatch.setitem(SHAPES, "secvit_tiny", shape)
    torch.manual_seed(3)
    model = SecViTEncoder(VISION, BLOCKS).double()
    model(batch_of(3, 2)[1]).pow(3).sum().backward()
    for name, each in model.named_parameters():
        assert each.grad is not None, name
        assert each.grad.any(), name


def test_all_parameters_have_one_role() -> None:
    model = ImageTextModel(ModelConfig(BLOCKS, VISION, TEXT))
    roles = model.parameters_by_role()
    assert sum(roles.values()) == sum(each.numel() for each in model.parameters())
    assert roles["bias"] == 0
