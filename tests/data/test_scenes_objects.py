"""Masks and boxes of `scenes` in the formats of ECSSD and VOC, against its COCO annotations."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from semtok.data import files, indexing, salient, voc
from semtok.data.scenes import Settings, write
from semtok.params import DataSettings


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    write(folder, Settings(seed=5, size=96, train=1, val=8, novel=2))
    return folder


@pytest.mark.parametrize("split", ["val2017", "novel2017"])
def test_masks_are_of_the_largest_thing(root: Path, split: str, capsys) -> None:
    coco = COCO(root / f"annotations/instances_{split}.json")
    asked = salient.pair(root / split, root / "saliency/ground_truth_mask")
    assert [each.image.name for each in asked] == [
        each["file_name"] for each in coco.loadImgs(coco.getImgIds())
    ]
    for each in asked:
        things = coco.imgToAnns[int(each.image.stem)]
        largest = max(things, key=lambda thing: thing["area"])
        assert (salient.salient(each) == coco.annToMask(largest).astype(bool)).all()
        assert Image.open(each.mask).mode == "L"
        assert np.unique(np.asarray(Image.open(each.mask))).tolist() == [0, 255]


def test_boxes_are_those_of_all_things(root: Path, capsys) -> None:
    coco = COCO(root / "annotations/instances_val2017.json")
    for image in coco.loadImgs(coco.getImgIds()):
        file = root / f"corloc/Annotations/{image['id']:012d}.xml"
        name, size, boxes = voc.parse(file)
        assert (name, size) == (image["file_name"], (96, 96))
        wanted = [thing["bbox"] for thing in coco.imgToAnns[image["id"]]]
        assert [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes.tolist()] == wanted


def test_the_index_has_them(root: Path, tmp_path: Path) -> None:
    listed = files.list_files(root)
    settings = DataSettings("tiny", "coco", "", shards=2, rejected_share=1.0)
    indexing.build(root, listed, settings, tmp_path)
    for name in ("saliency/ground_truth_mask", "corloc/Annotations"):
        ours = {each.name: each.read_bytes() for each in (root / name).iterdir()}
        assert ours == {
            each.name: each.read_bytes() for each in (tmp_path / "benchmarks" / name).iterdir()
        }
        assert len(ours) == 10
