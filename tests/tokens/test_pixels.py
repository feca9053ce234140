import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from semtok.errors import SemtokError
from semtok.extract.photos import read_image
from semtok.tokens.pixels import decode


def scene(width: int = 320, height: int = 240) -> Image.Image:
    """Smooth, and different at every corner and in every channel."""
    y, x = np.mgrid[:height, :width] / (height, width)[0]
    channels = [120 + 100 * np.sin(3 * x), 60 + 90 * y, 200 - 80 * x * y]
    return Image.fromarray(np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    stream = io.BytesIO()
    if kind == "JPEG":
        options = {"quality": 95, **options}
    image.save(stream, kind, **options)
    return stream.getvalue()


def expected(image: Image.Image, size: int) -> np.ndarray:
    """Pillow's own reduction of the whole image, by area."""
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BOX), np.float64)


JPEG, PNG = encode(scene()), encode(scene(), "PNG")


@pytest.mark.parametrize("size", [16, 50, 128, 224, 240])
@pytest.mark.parametrize("data", [JPEG, PNG], ids=["jpeg", "png"])
def test_agrees_with_a_reduction_of_the_whole_image(data, size):
    pixels = decode(data, size)
    assert pixels.dtype == np.uint8
    assert (pixels[..., 3] == 255).all()
    assert np.abs(pixels[..., :3] - expected(scene(), size)).mean() < 1.5


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 64), st.sampled_from(["JPEG", "PNG"]))
def test_every_shape_becomes_a_square(width, height, size, kind):
    assert decode(encode(scene(width, height), kind), size).shape == (size, size, 4)


def test_a_jpeg_of_training_size_is_decoded_as_it_is():
    image = scene(64, 64)
    data = encode(image, subsampling=0)
    assert np.abs(decode(data, 64)[..., :3] - np.asarray(image, np.int64)).max() <= 3


def noise(height: int, width: int) -> Image.Image:
    random = np.random.default_rng(height + width)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), np.uint8))


def read(data: bytes, size: int, folder: Path) -> np.ndarray:
    path = folder / "image.png"
    path.write_bytes(data)
    return read_image(path, size)


@pytest.mark.parametrize(("height", "width"), [(212, 640), (30, 640), (640, 212), (223, 449)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_is_shrunk_along_one_side_alone_does_not_alias(kind, height, width, tmp_path):
    """Stripes of a pixel, across the side that is shrunk: what is left of them is their mean."""
    stripes = np.zeros((max(height, width), min(height, width), 3), np.uint8)
    stripes[::2] = 255
    data = encode(Image.fromarray(stripes if height > width else stripes.swapaxes(0, 1)), kind)
    # One row or column more or less in a pixel of 640 / 224 of them.
    most = np.std(expected(Image.open(io.BytesIO(data)), 224)) + 1
    assert decode(data, 224)[..., :3].std() < most
    assert read(data, 224, tmp_path).std() < most


@given(height=st.integers(1, 40), width=st.integers(81, 200), turned=st.booleans())
def test_a_long_image_is_averaged_along_and_interpolated_across(height, width, turned):
    """Exact areas in float64 along, OpenCV's bilinear of those across."""
    image = np.asarray(noise(height, width))
    edges = np.arange(41) * width / 40
    upto = np.pad(image.cumsum(axis=1, dtype=np.float64), ((0, 0), (1, 0), (0, 0)))
    at = np.minimum(edges.astype(int), width - 1)
    upto = upto[:, at] + (edges - at)[:, None] * image[:, at]
    wanted = cv2.resize(np.diff(upto, axis=1) * 40 / width, (40, 40))
    data = Image.fromarray(image.swapaxes(0, 1) if turned else image)
    found = decode(encode(data, "PNG"), 40)[..., :3]
    # Both steps are rounded to bytes, the second from weights of 11 bits.
    assert np.abs((found.swapaxes(0, 1) if turned else found) - wanted).max() < 1.25


@pytest.mark.parametrize("shape", [(64, 64), (64, 300), (65, 300), (127, 20), (20, 30), (128, 5)])
def test_other_shapes_are_resized_in_one_step(shape, tmp_path):
    image = noise(*shape)
    data, pixels = encode(image, "PNG"), np.asarray(image)
    method = cv2.INTER_LINEAR if max(shape) <= 128 else cv2.INTER_AREA
    wanted = cv2.resize(pixels, (64, 64), interpolation=method)
    np.testing.assert_array_equal(decode(data, 64)[..., :3], wanted)
    if not min(shape) < 64 < max(shape):
        wanted = cv2.resize(pixels, (64, 64), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(read(data, 64, tmp_path), wanted)


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colour_spaces_become_rgb(mode):
    image = scene().convert(mode)
    assert np.abs(decode(encode(image), 64)[..., :3] - expected(image, 64)).mean() < 2


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "I;16"])
def test_kinds_of_png_become_rgb(mode):
    image = scene().convert("L" if mode == "I;16" else mode)
    data = encode(image, "PNG")
    if mode == "I;16":
        deep = Image.fromarray(np.asarray(image).astype(np.uint16) * 257)
        data = encode(deep, "PNG")
    assert np.abs(decode(data, 64)[..., :3] - expected(image, 64)).mean() < 2


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_exif_orientation_is_ignored(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    turned = decode(encode(scene(), kind, exif=exif), 64)
    np.testing.assert_array_equal(turned, decode(encode(scene(), kind), 64))


@given(st.floats(0, 0.999), st.sampled_from([JPEG, PNG]))
def test_a_truncated_file_is_refused(share, data):
    with pytest.raises(SemtokError, match="unreadable image"):
        decode(data[: int(share * len(data))], 64)


def test_padding_before_a_marker_is_no_fault():
    at = JPEG.index(b"\xff\xc4")
    padded = decode(JPEG[:at] + b"\0\0" + JPEG[at:], 64)
    assert np.abs(padded - decode(JPEG, 64).astype(np.int64)).mean() < 1


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8", None])
def test_a_message_names_the_file(tmp_path: Path, content):
    path = tmp_path / "000000000042.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SemtokError, match=r"000000000042\.jpg: unreadable image \(.+\); ") as info:
        decode(path, 64)
    assert "\n" not in str(info.value)


def test_reads_files(tmp_path: Path):
    path = tmp_path / "image.jpg"
    path.write_bytes(JPEG)
    np.testing.assert_array_equal(decode(path, 64), decode(JPEG, 64))


def test_coco_images_agree_with_a_reduction_of_the_whole_image(coco_sample: Path):
    for path in sorted((coco_sample / "val2017").glob("*.jpg"))[:10]:
        difference = np.abs(decode(path, 224)[..., :3] - expected(Image.open(path), 224))
        # Bilinear against area sampling, on real texture.
        assert difference.mean() < 6
