"""Visual Genome: relationships, attributes, and which of its images are COCO's.

Format from the spec, not run on the original. Its images are not fetched: those that the line can
use are COCO's.
"""

from pathlib import Path

from semtok.data import coco
from semtok.data.download.catalogue import File, Source
from semtok.errors import SemtokError

_HOST = "https://homes.cs.washington.edu/~ranjay/visualgenome/data/dataset"
_FOLDER = "annotations/visual_genome"  # not beside annotations/, where the files of benchmarks lie

SOURCE = Source(
    home="https://homes.cs.washington.edu/~ranjay/visualgenome/api.html",
    licence="CC BY 4.0",
    files=tuple(
        File(
            f"{_HOST}/{name}.json.zip",
            _FOLDER,
            archive=f"{name}.json.zip",
            holds={f"{_FOLDER}/{name}.json": 1},
        )
        for name in ("image_data", "relationships", "attributes")
    ),
)


def coco_ids(root: Path) -> set[int] | None:
    """COCO's ids of those of its images that are COCO's; None where the file is not there."""
    found = coco_id_of(root)
    return None if found is None else set(found.values())


def coco_id_of(root: Path) -> dict[int, int] | None:
    """Visual Genome's id of an image -> COCO's, of those that have one.

    Raises:
        SemtokError: the file is damaged.
    """
    path = root / _FOLDER / "image_data.json"
    if not path.exists():
        return None
    rows = coco.read_json(path, list)
    fields: coco.Fields = {"image_id": int, "coco_id": (int, type(None))}
    ids, coco_ids = coco.check_rows(path, "", rows, fields)
    found = {mine: its for mine, its in zip(ids, coco_ids, strict=True) if its is not None}
    if len(set(ids)) < len(ids):
        raise SemtokError(f"{path}: an image_id comes twice; download it again")
    return found
