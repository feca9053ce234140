"""Panoptic Scene Graph (OpenPSG, arXiv 2207.11247): relations among COCO's panoptic segments.

Its makers publish it behind links that only a browser follows. Format from the spec, not run on the
original.
"""

from semtok.data import coco, documents
from semtok.data.download.catalogue import File, Source
from semtok.remote import AnyPath

_FILE = "annotations/psg.json"

SOURCE = Source(
    home="https://github.com/Jingkang50/OpenPSG",
    licence="MIT; images are COCO's",
    files=(File("https://github.com/Jingkang50/OpenPSG#get-started", _FILE, access="browser"),),
)


def coco_ids(root: AnyPath) -> set[int] | None:
    """COCO's ids of its images; None where the file is not there."""
    path = root / _FILE
    if not path.exists():
        return None
    (names,) = documents.columns(path, documents.read_json(path), "data", {"file_name": str})
    return set(coco.ids_of(path, "data", "file_name", names))
