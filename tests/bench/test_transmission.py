"""A link that is trained and measured on little pictures, against scikit-image and by hand."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from semtok.bench import transmission
from semtok.bench.transmission import RATES, SNRS, measure, pictures, send
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings, TransmissionSettings
from semtok.tokens import shards
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from semtok.train.checkpoint import Checkpoint
from semtok.train.text_tokenizer import learn
from semtok.train.transmission import train_link

IMAGES, SIZE = 6, 32
TOKENS = {"scheme": "grid", "settings": {"image_size": SIZE}}


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A model with random weights, and the shards of flat pictures with a box in them."""
    torch.manual_seed(0)
    vision = VisionConfig(8 * 8 * 3, 16, False, (), False, False, False)
    blocks = EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2, embedding=6)
    model = ImageTextModel(ModelConfig(blocks, vision, ScratchText(300, 12, 1, 8, 1, 2))).eval()
    text = learn(["a caption of a thing"], 300, 12)
    random = np.random.default_rng(0)
    pixels = np.empty((IMAGES, SIZE, SIZE, 3), np.uint8)
    pixels[:] = random.integers(0, 256, (IMAGES, 1, 1, 3))
    pixels[:, 8:20, 4:17] = random.integers(0, 256, (IMAGES, 1, 1, 3))
    folder = tmp_path_factory.mktemp("grid")
    rows = PixelRows(np.arange(IMAGES), pixels)
    shards.write(folder / "000.arrow", shards.pixels_schema(SIZE), rows, (), TOKENS, "f")
    ranker = Checkpoint(model, text, TOKENS, Collate(patch_size=8))
    return ranker, TokenShards(folder), pixels


def links_of(given, steps):
    ranker, tokens, _ = given
    recipe = TransmissionSettings("vit", "grid", steps, batch_size=4)
    return {
        choice: train_link(tokens, ranker.collate, ranker.model.vision, choice, recipe)
        for choice in ("attention", "random", "uniform")
    }


def test_the_table_says_what_arrived(given) -> None:
    ranker, tokens, pixels = given
    links = links_of(given, 2)
    asked = []

    def right(batch, places):
        asked.append(batch.features)
        vectors = ranker.model.encode_image(batch)  # computes, as any classifier does
        return (torch.arange(IMAGES)[places] % 3 == 0) & vectors.isfinite().all(dim=1)

    table = measure(links, ranker, tokens, right).to_pylist()
    assert len(table) == 4 * len(RATES) * len(SNRS)
    batch = ranker.collate(tokens.rows(np.arange(IMAGES)))
    np.testing.assert_array_equal(pictures(batch.features).numpy(), pixels)
    for row, drawn, seen in zip(table, send(links, ranker, batch, 0), asked, strict=True):
        assert (row["choice"], row["rate"], row["snr"]) == (drawn.choice, drawn.rate, drawn.snr)
        assert torch.equal(pictures(seen), drawn.pictures)
        pairs = list(zip(pixels, drawn.pictures.numpy(), strict=True))
        whole = (np.stack(each) for each in zip(*pairs, strict=True))
        psnr = peak_signal_noise_ratio(*whole)  # all pictures as one
        ssim = np.mean([structural_similarity(*pair, channel_axis=-1) for pair in pairs])
        assert row["psnr"] == pytest.approx(psnr, abs=1e-6)
        assert row["ssim"] == pytest.approx(ssim, abs=1e-6)
        assert row["accuracy"] == pytest.approx(100 / 3)
        count = math.ceil(row["rate"] * 16)
        capacity = 0.5 * math.log2(1 + 10 ** (row["snr"] / 10))
        index = math.ceil(math.log2(math.comb(16, count)))
        assert row["bits"] == pytest.approx(count * 48 * capacity + index)
        if row["choice"] != transmission.JPEG:
            assert (row["symbols"], row["index_bits"], row["fitting"]) == (48 * count, index, 1)


def test_a_picture_that_arrives_as_it_was_leaves_psnr_finite(given, tmp_path) -> None:
    ranker = given[0]
    pixels = np.full((2, SIZE, SIZE, 3), 128, np.uint8)  # what JPEG codes without loss
    pixels[1] = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3))
    rows = PixelRows(np.arange(2), pixels)
    shards.write(tmp_path / "000.arrow", shards.pixels_schema(SIZE), rows, (), TOKENS, "f")
    batch = ranker.collate(rows)
    links = links_of(given, 1)
    drawn = next(each for each in send(links, ranker, batch, 0) if each.choice == transmission.JPEG)
    assert np.array_equal(drawn.pictures[0].numpy(), pixels[0])
    for row in measure(links, ranker, TokenShards(tmp_path)).to_pylist():
        assert row["psnr"] == pytest.approx(10 * math.log10(255**2 / row["mse"]))
        assert math.isfinite(row["psnr"])


@pytest.mark.slow
def test_a_link_learns_and_is_the_same_twice(given) -> None:
    first, again, longer = links_of(given, 3), links_of(given, 3), links_of(given, 80)
    for choice, link in first.items():
        other = again[choice].state_dict()
        assert all(torch.equal(each, other[name]) for name, each in link.state_dict().items())
    ranker, tokens, _ = given
    few, many = (measure(each, ranker, tokens).to_pylist() for each in (first, longer))
    assert all(
        many[n]["mse"] < 0.8 * few[n]["mse"] for n in range(len(few)) if few[n]["choice"] != "jpeg"
    )
    errors = {(row["choice"], row["rate"], row["snr"]): row["mse"] for row in many}
    for choice in longer:
        assert errors[choice, 1.0, 20.0] < errors[choice, 0.1, 20.0]
        assert errors[choice, 1.0, 20.0] < errors[choice, 1.0, 0.0]
