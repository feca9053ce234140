"""DUT-OMRON: 5,168 images with a mask of what is salient.

Format from the spec, not run on the original.
"""

from semtok.data.download.catalogue import File, Source

_HOST = "http://saliencydetection.net/dut-omron"

SOURCE = Source(
    home=f"{_HOST}/",
    licence="research alone",
    files=tuple(
        File(
            f"{_HOST}/download/{archive}",
            archive=archive,
            holds={f"{folder}/*.{kind}": 5_168},
        )
        for archive, folder, kind in (
            ("DUT-OMRON-image.zip", "DUT-OMRON-image", "jpg"),
            ("DUT-OMRON-gt-pixelwise.zip.zip", "pixelwiseGT-new-PNG", "png"),
        )
    ),
)
