"""Winoground (arXiv 2204.03162): 400 pairs of images and captions, for those who accept its terms.

Format from the spec, not run on the original.
"""

from semtok.data.download.catalogue import File, Source

_HOST = "https://huggingface.co/datasets/facebook/winoground"

SOURCE = Source(
    home=_HOST,
    licence="Getty Images' terms, for research alone",
    files=(
        File(
            f"{_HOST}/resolve/main/data/examples.jsonl",
            "winoground/examples.jsonl",
            access="token",
        ),
        File(
            f"{_HOST}/resolve/main/data/images.zip",
            "winoground",
            archive="images.zip",
            holds={"winoground/*/*.png": 800},
            part="images",
            access="token",
        ),
    ),
)
