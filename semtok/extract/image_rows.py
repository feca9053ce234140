"""Where the rows of an image lie in a table that is ordered by image_id."""

import numpy as np
from numpy.typing import NDArray


def rows_of(image_ids: NDArray[np.int64], image_id: int) -> slice:
    """The rows of an image, none where it has none.

    Args:
        image_ids: [N], ascending.
        image_id: any number of 64 bits, the last one too: it has none behind it to search for.
    """
    first, last = (np.searchsorted(image_ids, image_id, side) for side in ("left", "right"))
    return slice(int(first), int(last))
