"""Roots at an address of fsspec: read as folders are, and never taken for damaged."""

import pickle
import posixpath
import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import fsspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.bench.image_files import opened
from semtok.data import class_folders, coco, documents, files, indexing, leakage
from semtok.data.facts import facts
from semtok.errors import SemtokError, UnreadableImageError
from semtok.params import DataSettings
from semtok.remote import AnyPath, RemotePath, UnreachableError, locate, within
from semtok.tokens.pixels import decode
from tests.extract.conftest import Extraction

_NUMBERS = count()


def in_memory(root: Path) -> RemotePath:
    """A copy of a folder at an address of its own."""
    system = fsspec.filesystem("memory")
    address = f"memory://root{next(_NUMBERS)}"
    for path in root.rglob("*"):
        if path.is_file():
            system.pipe(f"{address}/{path.relative_to(root).as_posix()}", path.read_bytes())
    found = locate(Path(), address)
    assert isinstance(found, RemotePath)
    return found


@pytest.fixture
def nowhere() -> Iterator[RemotePath]:
    """An address where nobody answers."""
    with socket.socket() as held:  # bound and never listening, so that nobody else takes it
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}/root"
        # No root is at such an address, but fsspec asks one without credentials or packages.
        yield RemotePath(fsspec.filesystem("http"), address)


def built(root: AnyPath, folder: Path) -> dict[str, bytes]:
    """Every file of the index of a root."""
    data = DataSettings("tiny", "coco", "", shards=3, rejected_share=1.0)
    folder.mkdir()
    indexing.build(root, files.list_files(root), data, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


_NAMES = st.sampled_from(["a", "b.json", "c.jpg", ".d", "e f"])


@settings(max_examples=30)
@given(st.sets(st.lists(_NAMES, min_size=1, max_size=3).map(tuple), max_size=8))
def test_a_tree_is_listed_as_pathlib_lists_it(tmp_path_factory, places):
    root = tmp_path_factory.mktemp("tree")
    for place in sorted(places, key=len):  # what is a file already gets nothing below it
        path = root.joinpath(*place)
        if not path.exists() and not any(each.is_file() for each in path.parents):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("/".join(place))
    there = in_memory(root)

    def names(found: Iterator[AnyPath], top: AnyPath) -> list[str]:
        return sorted(str(within(each, top)) for each in found)

    for pattern in ("*", "*/*.json", "a/*", "a/b.json", "a/*/c.jpg", "*/a/*", "nothing/*"):
        assert names(there.glob(pattern), there) == names(root.glob(pattern), root)
    for path in root.rglob("*"):
        other = there / path.relative_to(root).as_posix()
        assert (other.exists(), other.is_file(), other.is_dir()) == (
            True,
            path.is_file(),
            path.is_dir(),
        )
        assert (other.name, other.suffix) == (path.name, path.suffix)
        if path.is_file():
            assert other.read_text("utf-8") == path.read_text("utf-8")
    shutil.rmtree(root)


def test_what_is_made_of_a_root_is_the_same_wherever_it_lies(tiny_coco, tmp_path):
    (tiny_coco / "sugar_crepe").mkdir()
    (tiny_coco / "sugar_crepe/add_obj.json").write_text("{}")
    (tiny_coco / "annotations/dataset_coco.json").write_text(
        '{"images": [{"cocoid": 1, "split": "val"}, {"cocoid": 8, "split": "restval"}]}'
    )
    damaged = tiny_coco / "train2017/000000000003.jpg"
    damaged.write_bytes(b"no picture")
    cut_off = tiny_coco / "train2017/000000000004.jpg"
    cut_off.write_bytes(cut_off.read_bytes()[:200])
    there = in_memory(tiny_coco)
    assert files.list_files(there).equals(files.list_files(tiny_coco))
    here = built(tiny_coco, tmp_path / "here")
    assert built(there, tmp_path / "there") == here
    assert b"no picture" not in here["rejected.parquet"]
    assert leakage.overlaps(there) == leakage.overlaps(tiny_coco) != []
    assert facts(tmp_path / "there", there) == facts(tmp_path / "here", tiny_coco)


@pytest.mark.parametrize(
    ("masks", "scene_graphs"), [("instances", "geometry"), ("panoptic", "psg")]
)
def test_what_is_extracted_is_the_same_wherever_the_root_lies(tiny, masks, scene_graphs):
    tiny.use(masks, scene_graphs)
    tiny.masks()
    tiny.scene_graphs()
    there = replace(tiny, root=in_memory(tiny.root), folder=tiny.folder / "there")
    there.masks()
    there.scene_graphs()
    for name in ("masks", "scene_graphs"):
        assert there.bytes(name) == tiny.bytes(name)


def test_class_folders_are_listed_the_same_wherever_they_lie(tiny_coco, tmp_path):
    pictures = sorted((tiny_coco / "train2017").iterdir())
    root = tmp_path / "classes"
    for number, picture in enumerate(pictures):
        for split in ("train", "val"):
            # In folders of folders, one of them another program's.
            inner = ("images", ".hidden", "")[number % 3]
            target = root / split / f"class{number % 2}" / inner / picture.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, target)
    (root / "words.txt").write_text("class0\ta cat, felis\nclass1\ta dog\n")
    there = in_memory(root)
    class_folders.check_layout(there)
    layout = "class_folders"
    listed = files.list_files(there, layout=layout)
    assert listed.equals(files.list_files(root, layout=layout))
    assert not any("hidden" in each for each in listed["path"].to_pylist())
    own = class_folders.Settings()
    one, other = (class_folders.listing(each, own) for each in (root, there))
    assert one.images.equals(other.images)
    assert one.captions.equals(other.captions)
    assert one.official == other.official


