"""What lies in a root: there, missing, damaged."""

from pathlib import Path

import pytest

from semtok.data.download.catalogue import File
from semtok.data.download.check import Found, check
from tests.data.download.test_fetch import PICTURES, SENTENCES, files_of, get


def states(found: list[Found]) -> list[tuple[str, str]]:
    return [(each.file, each.state) for each in found]


@pytest.fixture
def fetched(host, source, tmp_path: Path) -> Path:
    """A root with all of the source `tiny`."""
    get(tmp_path / "root", source("tiny", *files_of(host)))
    return tmp_path / "root"


def test_what_was_fetched_is_there(fetched: Path, host) -> None:
    asked = len(host.asked)
    assert [(each.state, each.what, each.remedy) for each in check(fetched, ["tiny"])] == [
        ("there", "6 files", ""),
        ("there", "4 files", ""),
        ("there", "1 file", ""),
    ]
    assert len(host.asked) == asked  # nobody is asked


def test_what_was_fetched_and_is_gone_or_spoilt(fetched: Path) -> None:
    (fetched / "train/1.jpg").unlink()
    (fetched / "annotations/masks/2.png").write_bytes(b"TWO")
    pictures, annotations, sentences = check(fetched, ["tiny"])
    assert pictures.state == "missing"
    assert pictures.what == "1 of 6 files, e.g. train/1.jpg"
    assert pictures.remedy == f"semtok data fetch tiny --root {fetched}"
    assert annotations.state == "damaged"
    assert annotations.what == "1 of 4 files, e.g. annotations/masks/2.png"
    assert annotations.remedy.startswith("remove it; semtok data fetch tiny")
    assert sentences.state == "there"
    # The remedy helps.
    (fetched / "annotations/masks/2.png").unlink()
    get(fetched, "tiny")
    assert {each.state for each in check(fetched, ["tiny"])} == {"there"}


def test_what_was_put_there_by_hand(host, source, tmp_path: Path) -> None:
    name, root = source("tiny", *files_of(host)), tmp_path / "root"
    everything = ["train.zip", "annotations.zip", "sentences.json"]
    assert states(check(root, [name])) == [(each, "missing") for each in everything]
    for path, data in PICTURES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    (root / "vsr").mkdir()
    (root / "vsr/sentences.json").write_bytes(SENTENCES)
    assert [state for _, state in states(check(root, [name]))] == ["there", "missing", "there"]
    (root / "train/5.jpg").unlink()
    (root / "vsr/sentences.json").write_bytes(SENTENCES[:-1])
    pictures, _, sentences = check(root, [name])
    assert (pictures.state, pictures.what) == ("missing", "5 of 6 files train/*.jpg")
    assert (sentences.state, sentences.what) == (
        "damaged",
        "vsr/sentences.json: no complete JSON",
    )


def test_what_people_have_to_get_says_where_it_goes(source, tmp_path: Path) -> None:
    page = "https://people.example/data"
    name = source(
        "closed",
        File(page, "annotations/x.json", access="browser"),
        File("https://hub.example/y.json", "y.json", access="token"),
    )
    by_browser, by_token = check(tmp_path / "root", [name])
    assert by_browser.remedy == (
        f"get it in a browser from {page} and put it at {tmp_path}/root/annotations/x.json"
    )
    assert "semtok data fetch closed" in by_token.remedy
    assert "HF_TOKEN" in by_token.remedy
