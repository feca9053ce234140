"""Tiny ImageNet: 200 classes, 64 x 64 pixels; read by the format `class_folders`.

Format from the spec, not run on the original.
"""

from semtok.data.download.catalogue import File, Source

SOURCE = Source(
    home="http://cs231n.stanford.edu",
    licence="ImageNet's terms: research alone",
    files=(
        File(
            "http://cs231n.stanford.edu/tiny-imagenet-200.zip",
            archive="tiny-imagenet-200.zip",
            strip="tiny-imagenet-200",
            holds={
                "train/*/images/*.JPEG": 100_000,
                "val/images/*.JPEG": 10_000,
                "words.txt": 0,  # names of classes, which have numbers without it
                "wnids.txt": 0,  # nothing reads it, nor the test images
                "test/images/*.JPEG": 0,
            },
            checksum="md5:90528d7ca1a48142e341f4ef8d21d0de",
        ),
    ),
)
