"""How many images of other data sets lie in Karpathy's splits of COCO: training on them leaks."""

from dataclasses import dataclass

from semtok.data import coco
from semtok.data.download import catalogue
from semtok.remote import AnyPath


@dataclass(frozen=True)
class Overlap:
    """The images of a source that are COCO's, by the split of Karpathy's that they lie in.

    Attributes:
        images: how many there are.
        train, val, test: how many of them lie in each; restval counts as train.
    """

    source: str
    images: int
    train: int
    val: int
    test: int


def overlaps(root: AnyPath) -> list[Overlap]:
    """Count the images of every source in the root that knows COCO's ids of them.

    Args:
        root: a COCO root; without Karpathy's splits there is nothing to count.

    Raises:
        SemtokError: a file is damaged.
    """
    splits = coco.karpathy_splits(root)
    if splits is None:
        return []
    found = []
    for name in catalogue.names():
        tell = getattr(catalogue.module(name), "coco_ids", None)
        ids = tell(root) if tell else None
        if ids is not None:
            places = [splits.splits.get(each, splits.others) for each in ids]
            counts = (places.count(split) for split in ("train", "val", "test"))
            found.append(Overlap(name, len(ids), *counts))
    return found
