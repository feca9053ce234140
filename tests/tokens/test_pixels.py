import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from semtok.errors import SemtokError
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
