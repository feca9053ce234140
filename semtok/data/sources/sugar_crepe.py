"""SugarCrepe (arXiv 2306.14610): captions of COCO's val2017 and hard negatives of them.

The checksums are of the edition of 18 November 2023 (`semtok/bench/editions.py`).
"""

from pathlib import Path

from semtok.data import coco
from semtok.data.download.catalogue import File, Source

_HOST = "https://raw.githubusercontent.com/RAIVNLab/sugar-crepe/main/data"

SOURCE = Source(
    home="https://github.com/RAIVNLab/sugar-crepe",
    licence="MIT; images are COCO's",
    files=tuple(
        File(f"{_HOST}/{name}.json", f"sugar_crepe/{name}.json", checksum=f"sha256:{checksum}")
        for name, checksum in {
            "add_att": "012d88d729693d193760e6f3393b06a1cf874380a9db0062e937201199fe044d",
            "add_obj": "1b9d76b93139a937b8dc1ada92a4f05ecc821bb3c291d752428bafadd4bb0682",
            "replace_att": "9fe55fd4c0a9ad1f85d486d9f6d0215b41f867eb025026e7f7b5ce44352545ee",
            "replace_obj": "9d299600639947e9d15281a9ded1382b376cf4ea088a8d08a1314bfe76e81898",
            "replace_rel": "356bcc2fc4c6aed3f4d9fd50acc58489bb1fe70c28791f9368d4cbf9ea39cdc9",
            "swap_att": "7a7ce04e5c4c80412b48c6f0c1347fb1a2f5d54c0be6aa429b64d390e442f8d0",
            "swap_obj": "073cdb8e253d053614e80710834d9773b09dbc1dd0a412f6f9492262caa1dcad",
        }.items()
    ),
)


def coco_ids(root: Path) -> set[int] | None:
    """COCO's ids of the images that are asked about; None where no file is there."""
    paths = [root / file.path for file in SOURCE.files if (root / file.path).exists()]
    found: set[int] = set()
    for path in paths:
        rows = list(coco.read_json(path).values())
        (names,) = coco.check_rows(path, "", rows, {"filename": str})
        found |= set(coco.ids_of(path, "", "filename", names))
    return found if paths else None
