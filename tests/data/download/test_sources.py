"""The sources that semtok brings: their tables, and what they tell of COCO's images.

The files of Visual Genome, PSG and ARO are written here from their published formats.
"""

import json
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from semtok import bench
from semtok.data import editions, leakage
from semtok.data.download import catalogue
from semtok.errors import SemtokError
from tests.conftest import write_tiny_coco

NAMES = catalogue.names()


@pytest.mark.parametrize("name", NAMES)
def test_a_table_says_all_that_fetching_needs(name: str) -> None:
    source = catalogue.find(name)
    assert urlsplit(source.home).scheme in ("http", "https")
    assert source.licence
    names = [file.name for file in source.files]
    assert len(set(names)) == len(names)  # receipts are kept by them
    for file in source.files:
        assert urlsplit(file.address).netloc
        assert bool(file.archive) == bool(file.holds)
        assert file.archive or file.path
        assert not Path(file.path).is_absolute()
        assert ".." not in file.path
        assert re.fullmatch(r"|md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum)
        for pattern in file.holds:
            assert Path(pattern).is_relative_to(file.path)
    for part in {"", *(file.part for file in source.files)}:
        assert catalogue.chosen([f"{name}/{part}" if part else name])


def test_files_of_benchmarks_are_the_editions_that_benchmarks_take() -> None:
    files = {file.path: file for name in NAMES for file in catalogue.find(name).files}
    for path, checksum in editions.CURRENT.items():
        assert files[path].checksum == f"sha256:{checksum}"


def test_no_json_of_a_source_lies_where_benchmarks_have_theirs_unless_it_is_one() -> None:
    """A COCO root's FOLDER/*.json is read into the index, whole."""
    places = {
        path.partition("/")[0]
        for name in NAMES
        for file in catalogue.find(name).files
        for path in (file.path, *file.holds)
        if path.count("/") == 1 and ".json" in path
    }
    benchmarks = {each.name for each in pkgutil.iter_modules(bench.__path__)}
    assert places - {"annotations"} <= benchmarks


Write = Callable[[str, object], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Nine images: 1 to 5 in train2017, 6, 7, 8 and 10 in val2017."""
    write_tiny_coco(tmp_path)
    return tmp_path


def write(root: Path, name: str, document: object) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(document))


def karpathy(root: Path, **splits: str) -> None:
    images = [{"cocoid": int(each[1:]), "split": split} for each, split in splits.items()]
    write(root, "annotations/dataset_coco.json", {"images": images})


def test_overlaps_are_counted_by_hand(root: Path) -> None:
    karpathy(root, i1="train", i2="restval", i6="test", i7="test", i8="val", i10="train")
    # PSG, of conftest, is of the images 1, 2, 6, 8 and 10.
    sugar = {"0": {"filename": "000000000006.jpg"}, "7": {"filename": "000000000010.jpg"}}
    write(root, "sugar_crepe/add_att.json", sugar)
    write(root, "sugar_crepe/swap_obj.json", {"3": {"filename": "000000000006.jpg"}})
    data = [
        {"image_id": 2401, "url": "", "width": 8, "height": 6, "coco_id": 7, "flickr_id": 1},
        {"image_id": 2402, "url": "", "width": 8, "height": 6, "coco_id": None, "flickr_id": None},
        {"image_id": 2403, "url": "", "width": 8, "height": 6, "coco_id": 3, "flickr_id": None},
        {"image_id": 2404, "url": "", "width": 8, "height": 6, "coco_id": 2, "flickr_id": None},
    ]
    write(root, "annotations/visual_genome/image_data.json", data)
    relations = [{"image_path": "2401.jpg"}, {"image_path": "2402.jpg"}, {"image_path": "2401.jpg"}]
    write(root, "aro/visual_genome_relation.json", relations)
    vsr = [{"image": "000000000008.jpg", "label": 1}, {"image": "000000000005.jpg", "label": 0}]
    (root / "vsr").mkdir()
    text = "\n".join(map(json.dumps, vsr)) + "\n"
    (root / "vsr/all_vsr_validated_data.jsonl").write_text(text)
    assert leakage.overlaps(root) == [
        leakage.Overlap("aro", images=1, train=0, val=0, test=1),
        leakage.Overlap("psg", images=5, train=3, val=1, test=1),
        leakage.Overlap("sugar_crepe", images=2, train=1, val=0, test=1),
        leakage.Overlap("visual_genome", images=3, train=1, val=0, test=1),
        leakage.Overlap("vsr", images=2, train=0, val=1, test=0),
    ]


def test_with_blips_lists_all_other_images_are_train(root: Path) -> None:
    for split, image in (("val", 8), ("test", 6)):
        rows = [{"image": f"val2014/COCO_val2014_{image:012d}.jpg", "caption": ["a"]}]
        write(root, f"annotations/coco_karpathy_{split}.json", rows)
    assert leakage.overlaps(root) == [leakage.Overlap("psg", images=5, train=3, val=1, test=1)]


def test_without_karpathys_splits_there_is_nothing_to_count(root: Path) -> None:
    assert leakage.overlaps(root) == []


@pytest.mark.parametrize(
    ("name", "document", "words"),
    [
        ("sugar_crepe/add_att.json", {"0": {"filename": 3}}, r"\[0\]\.filename: 3 is not a text"),
        ("sugar_crepe/add_att.json", {"0": {"filename": "cat.jpg"}}, "'cat.jpg' does not end in"),
        ("annotations/visual_genome/image_data.json", {}, "expected a list"),
        ("annotations/visual_genome/image_data.json", [{"image_id": 1}], "coco_id: missing"),
    ],
)
def test_damaged_files_are_named(root: Path, name: str, document: object, words: str) -> None:
    karpathy(root, i6="test")
    write(root, name, document)
    with pytest.raises(SemtokError, match=f"{name}.*{words}"):
        leakage.overlaps(root)


def test_overlaps_of_the_sample(coco_sample: Path, tmp_path: Path) -> None:
    """All of SugarCrepe's images there are val2017's, and none of train2017's."""
    for name in ("sugar_crepe", "annotations"):
        (tmp_path / name).mkdir()
    for path in (coco_sample / "sugar_crepe").glob("*.json"):
        (tmp_path / "sugar_crepe" / path.name).symlink_to(path)
    images = json.loads((coco_sample / "annotations/captions_val2017.json").read_text())["images"]
    karpathy(tmp_path, **{f"i{each['id']}": "test" for each in images})
    (found,) = leakage.overlaps(tmp_path)
    assert found.source == "sugar_crepe"
    assert found.images == found.test > 0
