"""The captions of a split's images, and which one a step sees."""

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from semtok.errors import SemtokError


class Captions:
    """The captions of some images, in the order of their ids."""

    def __init__(self, table: pa.Table, image_ids: NDArray[np.int64]) -> None:
        """Keep the captions of the given images.

        Args:
            table: the index's captions: caption_id, image_id, caption; of any images.
            image_ids: [images] int64.

        Raises:
            SemtokError: an image has no caption.
        """
        kept = table.filter(pc.is_in(table["image_id"], pa.array(image_ids)))
        kept = kept.sort_by([("image_id", "ascending"), ("caption_id", "ascending")])
        self._captions = kept["caption"].combine_chunks()
        owners = kept["image_id"].to_numpy()
        self._image_ids, self._first, self._counts = np.unique(
            owners, return_index=True, return_counts=True
        )
        if len(missing := np.setdiff1d(image_ids, self._image_ids)):
            raise SemtokError(
                f"captions: {len(missing)} of {len(image_ids)} images have none, the first is "
                f"image {missing[0]}; leave such images out of the index"
            )

    def every(self) -> list[str]:
        """All captions."""
        return self._captions.to_pylist()  # type: ignore[no-any-return]

    def first(self, image_ids: NDArray[np.int64]) -> list[str]:
        """The caption of lowest id of each image."""
        return self._take(image_ids, np.zeros(len(image_ids), np.int64))

    def draw(self, image_ids: NDArray[np.int64], seed: int, step: int) -> list[str]:
        """One caption of each image at random, by the seed, the step and the image alone."""
        return self._take(image_ids, np.array([_draw(seed, step, each) for each in image_ids]))

    def fingerprint(self) -> str:
        """Identify the captions and whose they are."""
        content = hashlib.blake2b(self._image_ids.tobytes(), digest_size=16)
        content.update(self._counts.tobytes())
        content.update("\0".join(self.every()).encode())
        return content.hexdigest()

    def _take(self, image_ids: NDArray[np.int64], numbers: NDArray[np.int64]) -> list[str]:
        rows = np.searchsorted(self._image_ids, image_ids)
        chosen = self._first[rows] + numbers % self._counts[rows]
        return self._captions.take(pa.array(chosen)).to_pylist()  # type: ignore[no-any-return]


def _draw(seed: int, step: int, image_id: int) -> int:
    """A number of 62 bits that looks random."""
    content = hashlib.blake2b(f"{seed} {step} {image_id}".encode(), digest_size=8).digest()
    return int.from_bytes(content, "little") >> 2
