"""The files of a data set of scenes, in the official layout."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semtok.data.scenes import Settings
from semtok.data.scenes.annotations import (
    SEGMENTS,
    Record,
    categories,
    instances,
    panoptic,
    panoptic_picture,
    scene_graph,
)
from semtok.data.scenes.captions import captions
from semtok.data.scenes.catalogue import THINGS
from semtok.data.scenes.compose import scene
from semtok.data.scenes.disturbances import disturb
from semtok.data.scenes.facts import Fact
from semtok.data.scenes.held_out import HeldOut
from semtok.data.scenes.objects import boxes, salient
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.official import Shown, documents
from semtok.data.scenes.picture import Picture, picture
from semtok.data.scenes.siblings import pair
from semtok.data.scenes.truth import truth
from semtok.data.scenes.vocabulary import PREDICATES, STUFF
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore

#: The annotation files of a split, and what each says of a category.
_KINDS: dict[str, tuple[str, ...]] = {
    "instances": ("supercategory", "id", "name"),
    "captions": (),
    "panoptic": ("supercategory", "isthing", "id", "name"),
}
_MOST = 2**18 - 1  # images of a split: segment ids have 24 bits in a panoptic picture
_NOVEL = 2 * (_MOST + 1)  # first image id of novel2017, above all others
_CAPTIONS = 8  # caption ids of an image: its id times this, plus the caption's place
_JPEG = (
    cv2.IMWRITE_JPEG_QUALITY,
    95,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 3)
_INFO = {"description": "scenes: procedural pictures in COCO's layout", "version": "1.0"}


def write_files(root: Path, settings: Settings, emit: Emit = ignore) -> None:
    """See `semtok.data.scenes.write`."""
    _check(settings)
    graphs: list[Record] = []
    shown: list[Shown] = []
    splits = ["train2017", "val2017", *(["novel2017"] if settings.novel else [])]
    done, total = 0, settings.train + settings.val + settings.novel
    for split in splits:
        records: dict[str, list[Record]] = {kind: [] for kind in ("images", *_KINDS)}
        # Only what is scored needs its truth, and a large train2017 would not fit into memory.
        claims = _Claims({}, {}) if split != "train2017" else None
        for folder in (root / split, root / "annotations" / f"panoptic_{split}"):
            folder.mkdir(parents=True, exist_ok=True)
        relatives: list[Record] = []
        for image_id, seen in _pictures(split, settings, relatives):
            emit(Progress("scenes", done, total))
            graphs.append(_add_image(root, split, image_id, seen, settings, records, claims))
            if claims is not None:
                _add_objects(root, image_id, seen)
            done += 1
        for kind, kept in _KINDS.items():
            document: dict[str, Any] = {
                "info": _INFO,
                "licenses": [],
                "images": records["images"],
                "annotations": records[kind],
            }
            if kept:
                document["categories"] = [
                    {key: each[key] for key in kept}
                    for each in categories()
                    if each["isthing"] or "isthing" in kept
                ]
            _write_json(root / "annotations" / f"{kind}_{split}.json", document)
        if claims is not None:
            for kind, pairs in (("truth", _true_pairs(claims)), ("siblings", relatives)):
                document = {"info": _INFO, "pairs": pairs}
                _write_json(root / "annotations" / f"{kind}_{split}.json", document)
            held = HeldOut(settings.seed) if split == "val2017" and settings.novel else None
            told = claims.observations, relatives, records["captions"]
            shown.append(Shown(*told, split, held))
    for name, rows in documents(shown, settings.seed).items():
        (root / name).parent.mkdir(exist_ok=True)
        _write_json(root / name, rows)
    emit(Progress("scenes", done, total))
    psg = {
        "data": graphs,
        "thing_classes": [category.name for category in THINGS],
        "stuff_classes": list(STUFF),
        "predicate_classes": list(PREDICATES),
        "test_image_ids": [
            str(each) for split in splits[1:] for each in image_ids(split, settings)
        ],
    }
    _write_json(root / "annotations" / "psg.json", psg)


def image_ids(split: str, settings: Settings) -> range:
    """The ids of a split's images: odd in train2017, even in val2017 and, above, in novel2017."""
    first, count = {
        "train2017": (1, settings.train),
        "val2017": (2, settings.val),
        "novel2017": (_NOVEL, settings.novel),
    }[split]
    return range(first, first + 2 * count, 2)


