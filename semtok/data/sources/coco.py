"""COCO: images, instances, captions, panoptic segments, and Karpathy's splits.

Sizes and checksums are those that TensorFlow Datasets records. An archive of panoptic annotations
holds two more, of PNGs. Karpathy's test and val come as BLIP's lists, and all others are train.
"""

from semtok.data.download.catalogue import File, Source

_HOST = "http://images.cocodataset.org"
_BLIP = "https://storage.googleapis.com/sfr-vision-language-research/datasets"


def _annotations(year: int, size: int, sha256: str, part: str = "") -> File:
    """Captions and instances of a year's train and val."""
    name = f"annotations_trainval{year}.zip"
    holds = {f"annotations/{kind}_*{year}.json": 2 for kind in ("captions", "instances")}
    return _archive("annotations", name, holds, size, sha256, part)


def _images(split: str, count: int, size: int, sha256: str, part: str = "") -> File:
    """Images of a split: `val2017` and the like."""
    return _archive("zips", f"{split}.zip", {f"{split}/*.jpg": count}, size, sha256, part)


def _archive(
    folder: str, name: str, holds: dict[str, int], size: int, sha256: str, part: str
) -> File:
    """An archive of `size` bytes, and what it holds."""
    checksum = f"sha256:{sha256}"
    address = f"{_HOST}/{folder}/{name}"
    return File(address, archive=name, holds=holds, bytes=size, checksum=checksum, part=part)


SOURCE = Source(
    home="https://cocodataset.org/#download",
    licence="annotations CC BY 4.0; images: Flickr's terms, a licence each",
    files=(
        _annotations(
            2017, 252_907_541, "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"
        ),
        _images(
            "val2017",
            5_000,
            815_585_330,
            "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
        ),
        _images(
            "train2017",
            118_287,
            19_336_861_798,
            "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
        ),
        *(
            File(
                f"{_BLIP}/coco_karpathy_{split}.json",
                f"annotations/coco_karpathy_{split}.json",
                part="karpathy",
            )
            for split in ("val", "test")
        ),
        File(
            f"{_HOST}/annotations/panoptic_annotations_trainval2017.zip",
            archive="panoptic_annotations_trainval2017.zip",
            holds={
                "annotations/panoptic_*2017.json": 2,
                "annotations/panoptic_train2017/*.png": 118_287,
                "annotations/panoptic_val2017/*.png": 5_000,
            },
            inner=("annotations/panoptic_train2017.zip", "annotations/panoptic_val2017.zip"),
            bytes=860_725_834,
            checksum="sha256:c05f76d2129b6b561eb70efe16e7006df62f73fb92889132d373b9d90e31a370",
            part="panoptic",
        ),
        _annotations(
            2014,
            252_872_794,
            "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
            part="2014",
        ),
        _images(
            "val2014",
            40_504,
            6_645_013_297,
            "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            part="2014",
        ),
        _images(
            "train2014",
            82_783,
            13_510_573_713,
            "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            part="2014",
        ),
    ),
)
