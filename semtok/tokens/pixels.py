"""Image file -> the training-size pixels that every tokenizer starts from."""

import cv2
import numpy as np
import simplejpeg

from semtok.errors import UnreadableImageError
from semtok.extract.photos import stretch
from semtok.remote import AnyPath
from semtok.tokens.rows import UInt8

#: Bilinear sampling skips no source pixel up to this reduction; beyond it would alias.
_BILINEAR_LIMIT = 2


def decode(source: AnyPath | bytes, size: int) -> UInt8:
    """Decode an image and stretch it to a square.

    A JPEG is decoded at the smallest of libjpeg-turbo's DCT scales (eighths) whose sides are at
    least `size`. EXIF orientation is ignored: COCO's annotations count pixels as they are stored.

    Args:
        source: a file or its bytes: JPEG, PNG or what else OpenCV reads.
        size: side S of the result in pixels.

    Returns:
        [S, S, 4] uint8 RGB and 255; the aspect ratio is not kept.

    Raises:
        UnreadableImageError: it is missing, truncated, corrupt or of an unknown format.
    """
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        pixels = _decode_jpeg(data, size) if data[:2] == b"\xff\xd8" else _decode_other(data)
    except (OSError, ValueError) as error:
        name = "image" if isinstance(source, bytes) else str(source)
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnreadableImageError(name, f"unreadable image ({reason})") from None
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    if max(height, width) > _BILINEAR_LIMIT * size:
        return stretch(pixels, size)
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR))


def _decode_jpeg(data: bytes, size: int) -> UInt8:
    try:
        # A fourth channel costs libjpeg-turbo nothing, and OpenCV resizes four channels faster.
        return np.asarray(simplejpeg.decode_jpeg(data, "RGBA", min_height=size, min_width=size))
    except ValueError as error:
        # Padding before a marker harms no pixel, but simplejpeg refuses it.
        if "extraneous bytes before marker" in str(error):
            return _decode_other(data)
        raise


def _decode_other(data: bytes) -> UInt8:
    if not data:
        raise ValueError("the file is empty")
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None:
        raise ValueError("truncated, corrupt or of an unknown format")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA))