def _pictures(
    split: str, settings: Settings, relatives: list[Record]
) -> Iterator[tuple[int, Picture]]:
    """The split's images; but for train2017 they come in siblings, noted in `relatives`.

    The last image of an odd number of them has no sibling.
    """
    ids = image_ids(split, settings)
    held = HeldOut(settings.seed) if settings.novel else None
    if split == "train2017":
        for image_id in ids:
            yield image_id, picture(scene(settings.seed, image_id, settings.size, held))
        return
    for index, image_id in enumerate(ids[::2]):
        made = pair(settings.seed, index, settings.size, held, novel=split == "novel2017")
        yield image_id, made.first
        if image_id + 2 in ids:
            yield image_id + 2, made.second
            relatives.append(
                {
                    "first_image_id": image_id,
                    "second_image_id": image_id + 2,
                    "kind": made.kind,
                    "first_caption": made.first_caption,
                    "second_caption": made.second_caption,
                }
            )


@dataclass(frozen=True)
class _Claims:
    """What the captions of a split claim, and what its pictures show."""

    facts: dict[int, Fact]  # by caption id
    observations: dict[int, Observation]  # by image id


def _true_pairs(claims: _Claims) -> list[list[int]]:
    """[caption id, image id] wherever the caption is true of the image, its own one included."""
    image_ids = list(claims.observations)
    found = truth(list(claims.facts.values()), list(claims.observations.values()))
    return [
        [caption_id, image_ids[place]]
        for caption_id, places in zip(claims.facts, found, strict=True)
        for place in places
    ]


def _add_image(
    root: Path,
    split: str,
    image_id: int,
    seen: Picture,
    settings: Settings,
    records: dict[str, list[Record]],
    claims: _Claims | None,
) -> Record:
    """Write one image and its panoptic picture; note its records and return its scene graph."""
    observation, ids = seen.observation, seen.ids
    name = f"{image_id:012d}"
    panoptic_file = f"panoptic_{split}/{name}.png"
    segments = panoptic_picture(observation, ids, image_id)
    _write_image(root / split / f"{name}.jpg", disturb(seen.image, settings, image_id), _JPEG)
    _write_image(root / "annotations" / panoptic_file, segments, _PNG)
    side = settings.size
    records["images"].append(
        {"id": image_id, "file_name": f"{name}.jpg", "height": side, "width": side}
    )
    records["instances"] += instances(observation, ids, image_id)
    records["panoptic"].append(panoptic(observation, image_id, f"{name}.png"))
    said = dict(
        enumerate(
            captions(observation, _stream("captions", settings, image_id)), image_id * _CAPTIONS
        )
    )
    records["captions"] += [
        {"id": number, "image_id": image_id, "caption": caption.text}
        for number, caption in said.items()
    ]
    if claims is not None:
        claims.observations[image_id] = observation
        claims.facts.update({number: caption.fact for number, caption in said.items()})
    annotators = _stream("relations", settings, image_id)
    return scene_graph(observation, image_id, f"{split}/{name}.jpg", panoptic_file, annotators)


def _add_objects(root: Path, image_id: int, seen: Picture) -> None:
    """Write what the benchmarks `saliency` and `corloc` read of one image."""
    name = f"{image_id:012d}"
    masks, annotations = (
        root / each for each in ("saliency/ground_truth_mask", "corloc/Annotations")
    )
    for folder in (masks, annotations):
        folder.mkdir(parents=True, exist_ok=True)
    mask = salient(seen.observation, seen.ids)
    told = boxes(seen.observation, f"{name}.jpg")
    if mask is None or told is None:
        return  # no thing is seen
    _, data = cv2.imencode(".png", mask, _PNG)
    (masks / f"{name}.png").write_bytes(data.tobytes())
    (annotations / f"{name}.xml").write_text(told, encoding="utf-8")


def _stream(purpose: str, settings: Settings, image_id: int) -> random.Random:
    """A random stream that shares nothing with those of other purposes."""
    return random.Random(f"{purpose} {settings.seed} {image_id}")


def _check(settings: Settings) -> None:
    assert (_NOVEL + 2 * _MOST) * SEGMENTS <= 256**3
    counts = (("train", 1, _MOST), ("val", 1, _MOST), ("novel", 0, _MOST))
    ranges = (("size", 32, 4096), *counts)
    for name, least, limit in (*ranges, ("light", 0, 1), ("blur", 0, 1), ("noise", 0, 1)):
        value = getattr(settings, name)
        if not least <= value <= limit:
            raise SemtokError(
                f"params.yaml: data.settings.scenes.{name}: {value} is out of range; "
                f"choose from {least} to {limit}"
            )


def _write_image(path: Path, rgb: NDArray[np.uint8], how: tuple[int, ...]) -> None:
    _, data = cv2.imencode(path.suffix, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), how)
    path.write_bytes(data.tobytes())


def _write_json(path: Path, document: Any) -> None:
    """One JSON document, or of a list one row a line where the file is a `.jsonl`."""
    rows = document if path.suffix == ".jsonl" else [document]
    lines = [json.dumps(row, separators=(",", ":")) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
