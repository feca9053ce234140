"""JPEG at a number of bits: what a picture is worth to whoever sends bits, not symbols."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Files:
    """One picture as JPEG files of every quality, 1 to 100."""

    files: tuple[UInt8, ...]

    @classmethod
    def of(cls, image: UInt8) -> "Files":
        """Encode a picture [H, W, 3] uint8 RGB, with Huffman tables of its own."""
        import cv2

        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        settings = [cv2.IMWRITE_JPEG_OPTIMIZE, 1, cv2.IMWRITE_JPEG_QUALITY]
        encoded = (cv2.imencode(".jpg", bgr, [*settings, quality])[1] for quality in range(1, 101))
        return cls(tuple(np.asarray(each, np.uint8) for each in encoded))

    def within(self, bits: float) -> UInt8 | None:
        """The picture as the file of the highest quality shows it that needs no more bits.

        Args:
            bits: of the whole file, headers included.

        Returns:
            [H, W, 3] uint8 RGB; None where even quality 1 takes more.
        """
        import cv2

        # The size is not quite monotone in the quality, so all of them are looked at.
        fitting = [each for each in self.files if 8 * each.size <= bits]
        if not fitting:
            return None
        return np.asarray(cv2.imdecode(fitting[-1], cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
