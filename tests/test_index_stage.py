"""The stage `index` on a COCO root: what it reports, and what it says when the root is gone."""

import json
from pathlib import Path

import pytest

from semtok.errors import SemtokError
from semtok.json_files import read_json
from semtok.params import FETCHED
from tests import small_line
from tests.conftest import write_tiny_coco


def project(tmp_path: Path, source: str) -> Path:
    """A project whose data are to lie at `source`; nothing has run."""
    document = small_line.own()
    document["data"] |= {"name": "tiny", "format": "coco", "source": source, "fetch": ["psg"]}
    return small_line.start(tmp_path / "line", document).root


def test_its_report_counts_what_other_data_sets_share_with_karpathys_splits(tmp_path: Path) -> None:
    write_tiny_coco(tmp_path / "coco")
    splits = {1: "train", 2: "restval", 6: "test", 7: "test", 8: "val", 10: "train"}
    images = [{"cocoid": image, "split": split} for image, split in splits.items()]
    (tmp_path / "coco/annotations/dataset_coco.json").write_text(json.dumps({"images": images}))
    root = project(tmp_path, str(tmp_path / "coco"))
    document = (root / "params.yaml").read_text()
    (root / "params.yaml").write_text(document.replace("rejected_share: 0.01", "rejected_share: 1"))
    for stage in ("images", "index"):
        small_line.run(root, stage, None)
    numbers = read_json(root / "artifacts/tiny/index/report.json")["numbers"]
    assert numbers["test images"] == 2
    # PSG, of conftest, is of the images 1, 2, 6, 8 and 10.
    assert (numbers["psg's images in train"], numbers["psg's images in test"]) == (3, 1)


@pytest.mark.parametrize(
    ("source", "place", "remedy"),
    [("coco", "coco", "put it back"), (FETCHED, "downloads/tiny", "semtok data fetch brings it")],
)
def test_a_root_that_is_gone_is_named_with_what_brings_it_back(
    tmp_path: Path, source: str, place: str, remedy: str
) -> None:
    root = project(tmp_path, source)
    write_tiny_coco(root / place)
    (root / place / "annotations/psg.json").touch()  # there: nothing is fetched
    small_line.run(root, "images", None)
    (root / place).rename(tmp_path / "elsewhere")
    with pytest.raises(SemtokError, match=rf"{place}: gone since .* listed it; {remedy}"):
        small_line.run(root, "index", None)
