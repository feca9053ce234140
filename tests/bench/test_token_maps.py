"""What stands at which place of an image, of patches, superpixels and others."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from semtok.bench.image_tokens import reader
from semtok.bench.token_maps import of_rows
from semtok.errors import SemtokError
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText
from semtok.params import EncoderSettings
from semtok.tokens import semantic, superpixel
from semtok.tokens.collate import Collate
from semtok.tokens.extraction import WHOLE_IMAGE
from semtok.tokens.rows import pack
from semtok.train import checkpoint
from semtok.train.text_tokenizer import learn

SETTINGS = superpixel.Settings(image_size=16, crop_size=4, levels=2)


@pytest.fixture(scope="module")
def superpixels(tmp_path_factory):
    """A variant of superpixels with two registers and random weights: its training's folder."""
    tokenizer = learn(["a caption of x"], 270, 24)
    torch.manual_seed(0)
    model = ImageTextModel(
        ModelConfig(
            encoder=EncoderSettings(width=8, depth=2, heads=2, mlp_ratio=2, embedding=6),
            vision=VisionConfig(
                64, None, True, (), False, False, False, registers=2, geometry_dim=256
            ),
            text=ScratchText(tokenizer.vocabulary, 24, tokenizer.end, 8, 1, 2),
        )
    )
    settings = {"image_size": 16, "crop_size": 4, "levels": 2}
    tokens = {"scheme": "superpixel", "settings": settings}
    folder = tmp_path_factory.mktemp("superpixels") / "seed-0"
    made = checkpoint.Checkpoint(model, tokenizer, tokens, Collate())
    checkpoint.save(folder, made, [(1, "loss", 3.0)], {})
    return folder


def test_superpixels_are_where_their_pixels_are(superpixels, tmp_path) -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (16, 16, 4), np.uint8) for _ in range(3)]
    images[1][4:] = 0  # fewer regions than the others: padding
    token_sets = superpixel.tokenize(images, [], SETTINGS)
    trained = checkpoint.load(superpixels)
    found = of_rows(trained, pack([1, 2, 3], token_sets, ()), "values")
    assert len({len(each.features) for each in found}) > 1
    for each, tokens, image in zip(found, token_sets, images, strict=True):
        assert (each.owners == tokens.owners).all()
        assert each.features.shape == (len(tokens.features), 8)
        alone = of_rows(trained, pack([0], [tokens], ()), "values")[0]
        torch.testing.assert_close(alone.features, each.features)
        Image.fromarray(image[..., :3]).save(tmp_path / "image.png")
        read = reader(superpixels, "values")(tmp_path / "image.png")
        assert (read.owners == each.owners).all()
        torch.testing.assert_close(read.features, each.features)


def test_tokens_that_do_not_lie_side_by_side_have_no_map(superpixels) -> None:
    image = np.zeros((16, 16, 4), np.uint8)
    settings = semantic.Settings(
        image_size=16, crop_size=4, max_masks=2, max_relations=2, neighbours=1
    )
    regions = pack([0], semantic.tokenize([image], [WHOLE_IMAGE], settings), ())
    assert of_rows(checkpoint.load(superpixels), regions, "keys") is None


def test_a_variant_that_needs_more_than_pixels_is_refused(superpixels, tmp_path) -> None:
    config = json.loads((superpixels / "config.json").read_text())
    settings = {
        "image_size": 16,
        "crop_size": 4,
        "max_masks": 2,
        "max_relations": 2,
        "neighbours": 1,
    }
    config["tokens"] = {"scheme": "semantic", "settings": settings}
    shutil.copytree(superpixels, tmp_path / "semantic")
    (tmp_path / "semantic/config.json").write_text(json.dumps(config))
    with pytest.raises(SemtokError, match="semantic: its tokens need more than pixels; name a var"):
        reader(tmp_path / "semantic", "keys")
