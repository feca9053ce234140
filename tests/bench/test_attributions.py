"""Attributions of a small variant of superpixels, and their picture."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from semtok.bench.attributions import attributions
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.report import attributions as report
from semtok.tokens import shards, superpixel
from semtok.tokens.collate import Collate
from semtok.tokens.rows import pack
from semtok.train import checkpoint
from semtok.train.text_tokenizer import learn

SETTINGS = superpixel.Settings(image_size=16, crop_size=2, levels=2)
TOKENS = {"scheme": "superpixel", "settings": {"image_size": 16}}


@pytest.fixture
def variant(tmp_path):
    """Three images in shards, and a checkpoint of random weights."""
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 4), dtype=np.uint8)
    rows = pack([4, 5, 6], superpixel.tokenize(list(images), [], SETTINGS), ())
    path = tmp_path / "superpixel-val" / "000.arrow"
    shards.write(path, superpixel.schema(SETTINGS), rows, (), TOKENS, "f")
    captions = ["a red box", "a blue box", "a red box"]
    tokenizer = learn(captions, 270, 16)
    torch.manual_seed(0)
    config = ModelConfig(
        encoder=EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2, embedding=6),
        vision=VisionConfig(16, None, True, (), False, False, False, geometry_dim=256),
        text=ScratchText(tokenizer.vocabulary, 16, tokenizer.end, 8, 1, 2),
    )
    made = checkpoint.Checkpoint(ImageTextModel(config), tokenizer, TOKENS, Collate())
    checkpoint.save(tmp_path / "seed-0", made, [], {})
    table = pa.table({"caption_id": [1, 2, 3], "image_id": [4, 5, 6], "caption": captions})
    return tmp_path / "seed-0", path.parent, table, rows


def test_every_superpixel_has_its_values(variant, tmp_path):
    folder, tokens, captions, rows = variant
    found = attributions(folder, tokens, captions, images=2)
    first = int(rows.region_counts[:2].sum())
    assert found.rows.image_ids.tolist() == [4, 5]
    for values in (found.attention_flow, found.prototype_component):
        assert values.shape == (first,)
        for one in np.split(values, [rows.region_counts[0]]):
            np.testing.assert_allclose([one.mean(), one.std()], [0, 1], atol=1e-6)
    again = attributions(folder, tokens, captions, images=2)
    np.testing.assert_array_equal(found.attention_flow, again.attention_flow)
    pictures = []
    for name in ("one", "other"):
        report.draw(found, tmp_path / f"{name}.png")
        pictures.append((tmp_path / f"{name}.png").read_bytes())
    assert pictures[0] == pictures[1]
    drawn = np.asarray(Image.open(tmp_path / "one.png"))[..., :3].astype(int)
    # Both ends of the colours: more than the mean, and less.
    assert (drawn[..., 0] - drawn[..., 2] > 60).sum() > 300
    assert (drawn[..., 2] - drawn[..., 0] > 60).sum() > 300


def test_the_scores_of_superpixels_have_a_picture(variant, tmp_path):
    folder, tokens, captions, _ = variant
    assert report.draw_first(folder, tokens, captions, tmp_path) == ("attributions.png",)
    assert Image.open(tmp_path / "attributions.png").size[0] > 500


def test_other_tokens_are_not_attributed(trained, tmp_path):
    folder, val = trained.checkpoint / "seed-0", trained.shards["val"]
    assert report.draw_first(folder, val, trained.captions, tmp_path) == ()
    assert attributions(folder, trained.shards["val"], trained.captions, images=2) is None
