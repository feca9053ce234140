"""Visual Spatial Reasoning (arXiv 2205.00363): statements of where things are in images of COCO."""

import json

from semtok.data import coco, documents
from semtok.data.download.catalogue import File, Source
from semtok.data.editions import CURRENT
from semtok.errors import SemtokError
from semtok.remote import AnyPath

_HOST = "https://raw.githubusercontent.com/cambridgeltl/visual-spatial-reasoning"
_FILE = "vsr/all_vsr_validated_data.jsonl"

SOURCE = Source(
    home="https://github.com/cambridgeltl/visual-spatial-reasoning",
    licence="Apache-2.0; images are COCO's",
    files=(
        File(
            f"{_HOST}/master/data/data_files/all_vsr_validated_data.jsonl",
            _FILE,
            checksum=f"sha256:{CURRENT[_FILE]}",
        ),
    ),
)


def coco_ids(root: AnyPath) -> set[int] | None:
    """COCO's ids of the images that are stated about; None where the file is not there."""
    path = root / _FILE
    if not path.exists():
        return None
    try:
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    except ValueError as error:
        raise SemtokError(f"{path}: no JSON a line ({error}); download it again") from None
    (names,) = documents.check_rows(path, "", rows, {"image": str})
    return set(coco.ids_of(path, "", "image", names))
