"""What the sources bring, in archives laid out as published, is what the readers of data read.

The archives are written here from the published layouts: none of the originals can be had.
"""

import dataclasses
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from semtok.data import class_folders, coco, coco_listing, salient, visual_genome, voc
from semtok.data.download import catalogue
from semtok.data.download.fetch import mirrored
from tests.conftest import make_2014, write_tiny_coco
from tests.data.download.loopback import Host
from tests.data.download.test_fetch import get, zipped
from tests.data.download.test_unpack import tree

PICTURE = b"\xff\xd8"  # nothing here opens one

Fetched = Callable[[str, Mapping[str, bytes]], Path]


@pytest.fixture
def fetched(host: Host, source: Callable[..., str], tmp_path: Path) -> Fetched:
    """Fetches a source, or a part of one, from a mirror that has small files in place of its own.

    Checksums are those of the originals, so they are left out, as are their numbers of files.
    """

    def bring(wanted: str, files: Mapping[str, bytes]) -> Path:
        name, _, part = wanted.partition("/")
        theirs = []
        for file in catalogue.find(name).files:
            holds = {pattern: min(1, least) for pattern, least in file.holds.items()}
            theirs.append(dataclasses.replace(file, bytes=None, checksum="", holds=holds))
            if file.part == part:
                host.serve(mirrored("", file), files[file.name])
        mine = source(f"small_{name}", *theirs)
        get(tmp_path / "root", f"{mine}/{part}" if part else mine, mirror=host.address)
        return tmp_path / "root"

    return bring


