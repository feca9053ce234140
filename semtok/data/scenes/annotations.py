"""One picture's annotations, in COCO's and PSG's words."""

import random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from semtok.data.scenes.catalogue import THINGS
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.segment import Segment
from semtok.data.scenes.vocabulary import PREDICATES, STUFF

#: Segment ids of an image: its id times this, plus the segment's place.
SEGMENTS = 16

#: Share of the true relations that are annotated.
KEPT = 0.7

_NAMES = (*(category.name for category in THINGS), *STUFF)
_PLACE = {name: place for place, name in enumerate(_NAMES)}

Record = dict[str, Any]


def categories() -> list[Record]:
    """Every category as COCO panoptic lists it: ids from 1, things before stuff."""
    kinds = [*((each.name, each.supercategory, 1) for each in THINGS), *((s, s, 0) for s in STUFF)]
    return [
        {"id": place + 1, "name": name, "supercategory": above, "isthing": isthing}
        for place, (name, above, isthing) in enumerate(kinds)
    ]


def segment_ids(observation: Observation, image_id: int) -> list[int]:
    """The id of each segment: equal in instances and panoptic files, and in the data set."""
    return [image_id * SEGMENTS + place for place in range(len(observation.segments))]


def panoptic_picture(
    observation: Observation, ids: NDArray[np.uint8], image_id: int
) -> NDArray[np.uint8]:
    """[S, S, 3] RGB whose R + 256 G + 65536 B is the segment id; 0 (VOID) where there is none."""
    table = np.zeros((256, 3), np.uint8)
    for segment, number in zip(
        observation.segments, segment_ids(observation, image_id), strict=True
    ):
        table[segment.number] = (number & 255, number >> 8 & 255, number >> 16)
    return table[ids]


def instances(observation: Observation, ids: NDArray[np.uint8], image_id: int) -> list[Record]:
    """Annotations of the things, masks in turn as compressed and as uncompressed RLE."""
    return [
        {
            "id": number,
            "image_id": image_id,
            "category_id": _PLACE[segment.name] + 1,
            "segmentation": rle(ids == segment.number, compressed=number % 2 == 0),
            "area": segment.area,
            "bbox": _xywh(segment),
            "iscrowd": 0,
        }
        for segment, number in zip(
            observation.segments, segment_ids(observation, image_id), strict=True
        )
        if segment.thing is not None
    ]


def panoptic(observation: Observation, image_id: int, file_name: str) -> Record:
    """The picture's entry in a panoptic file."""
    return {
        "image_id": image_id,
        "file_name": file_name,
        "segments_info": [
            {
                "id": number,
                "category_id": _PLACE[segment.name] + 1,
                "area": segment.area,
                "bbox": _xywh(segment),
                "iscrowd": 0,
            }
            for segment, number in zip(
                observation.segments, segment_ids(observation, image_id), strict=True
            )
        ],
    }


def scene_graph(
    observation: Observation,
    image_id: int,
    file_name: str,
    pan_seg_file_name: str,
    rng: random.Random,
) -> Record:
    """The picture's entry in `psg.json`: categories and predicates from 0, boxes xyxy.

    Each relation that holds and has a predicate there is kept with probability `KEPT`.
    """
    numbers = segment_ids(observation, image_id)
    segments = observation.segments
    return {
        "file_name": file_name,
        "height": observation.size,
        "width": observation.size,
        "image_id": str(image_id),
        "coco_image_id": str(image_id),
        "pan_seg_file_name": pan_seg_file_name,
        "segments_info": [
            {
                "id": number,
                "category_id": _PLACE[segment.name],
                "iscrowd": 0,
                "isthing": int(segment.thing is not None),
                "area": segment.area,
            }
            for segment, number in zip(segments, numbers, strict=True)
        ],
        "annotations": [
            {"bbox": list(segment.box), "bbox_mode": 0, "category_id": _PLACE[segment.name]}
            for segment in segments
        ],
        "relations": [
            [each.subject, each.object, PREDICATES.index(each.predicate)]
            for each in observation.relations
            if each.predicate in PREDICATES and rng.random() < KEPT
        ],
    }


def rle(mask: NDArray[np.bool_], compressed: bool) -> Record:
    """A mask [H, W] as COCO writes it: counts as a string, or as a list of runs by columns."""
    if compressed:
        encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"size": list(encoded["size"]), "counts": encoded["counts"].decode()}
    column_major = mask.ravel(order="F")
    changes = np.flatnonzero(column_major[1:] != column_major[:-1]) + 1
    starts = [0] * (1 + int(column_major[0]))  # the first run is background, empty or not
    ends = np.concatenate([starts, changes, [mask.size]])
    return {"size": list(mask.shape), "counts": np.diff(ends).tolist()}


def _xywh(segment: Segment) -> list[int]:
    x0, y0, x1, y1 = segment.box
    return [x0, y0, x1 - x0, y1 - y0]
