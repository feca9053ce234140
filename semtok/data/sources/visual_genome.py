"""Visual Genome: relationships, attributes, and which of its images are COCO's.

Format from the spec, not run on the original. Its images are not fetched: those that the line can
use are COCO's.
"""

from semtok.data import visual_genome
from semtok.data.download.catalogue import File, Source
from semtok.remote import AnyPath

_HOST = "https://homes.cs.washington.edu/~ranjay/visualgenome/data/dataset"

SOURCE = Source(
    home="https://homes.cs.washington.edu/~ranjay/visualgenome/api.html",
    licence="CC BY 4.0",
    files=(
        *(
            File(
                f"{_HOST}/{name}.json.zip",
                visual_genome.FOLDER,
                archive=f"{name}.json.zip",
                holds={f"{visual_genome.FOLDER}/{name}.json": 1},
            )
            for name in ("image_data", "relationships", "attributes")
        ),
        File(
            f"{_HOST}/relationship_alias.txt",
            f"{visual_genome.FOLDER}/relationship_alias.txt",
            bytes=122_102,
            checksum="sha256:15f7f64802c95c5bf5b5690457566b1b19ee64eac7a94d8b8cbb3a4378f2ec7c",
        ),
    ),
)


def coco_ids(root: AnyPath) -> set[int] | None:
    """COCO's ids of those of its images that are COCO's; None where the file is not there."""
    found = coco_id_of(root)
    return None if found is None else set(found.values())


def coco_id_of(root: AnyPath) -> dict[int, int] | None:
    """Visual Genome's id of an image -> COCO's, of those that have one; None as `coco_ids`.

    Raises:
        SemtokError: the file is damaged.
    """
    found = visual_genome.images(root)
    return None if found is None else {mine: image.coco_id for mine, image in found.items()}
