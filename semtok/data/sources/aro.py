"""ARO (arXiv 2210.01936): relations and attributes of Visual Genome, asked of crops of its images.

Format from the spec, not run on the original.
"""

from semtok.data import coco, documents
from semtok.data.download.catalogue import File, Source
from semtok.data.sources import visual_genome
from semtok.remote import AnyPath

_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
_FILES = {
    "aro/visual_genome_relation.json": "1kX2iCHEv0CADL8dSO1nMdW-V0NqIAiP3",
    "aro/visual_genome_attribution.json": "13tWvOrNOLHxl3Rm9cR3geAdHx2qR3-Tw",
}

SOURCE = Source(
    home="https://github.com/mertyg/vision-language-models-are-bows",
    licence="MIT; images are Visual Genome's",
    files=(
        *(File(f"{_DRIVE}{each}", path) for path, each in _FILES.items()),
        File(
            f"{_DRIVE}1qaPlrwhGNMrR3a11iopZUT_GPP_LrgP9",
            "aro",
            archive="vgr_vga_images.zip",
            holds={"aro/*/*.jpg": 1},
            part="images",
        ),
    ),
)


def coco_ids(root: AnyPath) -> set[int] | None:
    """COCO's ids of its images, as Visual Genome tells them; None where either is not there."""
    paths = [root / name for name in _FILES if (root / name).exists()]
    known = visual_genome.coco_id_of(root)
    if known is None or not paths:
        return None
    found = set()
    for path in paths:
        (names,) = documents.check_rows(
            path, "", documents.read_json(path, list), {"image_path": str}
        )
        found |= {known.get(each) for each in coco.ids_of(path, "", "image_path", names)}
    return {each for each in found if each is not None}
