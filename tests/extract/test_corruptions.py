"""Corruptions against Pillow, scipy and scikit-image, and what holds of each of any picture."""

import io
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, stats
from skimage import data, transform
from skimage.metrics import mean_squared_error

from semtok.extract.corruptions import CLEAN, KINDS, Corruption, corrupt

SEVERITIES = range(1, 6)


@cache
def picture(size: int = 96) -> NDArray[np.uint8]:
    """A photograph, as the tokenizers are given it."""
    shrunk = transform.resize(data.astronaut(), (size, size), anti_aliasing=True)
    opaque = np.ones((size, size, 1))
    return np.rint(255 * np.concatenate([shrunk, opaque], axis=2)).astype(np.uint8)


def spoilt(kind: str, severity: int, image_id: int = 1, size: int = 96) -> NDArray[np.uint8]:
    return corrupt(picture(size), image_id, Corruption(kind, severity))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("image_id", [0, 7, 581929])
def test_each_severity_is_further_from_the_clean_picture(kind, image_id):
    clean = picture()
    far = [mean_squared_error(clean, spoilt(kind, each, image_id)) for each in range(6)]
    assert far[0] == 0
    assert (np.diff(far) > 0).all()


@given(
    st.tuples(st.integers(8, 40), st.integers(8, 40)),
    st.sampled_from(KINDS),
    st.sampled_from(SEVERITIES),
    st.integers(0, 2**40),
)
def test_any_picture_is_corrupted_to_the_same_bytes_each_time(sides, kind, severity, image_id):
    pixels = np.random.default_rng(sides).integers(0, 256, (*sides, 4), np.uint8)
    before = pixels.copy()
    found = corrupt(pixels, image_id, Corruption(kind, severity))
    assert (found.shape, found.dtype) == (pixels.shape, np.uint8)
    assert np.array_equal(found[..., 3], pixels[..., 3])
    assert np.array_equal(pixels, before)
    again = corrupt(np.ascontiguousarray(pixels[..., :3]), image_id, Corruption(kind, severity))
    assert np.array_equal(found[..., :3], again)


def test_a_clean_picture_is_the_picture():
    assert corrupt(picture(), 1, CLEAN) is picture()


@pytest.mark.parametrize("kind", ["noise", "occlusion", "colour"])
def test_what_is_random_is_drawn_for_each_image(kind):
    assert not np.array_equal(spoilt(kind, 3, image_id=1), spoilt(kind, 3, image_id=2))


@pytest.mark.parametrize(("severity", "quality"), [*enumerate((25, 18, 15, 10, 7), start=1)])
def test_jpeg_is_what_pillow_writes(severity, quality):
    file = io.BytesIO()
    Image.fromarray(picture()[..., :3]).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    wanted = np.asarray(Image.open(file)).astype(int)
    assert np.abs(spoilt("jpeg", severity)[..., :3] - wanted).max() <= 4


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("size", [96, 224])
def test_blur_is_scipys(severity, size):
    sigma = (1, 2, 3, 4, 6)[severity - 1] * size / 224
    clean = picture(size)[..., :3].astype(float)
    wanted = ndimage.gaussian_filter(clean, (sigma, sigma, 0), mode="mirror", truncate=3)
    assert np.abs(spoilt("blur", severity, size=size)[..., :3] - wanted).max() < 2


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noise_is_normal_and_of_no_two_pixels_alike(severity):
    """On grey of so low a contrast that hardly anything is clipped."""
    deviation = 255 * (0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1]
    grey = np.full((96, 96, 4), 128, np.uint8)
    noise = corrupt(grey, 3, Corruption("noise", severity))[..., :3].astype(float) - 128
    inside = np.abs(noise) < 127
    cut = stats.truncnorm(-127 / deviation, 127 / deviation, scale=deviation)
    # Half a grey level of rounding is far below the smallest deviation.
    assert stats.kstest(noise[inside][:2000] + 0.0, cut.cdf).statistic < 0.05
    for axis in range(3):
        shifted = np.roll(noise, 1, axis)
        assert abs(np.corrcoef(noise.ravel(), shifted.ravel())[0, 1]) < 0.03


@pytest.mark.parametrize("image_id", range(20))
def test_occlusion_is_one_grey_rectangle_that_grows(image_id):
    last = np.zeros((96, 96), bool)
    for severity, share in zip(SEVERITIES, (0.05, 0.1, 0.2, 0.3, 0.4), strict=True):
        white = np.full((96, 96, 4), 255, np.uint8)
        found = corrupt(white, image_id, Corruption("occlusion", severity))[..., :3]
        covered = (found == 128).all(axis=2)
        assert (found[~covered] == 255).all()
        (box,) = ndimage.find_objects(covered.astype(int))
        assert covered[box].all()
        assert covered.mean() == pytest.approx(share, abs=0.02)
        assert covered[last].all()
        last = covered


@pytest.mark.parametrize("image_id", range(5))
def test_occlusion_of_a_stretched_picture_hides_the_same(image_id):
    square, wide = (np.zeros((96, width, 3), np.uint8) for width in (96, 192))
    hidden = [corrupt(each, image_id, Corruption("occlusion", 3)) > 0 for each in (square, wide)]
    assert (np.repeat(hidden[0], 2, axis=1) == hidden[1]).mean() > 0.98


@pytest.mark.parametrize("image_id", range(5))
def test_colour_is_a_gain_a_channel(image_id):
    strongest = []
    for severity in SEVERITIES:
        dark = picture().copy()
        dark[..., :3] //= 2  # so that nothing is clipped
        found = corrupt(dark, image_id, Corruption("colour", severity))[..., :3].astype(float)
        gains = [
            stats.linregress(dark[..., channel].ravel(), found[..., channel].ravel())
            for channel in range(3)
        ]
        slopes = np.log([each.slope for each in gains])
        assert min(each.rvalue for each in gains) > 0.999
        assert abs(slopes.sum()) < 0.02
        strongest.append(np.abs(slopes).max())
    assert strongest == pytest.approx([0.1, 0.2, 0.3, 0.45, 0.6], abs=0.02)
