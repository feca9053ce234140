"""Visual Genome's files, written from their published format. For tests to import."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from semtok.data.visual_genome import FOLDER


def image(key: int, coco_id: int | None, width: int, height: int) -> dict[str, Any]:
    """A row of image_data.json."""
    url = f"https://cs.stanford.edu/people/rak248/VG_100K/{key}.jpg"
    size = {"width": width, "height": height}
    return {"image_id": key, "url": url, **size, "coco_id": coco_id, "flickr_id": None}


def relationship(
    number: int, predicate: str, subject: Sequence[float], target: Sequence[float]
) -> dict[str, Any]:
    """A row of relationships.json; the two ends are boxes, xywh.

    One end has `name` and the other `names`, as the rows of the published file do.
    """
    ends = [
        {**dict(zip("xywh", box, strict=True)), "object_id": 10 * number + at, "synsets": []}
        for at, box in enumerate((subject, target))
    ]
    ends[0] |= {"name": "shade"}
    ends[1] |= {"names": ["sidewalk"], "merged_object_ids": [5046]}
    words = {"predicate": predicate, "synsets": ["along.r.01"]}
    return {"relationship_id": number, **words, "subject": ends[0], "object": ends[1]}


def write(
    root: Path,
    images: Iterable[dict[str, Any]],
    relationships: Mapping[int, Sequence[dict[str, Any]]],
    aliases: str = "",
) -> None:
    """Write the files into a COCO root; relationships by Visual Genome's id of their image."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "image_data.json").write_text(json.dumps(list(images)))
    rows = [{"image_id": key, "relationships": found} for key, found in relationships.items()]
    (folder / "relationships.json").write_text(json.dumps(rows))
    if aliases:
        (folder / "relationship_alias.txt").write_text(aliases)
