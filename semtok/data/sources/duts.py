"""DUTS, its test half: 5,019 images with a mask of what is salient.

Format from the spec, not run on the original.
"""

from semtok.data.download.catalogue import File, Source

SOURCE = Source(
    home="http://saliencydetection.net/duts/",
    licence="research alone",
    files=(
        File(
            "http://saliencydetection.net/duts/download/DUTS-TE.zip",
            archive="DUTS-TE.zip",
            holds={"DUTS-TE/DUTS-TE-Image/*.jpg": 5_019, "DUTS-TE/DUTS-TE-Mask/*.png": 5_019},
        ),
    ),
)
