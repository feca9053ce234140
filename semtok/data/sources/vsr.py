"""Visual Spatial Reasoning (arXiv 2205.00363): statements of where things are in images of COCO.

The checksum is of the edition of 22 March 2023 (`semtok/bench/editions.py`).
"""

import json
from pathlib import Path

from semtok.data import coco
from semtok.data.download.catalogue import File, Source
from semtok.errors import SemtokError

_HOST = "https://raw.githubusercontent.com/cambridgeltl/visual-spatial-reasoning"
_FILE = "vsr/all_vsr_validated_data.jsonl"

SOURCE = Source(
    home="https://github.com/cambridgeltl/visual-spatial-reasoning",
    licence="Apache-2.0; images are COCO's",
    files=(
        File(
            f"{_HOST}/master/data/data_files/all_vsr_validated_data.jsonl",
            _FILE,
            checksum="sha256:096251a50060c63b242e074697d835acd0e7d5c97eedaeeccf08301982f1252e",
        ),
    ),
)


def coco_ids(root: Path) -> set[int] | None:
    """COCO's ids of the images that are stated about; None where the file is not there."""
    path = root / _FILE
    if not path.exists():
        return None
    try:
        rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    except ValueError as error:
        raise SemtokError(f"{path}: no JSON a line ({error}); download it again") from None
    (names,) = coco.check_rows(path, "", rows, {"image": str})
    return set(coco.ids_of(path, "", "image", names))
