"""Pictures of superpixels show the image that they were cut from."""

import numpy as np
import pytest
from scipy import ndimage

from semtok.report import superpixels, tokens
from semtok.tokens import shards, superpixel
from semtok.tokens.rows import pack


@pytest.fixture
def image() -> np.ndarray:
    """A smooth picture with a red square."""
    noise = np.random.default_rng(0).uniform(0, 255, (48, 48, 3))
    smooth = ndimage.gaussian_filter(noise, (6, 6, 0))
    smooth[10:26, 20:40] = (200, 30, 60)
    return np.dstack([smooth, np.full((48, 48), 255)]).astype(np.uint8)


def test_tokens_hold_the_image(image):
    settings = superpixel.Settings(image_size=48, levels=2)
    (found,) = superpixel.tokenize([image], [], settings)
    rebuilt = superpixels.rebuilt(found.owners, found.features).astype(int)
    # Boxes no larger than a crop lose nothing but what rounding takes.
    assert (np.abs(rebuilt - image[..., :3]).max(axis=2) <= 6).mean() > 0.97


def test_lines_run_where_regions_meet():
    owners = np.array([[0, 0], [0, 1]], np.uint16)
    drawn = superpixels.outlined(np.zeros((2, 2, 3), np.uint8), owners)
    assert drawn.shape == (6, 6, 3)
    assert (drawn[3, 3:] == 255).all() and (drawn[3:, 3] == 255).all()
    assert not drawn[:3].any() and not drawn[:, :3].any()


def test_tokens_of_superpixels(image, tmp_path, read_png):
    settings = superpixel.Settings(image_size=48, levels=3)
    sets = superpixel.tokenize([image, image], [], settings)
    path = tmp_path / "superpixel" / "0.arrow"
    rows, schema = pack([1, 2], sets, ()), superpixel.schema(settings)
    shards.write(path, schema, rows, (), {"scheme": "superpixel"}, "f")
    tokens.draw(shards.TokenShards(path.parent), tmp_path / "tokens.png")
    red = np.abs(read_png(tmp_path / "tokens.png")[..., :3].astype(int) - (200, 30, 60)).max(axis=2)
    assert (red < 12).sum() > 5000
