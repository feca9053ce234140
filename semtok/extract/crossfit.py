"""Cross-fitting: what is extracted from an image never comes from a model that has seen it.

Every image of every split belongs to one of K folds, by its id alone. Model k is trained on the
training images of all folds but k, and is asked about the images of fold k alone. So no training
image meets a model that was trained on it, and the images of val and test meet models of the very
same kind: what a variant learns to make of predicted masks is what it is given at test. (One more
model of all training images would find more in val and test than there was to learn from in train,
and would cost another training.)
"""

import hashlib

import numpy as np
from numpy.typing import NDArray


def folds_of(image_ids: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """The fold of each image: [N] ids -> [N] 0 to `folds` - 1.

    Independent of the shard that an image belongs to, and the same whatever other images there are.
    """
    return np.array([_fold_of(each, folds) for each in image_ids.tolist()], np.int64)


def _fold_of(image_id: int, folds: int) -> int:
    content = image_id.to_bytes(8, "little", signed=True)
    hashed = hashlib.blake2b(content, digest_size=8, person=b"crossfit").digest()
    return int.from_bytes(hashed, "little") % folds
