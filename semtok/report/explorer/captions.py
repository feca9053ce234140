"""The captions of a split, of which some lie nearest to an image, and which are right."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench.ranking import TIE
from semtok.data.index import annotations

#: Captions that are told of each image.
_NEAREST = 5

#: Images whose first captions are the prototypes.
_PROTOTYPES = 64

OWN, TRUE = "own", "true"


@dataclass(frozen=True)
class Near:
    """What lies nearest to an image.

    Attributes:
        captions: text, cosine, and `OWN`, `TRUE` or nothing: nearest first.
        rank: place of the nearest right caption among all, from 1; wrong ones as near stand before
            it. None: none is right, as of an image that is not of the data set.
    """

    captions: tuple[tuple[str, float, str], ...]
    rank: int | None


@dataclass(frozen=True)
class Captions:
    """The different captions of some images.

    Attributes:
        texts: each once.
        own: image id -> numbers of the captions that it has.
        true: image id -> numbers of those that are true of it besides, as far as it is known.
        prototypes: numbers of the first captions of the first images.
    """

    texts: tuple[str, ...]
    own: dict[int, list[int]] = field(repr=False)
    true: dict[int, set[int]] = field(repr=False)
    prototypes: tuple[int, ...] = field(repr=False)

    @classmethod
    def of(cls, index: Path, image_ids: Sequence[int]) -> "Captions":
        """Read the captions of the images of a split.

        Args:
            index: the artifact of `index`.
            image_ids: all of the split's.
        """
        found = annotations(index)
        known = pa.array(image_ids, pa.int64())
        table = found.captions.filter(pc.is_in(found.captions["image_id"], known))
        table = table.sort_by([("image_id", "ascending"), ("caption_id", "ascending")])
        texts: dict[str, int] = {}
        own: dict[int, list[int]] = {}
        number_of = {}
        for row in table.to_pylist():
            number = texts.setdefault(row["caption"], len(texts))
            number_of[row["caption_id"]] = number
            own.setdefault(row["image_id"], []).append(number)
        true: dict[int, set[int]] = {}
        for row in found.truth.filter(pc.is_in(found.truth["image_id"], known)).to_pylist():
            if row["caption_id"] in number_of:
                true.setdefault(row["image_id"], set()).add(number_of[row["caption_id"]])
        first = {numbers[0] for _, numbers in sorted(own.items())[:_PROTOTYPES]}
        return cls(tuple(texts), own, true, tuple(sorted(first)))

    def of_image(self, image_id: int) -> list[str]:
        """The captions that an image has."""
        return [self.texts[number] for number in self.own.get(image_id, [])]

    def near(self, image_id: int | None, cosines: npt.NDArray[np.float64]) -> Near:
        """Order captions by how near they lie to an image.

        Args:
            image_id: whose captions are right; None: it has none.
            cosines: [T], of the image and each text.
        """
        own = set() if image_id is None else set(self.own.get(image_id, ()))
        true = set() if image_id is None else self.true.get(image_id, set())
        order = np.argsort(-cosines, kind="stable")[:_NEAREST].tolist()
        marks = (OWN if each in own else TRUE if each in true else "" for each in order)
        nearest = (
            (self.texts[each], round(float(cosines[each]), 3), mark)
            for each, mark in zip(order, marks, strict=True)
        )
        right = np.array(sorted(own | true), np.int64)
        rank = None
        if len(right):
            best = cosines[right].max() - TIE
            rank = 1 + int((cosines >= best).sum() - (cosines[right] >= best).sum())
        return Near(tuple(nearest), rank)