def test_a_path_in_the_project_stays_a_path(tmp_path):
    assert locate(tmp_path, "data/coco") == tmp_path / "data/coco"
    assert locate(tmp_path, "/data/coco") == Path("/data/coco")


def test_an_address_survives_the_way_to_a_worker():
    path = locate(Path(), "memory://root/annotations")
    again = pickle.loads(pickle.dumps(path))
    assert again == path
    assert str(again) == str(path)
    assert posixpath.basename(str(again)) == again.name == "annotations"


def test_credentials_are_neither_taken_nor_told_nor_sent(monkeypatch):
    for address in ("s3://key:hush@bucket/coco", "https://host/coco?signature=hush"):
        with pytest.raises(SemtokError, match="holds credentials or a query") as refused:
            locate(Path(), address)
        assert "hush" not in str(refused.value)
    monkeypatch.setitem(fsspec.config.conf, "memory", {"told": "hush"})
    assert b"hush" not in pickle.dumps(locate(Path(), "memory://root/coco"))


def test_what_is_not_there_is_told_as_of_a_folder(tiny_coco):
    there = in_memory(tiny_coco)
    with pytest.raises(FileNotFoundError, match="No such file or directory: 'memory:"):
        (there / "annotations/none.json").read_bytes()
    with pytest.raises(SemtokError, match=r"none.json: missing; put it there"):
        documents.read_json(there / "annotations/none.json")
    with pytest.raises(UnreadableImageError, match=r"none.jpg: unreadable image \(No such file"):
        decode(there / "train2017/none.jpg", 16)
    with pytest.raises(SemtokError, match=r"memory:.*/nothing/train2017: missing; data.source"):
        coco.check_layout(there / "nothing")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("unheard://bucket", "^unheard://bucket: no such file system .*unheard.*; correct it$"),
        (
            "https://host/coco",
            "^data.source: https://host/coco: https:// cannot list its files; copy",
        ),
        ("simplecache::http://host/coco", "^data.source: .*http:// cannot list its files; copy"),
        ("gs://bucket", "^gs://bucket: needs a package that is not installed .*gcs.*$"),
    ],
)
def test_an_address_that_nothing_reads_is_told_in_a_line(address, told):
    with pytest.raises(SemtokError, match=told) as caught:
        locate(Path(), address)
    assert "\n" not in str(caught.value)


def test_no_answer_is_told_and_sets_no_image_aside(tiny, nowhere):
    listed, index = tiny.index()
    tiny.use("superpixels", "geometry", superpixels={"regions": 5})
    lost = replace(tiny, root=nowhere, indexed=(listed, index))
    told = r"train2017/\d+.jpg: no answer, or none but a refusal .*; see to its address"
    with pytest.raises(SemtokError, match=told) as caught:
        lost.masks()
    assert "\n" not in str(caught.value)
    with pytest.raises(UnreachableError):
        decode(nowhere / "a.jpg", 16)
    with pytest.raises(UnreachableError):
        opened(nowhere / "a.jpg")


@pytest.fixture
def tiny(tiny_coco: Path, tmp_path: Path) -> Extraction:
    return Extraction(tiny_coco, tmp_path)
