"""The frequency baseline of scene-graph generation (arXiv 1711.06640): it looks at no pixel.

How often did training images relate two things of these categories by this predicate? Categories
are the annotated ones, which the relation model is not given.
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from semtok.extract.image_rows import rows_of
from semtok.extract.scene_graphs import SCENE_GRAPHS

_NAME = "frequency"


class Frequencies(NamedTuple):
    """What was counted in training images.

    Attributes:
        categories: name -> its place, in the order of names.
        predicates: P names in their order.
        chances: [C + 1, C + 1, P] float32, how likely each predicate holds of an ordered pair; the
            last place is that of categories that no training image has.
    """

    categories: dict[str, int]
    predicates: list[str]
    chances: NDArray[np.float32]


def count(masks: pa.Table, relations: pa.Table) -> Frequencies:
    """Count what annotations relate.

    Of all ordered pairs of masks of an image, those count too that nothing is said of. A pair of
    categories weighs with one pair more, of which all holds as often as of any pair: so the seldom
    ones are not taken at their word, and the new ones are not passed over.

    Args:
        masks: schema `MASKS`, of training images.
        relations: schema `SCENE_GRAPHS`, at least one among these masks, each once.
    """
    names, of_mask = np.unique(masks["category"].to_pylist(), return_inverse=True)
    images, of_image = np.unique(masks["image_id"].to_numpy(), return_inverse=True)
    present = np.zeros((len(images), len(names) + 1))
    np.add.at(present, (of_image, of_mask), 1)
    pairs = present.T @ present - np.diag(present.sum(axis=0))  # no mask is paired with itself

    predicates, said = np.unique(relations["predicate"].to_pylist(), return_inverse=True)
    keys = zip(masks["image_id"].to_pylist(), masks["mask_id"].to_pylist(), strict=True)
    category = dict(zip(keys, of_mask.tolist(), strict=True))
    image_ids = relations["image_id"].to_pylist()
    subject, object_ = (
        np.array([category[key] for key in zip(image_ids, relations[end].to_pylist(), strict=True)])
        for end in ("subject", "object")
    )
    # In place and in float32, as there may be thousands of categories.
    chances = np.zeros((*pairs.shape, len(predicates)), np.float32)
    np.add.at(chances, (subject, object_, said), 1)
    chances += np.bincount(said, minlength=len(predicates)) / pairs.sum()
    chances /= pairs[..., None] + 1
    return Frequencies(
        {name: at for at, name in enumerate(names.tolist())}, predicates.tolist(), chances
    )


def state(frequencies: Frequencies, masks: pa.Table, cut: int) -> pa.Table:
    """What is likely of given masks.

    Args:
        frequencies: that were counted.
        masks: schema `MASKS`, ordered by image_id, mask_id.
        cut: how many of an image are ever asked for.

    Returns:
        Schema `SCENE_GRAPHS`: of each image the likeliest relations, so many, and the likeliest one
        of each pair, which is all that `recall` looks at with cuts up to this one.
    """
    places = np.array(
        [
            frequencies.categories.get(name, len(frequencies.categories))
            for name in masks["category"].to_pylist()
        ],
        np.int64,
    )
    image_ids, mask_ids = masks["image_id"].to_numpy(), masks["mask_id"].to_numpy()
    predicates = pa.array(frequencies.predicates, pa.string())
    found = [SCENE_GRAPHS.columns.empty_table()]
    for image_id in np.unique(image_ids).tolist():
        own = rows_of(image_ids, image_id)
        subject, object_ = np.nonzero(~np.eye(own.stop - own.start, dtype=bool))
        chances = frequencies.chances[places[own][subject], places[own][object_]]
        # Where chances are equal, `recall` goes by the order of this list.
        kept = np.zeros(chances.shape, bool)
        kept.flat[np.argsort(-chances, axis=None, kind="stable")[:cut]] = True
        kept[np.arange(len(chances)), chances.argmax(axis=1)] = True
        pair, predicate = np.nonzero(kept)
        columns = {
            "image_id": np.full(len(pair), image_id),
            "subject": mask_ids[own][subject[pair]],
            "predicate": predicates.take(pa.array(predicate)),
            "object": mask_ids[own][object_[pair]],
            "score": chances[pair, predicate],
            "source": pa.repeat(_NAME, len(pair)),
        }
        found.append(pa.table(columns, schema=SCENE_GRAPHS.columns))
    return pa.concat_tables(found)
