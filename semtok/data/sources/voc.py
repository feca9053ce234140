"""PASCAL VOC 2007 and 2012, trainval: images with boxes; read by `semtok lost`.

The checksums are those that torchvision records.
"""

from semtok.data.download.catalogue import File, Source

_HOST = "http://host.robots.ox.ac.uk/pascal/VOC"

SOURCE = Source(
    home=_HOST,
    licence="Flickr's terms",
    files=tuple(
        File(
            f"{_HOST}/voc{year}/{archive}",
            archive=archive,
            holds={
                f"VOCdevkit/VOC{year}/{folder}": count
                for folder in ("JPEGImages/*.jpg", "Annotations/*.xml")
            },
            checksum=f"md5:{checksum}",
        )
        for year, archive, count, checksum in (
            (2007, "VOCtrainval_06-Nov-2007.tar", 5_011, "c52e279531787c972589f7e41ab4ae64"),
            (2012, "VOCtrainval_11-May-2012.tar", 17_125, "6cd6e144f989b92b3379bac3b3de84fd"),
        )
    ),
)
