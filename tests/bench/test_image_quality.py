"""Against scikit-image, and JPEG against what its file takes."""

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from semtok.bench import image_quality, jpeg


@pytest.mark.parametrize("shape", [(7, 7, 3), (24, 33, 3), (16, 16, 1)])
def test_measures_are_those_of_scikit_image(shape) -> None:
    random = np.random.default_rng(sum(shape))
    one = random.integers(0, 256, (3, *shape), np.uint8)
    noise = random.normal(0, [[[[3]]], [[[40]]], [[[200]]]], one.shape)
    other = np.clip(one + noise, 0, 255).round().astype(np.uint8)
    pair = torch.from_numpy(one), torch.from_numpy(other)
    for measure, wanted in (
        (image_quality.mean_square_error, mean_squared_error),
        (
            lambda a, b: image_quality.psnr(image_quality.mean_square_error(a, b)),
            peak_signal_noise_ratio,
        ),
        (image_quality.ssim, lambda a, b: structural_similarity(a, b, channel_axis=-1)),
    ):
        found = measure(*pair)
        expected = [wanted(a, b) for a, b in zip(one, other, strict=True)]
        np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-6 * max(expected))


def test_a_picture_is_most_like_itself() -> None:
    image = torch.randint(0, 256, (2, 9, 9, 3), dtype=torch.uint8)
    error = image_quality.mean_square_error(image, image)
    assert (image_quality.psnr(error) == float("inf")).all()
    torch.testing.assert_close(image_quality.ssim(image, image), torch.ones(2).double())


def test_jpeg_takes_no_more_bits_than_there_are() -> None:
    random = np.random.default_rng(0)
    image = cv2.GaussianBlur(random.integers(0, 256, (64, 64, 3), np.uint8), (9, 9), 3)
    files = jpeg.Files.of(image)
    assert files.within(100) is None
    errors = []
    for bits in (9_000, 12_000, 20_000, 1_000_000):
        error = np.square(files.within(bits).astype(float) - image).mean()
        # No file that fits, as decoded here, is much nearer than the one that is taken.
        others = [
            np.square(cv2.imdecode(each, cv2.IMREAD_COLOR)[..., ::-1].astype(float) - image).mean()
            for each in files.files
            if 8 * len(each.tobytes()) <= bits
        ]
        assert error <= 1.02 * min(others)
        errors.append(float(error))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 3