def tarred(content: Mapping[str, bytes], mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def test_coco(fetched: Fetched, tmp_path: Path) -> None:
    write_tiny_coco(tmp_path / "tiny")
    every = tree(tmp_path / "tiny")
    psg = every.pop("annotations/psg.json")

    def part(*places: str) -> dict[str, bytes]:
        return {name: data for name, data in every.items() if name.startswith(places)}

    panoptic = {}
    folders = coco.required([])
    for folder in folders:
        pngs = part(f"annotations/panoptic_{folder}/")
        inner = {name.removeprefix("annotations/"): data for name, data in pngs.items()}
        panoptic[f"annotations/panoptic_{folder}.zip"] = zipped(
            {**inner, f"__MACOSX/panoptic_{folder}/._x.png": b""}
        )
        panoptic |= part(f"annotations/panoptic_{folder}.json")
    archives = {
        "annotations_trainval2017.zip": zipped(
            part("annotations/captions_", "annotations/instances_")
        ),
        "panoptic_annotations_trainval2017.zip": zipped(panoptic),
        **{f"{folder}.zip": zipped(part(f"{folder}/")) for folder in folders},
    }
    root = fetched("coco", archives)
    coco.check_layout(root)
    fetched("coco/panoptic", archives)
    (root / "annotations/psg.json").write_bytes(psg)
    for here, there in zip(coco.list_files(root), coco.list_files(tmp_path / "tiny"), strict=True):
        assert here.relative_to(root) == there.relative_to(tmp_path / "tiny")
        assert here.read_bytes() == there.read_bytes()
    assert coco_listing.listing(root).images.height == 9

    lists = {
        f"coco_karpathy_{split}.json": json.dumps(
            [{"image": f"val2014/COCO_val2014_{image:012d}.jpg", "caption": ["a"]}]
        ).encode()
        for split, image in (("val", 6), ("test", 7))
    }
    fetched("coco/karpathy", lists)
    assert coco.karpathy_splits(root) == ({6: "val", 7: "test"}, "train")


def test_coco_2014(fetched: Fetched, tmp_path: Path) -> None:
    write_tiny_coco(tmp_path / "tiny")
    make_2014(tmp_path / "tiny")
    every = tree(tmp_path / "tiny")
    parts = {
        "annotations_trainval2014.zip": ("annotations/captions_", "annotations/instances_"),
        "train2014.zip": ("train2014/",),
        "val2014.zip": ("val2014/",),
    }
    root = fetched(
        "coco/2014",
        {
            archive: zipped({name: every[name] for name in every if name.startswith(places)})
            for archive, places in parts.items()
        },
    )
    coco.check_layout(root)
    assert coco_listing.listing(root).images.height == 9


def test_imagenette(fetched: Fetched) -> None:
    content = {
        f"imagenette2-320/{split}/{each}/{each}_{n}.JPEG": PICTURE
        for split in ("train", "val")
        for each in ("n01440764", "n02102040")
        for n in range(2)
    }
    content["imagenette2-320/noisy_imagenette.csv"] = b"path\n"
    root = fetched("imagenette", {"imagenette2-320.tgz": tarred(content, "w:gz")})
    class_folders.check_layout(root)
    assert class_folders.listing(root, class_folders.Settings()).images.height == 8


def test_tiny_imagenet(fetched: Fetched) -> None:
    content = {
        "words.txt": b"n01443537\tgoldfish, Carassius auratus\nn01629819\tsalamander\n",
        "wnids.txt": b"n01443537\nn01629819\n",
        "train/n01443537/images/n01443537_0.JPEG": PICTURE,
        "train/n01443537/n01443537_boxes.txt": b"",
        "train/n01629819/images/n01629819_0.JPEG": PICTURE,
        "val/images/val_0.JPEG": PICTURE,
        "val/val_annotations.txt": b"val_0.JPEG\tn01629819\t0\t0\t9\t9\n",
        "test/images/test_0.JPEG": PICTURE,
    }
    whole = {f"tiny-imagenet-200/{name}": data for name, data in content.items()}
    root = fetched("tiny_imagenet", {"tiny-imagenet-200.zip": zipped(whole)})
    class_folders.check_layout(root)
    listing = class_folders.listing(root, class_folders.Settings())
    assert listing.captions["caption"].to_list() == ["goldfish", "salamander", "salamander"]


def test_voc(fetched: Fetched) -> None:
    annotation = (
        b"<annotation><filename>000005.jpg</filename><size><width>50</width><height>40</height>"
        b"</size><object><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>30</xmax><ymax>20</ymax></bndbox>"
        b"</object></annotation>"
    )
    content = {
        year: {
            f"VOCdevkit/VOC{year}/Annotations/000005.xml": annotation,
            f"VOCdevkit/VOC{year}/JPEGImages/000005.jpg": PICTURE,
        }
        for year in (2007, 2012)
    }
    root = fetched(
        "voc",
        {
            "VOCtrainval_06-Nov-2007.tar": tarred(content[2007], "w"),
            "VOCtrainval_11-May-2012.tar": tarred(content[2012], "w"),
        },
    )
    for year in content:
        (image,) = voc.read(root / f"VOCdevkit/VOC{year}")
        assert image.boxes.tolist() == [[0, 1, 30, 20]]


@pytest.mark.parametrize(
    ("name", "place", "folders"),
    [
        ("ecssd", "ecssd", {"images.zip": "images", "ground_truth_mask.zip": "ground_truth_mask"}),
        ("duts", "DUTS-TE", {"DUTS-TE.zip": "DUTS-TE/DUTS-TE-Image DUTS-TE/DUTS-TE-Mask"}),
        (
            "dut_omron",
            "",
            {
                "DUT-OMRON-image.zip": "DUT-OMRON-image",
                "DUT-OMRON-gt-pixelwise.zip.zip": "pixelwiseGT-new-PNG",
            },
        ),
    ],
)
def test_salient(fetched: Fetched, name: str, place: str, folders: Mapping[str, str]) -> None:
    archives = {
        archive: zipped(
            {
                f"{folder}/{n}.{'png' if 'ask' in folder or 'GT' in folder else 'jpg'}": PICTURE
                for folder in held.split()
                for n in range(3)
            }
        )
        for archive, held in folders.items()
    }
    root = fetched(name, archives)
    assert len(salient.find(root / place)) == 3


@pytest.mark.parametrize("name", ["sugar_crepe", "aro", "winoground", "vsr"])
def test_files_of_benchmarks_come_where_the_line_finds_them(
    fetched: Fetched, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        file.name: b"{}" if file.name.endswith(".jsonl") else b"[]"
        for file in catalogue.find(name).files
    }
    root = fetched(name, files)
    listed = coco.benchmark_files(root)
    paths = {file.path for file in catalogue.find(name).files if not file.part}
    assert {path.relative_to(root).as_posix() for path in listed} == paths


def test_visual_genome(fetched: Fetched) -> None:
    archives = {
        f"{name}.json.zip": zipped({f"{name}.json": b"[]"})
        for name in ("image_data", "relationships", "attributes")
    }
    aliases = {"relationship_alias.txt": b"on,is on\n"}
    root = fetched("visual_genome", archives | aliases)
    listed = {path.relative_to(root).as_posix() for path in coco.list_files(root)}
    read = (visual_genome.IMAGES, visual_genome.RELATIONSHIPS, visual_genome.ALIASES)
    assert listed == set(read)  # attributes are nobody's input yet
    assert visual_genome.images(root) == {}
    assert list(visual_genome.relationships(root)) == []
    assert visual_genome.aliases(root) == {"on": "on", "is on": "on"}
