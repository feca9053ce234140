"""Imagenette: ten classes of ImageNet, 320 pixels; read by the format `class_folders`.

Format from the spec, not run on the original. Size and checksum are those that TensorFlow Datasets
records.
"""

from semtok.data.download.catalogue import File, Source

SOURCE = Source(
    home="https://github.com/fastai/imagenette",
    licence="ImageNet's terms: research alone",
    files=(
        File(
            "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-320.tgz",
            archive="imagenette2-320.tgz",
            strip="imagenette2-320",
            holds={
                "train/*/*.JPEG": 9_469,
                "val/*/*.JPEG": 3_925,
                "noisy_imagenette.csv": 0,  # nothing reads it
            },
            bytes=341_553_947,
            checksum="sha256:5020a9130cea0348272823cb12d2db7e981c6f2afa3dce71ccd5b8013005c55e",
        ),
    ),
)
