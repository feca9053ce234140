"""SugarCrepe (arXiv 2306.14610): captions of COCO's val2017 and hard negatives of them."""

from pathlib import PurePosixPath

from semtok.data import coco, documents
from semtok.data.download.catalogue import File, Source
from semtok.data.editions import CURRENT
from semtok.remote import AnyPath

_HOST = "https://raw.githubusercontent.com/RAIVNLab/sugar-crepe/main/data"

SOURCE = Source(
    home="https://github.com/RAIVNLab/sugar-crepe",
    licence="MIT; images are COCO's",
    files=tuple(
        File(f"{_HOST}/{PurePosixPath(path).name}", path, checksum=f"sha256:{checksum}")
        for path, checksum in CURRENT.items()
        if path.startswith("sugar_crepe/")
    ),
)


def coco_ids(root: AnyPath) -> set[int] | None:
    """COCO's ids of the images that are asked about; None where no file is there."""
    paths = [root / file.path for file in SOURCE.files if (root / file.path).exists()]
    found: set[int] = set()
    for path in paths:
        rows = list(documents.read_json(path).values())
        (names,) = documents.check_rows(path, "", rows, {"filename": str})
        found |= set(coco.ids_of(path, "", "filename", names))
    return found if paths else None
