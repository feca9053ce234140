"""What stands out in a picture, and where its things are, in the formats of ECSSD and VOC."""

from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from semtok.data.scenes.observation import Observation
from semtok.data.scenes.segment import Segment


def salient(observation: Observation, ids: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The mask of the largest thing, as ECSSD has it: [S, S], 255 where it is seen, else 0.

    Returns:
        None where no thing is seen.
    """
    things = _things(observation)
    if not things:
        return None
    largest = max(things, key=lambda each: each.area)
    return np.where(ids == largest.number, np.uint8(255), np.uint8(0))


def boxes(observation: Observation, file_name: str) -> str | None:
    """The boxes of all things, as a file of VOC's Annotations: from 1, the last pixel within.

    Args:
        observation: of the picture.
        file_name: of its image.

    Returns:
        XML; None where no thing is seen.
    """
    if not _things(observation):
        return None
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = file_name
    _numbers(root, "size", width=observation.size, height=observation.size, depth=3)
    for each in _things(observation):
        found = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(found, "name").text = each.name
        ElementTree.SubElement(found, "difficult").text = "0"
        left, top, right, bottom = each.box
        _numbers(found, "bndbox", xmin=left + 1, ymin=top + 1, xmax=right, ymax=bottom)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _things(observation: Observation) -> list[Segment]:
    return [each for each in observation.segments if each.thing is not None]


def _numbers(parent: ElementTree.Element, name: str, **values: int) -> None:
    element = ElementTree.SubElement(parent, name)
    for key, value in values.items():
        ElementTree.SubElement(element, key).text = str(value)
