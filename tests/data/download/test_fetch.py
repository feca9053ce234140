"""Sources -> a data root: idempotent, and nothing half is ever there."""

import dataclasses
import io
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from urllib3.util import Retry

from semtok.data import coco
from semtok.data.download import fetch as module
from semtok.data.download.catalogue import File
from semtok.data.download.fetch import TOKEN, fetch
from semtok.errors import SemtokError
from semtok.events import Event
from tests.data.download.loopback import Host
from tests.data.download.test_unpack import pack_tar, tree

PATIENCE = Retry(total=2, backoff_factor=0)
PICTURES = {f"train/{n}.jpg": bytes([n]) * 50 for n in range(6)}
ANNOTATIONS = {"annotations/a.json": b"{}", "annotations/b.json": b"[1]"}
SENTENCES = b'["a", "b"]'


def zipped(content: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def files_of(host: Host) -> tuple[File, ...]:
    """A source of two archives, one of them with another one within, and a file."""
    inner = zipped({"masks/1.png": b"one", "masks/2.png": b"two"})
    annotations = zipped({**ANNOTATIONS, "annotations/masks.zip": inner})
    return (
        File(
            host.serve("/train.zip", pictures := zipped(PICTURES)),
            archive="train.zip",
            holds={"train/*.jpg": 6},
            bytes=len(pictures),
            checksum=f"sha256:{sha256(pictures).hexdigest()}",
        ),
        File(
            host.serve("/annotations.zip", annotations),
            archive="annotations.zip",
            holds={"annotations/*.json": 2, "annotations/masks/*.png": 2},
            inner=("annotations/masks.zip",),
        ),
        File(host.serve("/sentences.json", SENTENCES), "vsr/sentences.json"),
    )


WHOLE = {
    **PICTURES,
    **ANNOTATIONS,
    "annotations/masks/1.png": b"one",
    "annotations/masks/2.png": b"two",
    "vsr/sentences.json": SENTENCES,
}


def seen(root: Path) -> dict[str, bytes]:
    """What whoever reads the data finds there."""
    return {name: data for name, data in tree(root).items() if not name.startswith(".fetched/")}


def get(root: Path, *wanted: str, **how) -> list[Event]:
    events: list[Event] = []
    fetch(root, wanted, emit=events.append, patience=PATIENCE, **how)
    return events


def test_a_root_is_made_and_the_second_time_nothing_is_asked(host, source, tmp_path) -> None:
    name, root = source("tiny", *files_of(host)), tmp_path / "root"
    get(root, name)
    assert seen(root) == WHOLE
    assert len(host.asked) == 3
    places = (
        ".fetched/lock",
        *(f".fetched/tiny/{n}.parquet" for n in ("train.zip", "annotations.zip", "sentences.json")),
    )
    assert set(tree(root)) - set(WHOLE) == set(places)  # the archives themselves are gone
    assert get(root, name) == []
    assert len(host.asked) == 3


def test_what_is_missing_is_fetched_again_and_nothing_else(host, source, tmp_path) -> None:
    name, root = source("tiny", *files_of(host)), tmp_path / "root"
    get(root, name)
    (root / "train/3.jpg").unlink()
    (root / "vsr/sentences.json").write_bytes(b"[")
    host.asked.clear()
    get(root, name)
    assert seen(root) == WHOLE
    assert [asked.path for asked in host.asked] == ["/train.zip", "/sentences.json"]


def test_a_root_that_was_unpacked_by_hand_is_taken_as_it_is(host, source, tmp_path) -> None:
    name, root = source("tiny", *files_of(host)), tmp_path / "root"
    for path, data in WHOLE.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    get(root, name)
    assert host.asked == []
    (root / "vsr/sentences.json").write_bytes(SENTENCES[:-1])
    with pytest.raises(SemtokError, match=r"sentences\.json: no complete JSON; remove it"):
        get(root, name)


def test_an_archive_that_was_put_there_by_hand_is_unpacked(host, source, tmp_path) -> None:
    files = files_of(host)
    page = dataclasses.replace(files[0], address="https://people.example", access="browser")
    name, root = source("tiny", page), tmp_path / "root"
    with pytest.raises(SemtokError, match=r"in a browser from https://people\.example") as error:
        get(root, name)
    place = Path(str(error.value).rpartition("put it at ")[2])
    place.write_bytes(b"PK")
    with pytest.raises(SemtokError, match=r"2 bytes, expected .*: remove it and fetch it again"):
        get(root, name)
    place.write_bytes(zipped(PICTURES))
    get(root, name)
    assert seen(root) == PICTURES
    assert host.asked == []


class KilledError(BaseException):
    """As if the power went."""


@pytest.mark.parametrize("step", range(9))
def test_a_kill_at_any_step_leaves_nothing_half(
    host, source, tmp_path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Steps are the renames, between which alone anything changes for those who read."""
    name, root = source("tiny", *files_of(host)), tmp_path / "root"
    renames, replace = iter(range(100)), Path.replace

    def dying(path: Path, target: Path) -> Path:
        if next(renames) == step:
            raise KilledError
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", dying)
        patched.setattr(module.shutil, "rmtree", lambda *_, **__: None)  # the dead tidy nothing up
        with pytest.raises(KilledError):
            get(root, name)
    found = seen(root)
    assert found.items() <= WHOLE.items()
    if any(path.startswith("train/") for path in found):
        assert found.items() >= PICTURES.items()  # a new folder comes in one step
    get(root, name)
    assert seen(root) == WHOLE
    assert not [path for path in tree(root) if "unpacked" in path or "partial" in path]
    assert get(root, name) == []


CHILD = """
import sys
from pathlib import Path
from semtok.data.download import catalogue, fetch
from semtok.data import sources

def wait(event):
    if getattr(event, "what", "") == sys.argv[3] and event.done:
        print(flush=True)
        sys.stdin.read()

sources.__path__.append(sys.argv[1])
fetch.fetch(Path(sys.argv[2]), ["tiny"], emit=wait)
"""


@pytest.mark.slow
@pytest.mark.parametrize("work", ["download big.zip", "unpack big.zip"])
def test_a_process_that_is_killed_goes_on_where_it_was(host, source, tmp_path, work: str) -> None:
    content = {f"train/{n}.jpg": bytes([n]) * (1 << 20) for n in range(4)}
    archive = zipped(content)
    address = host.serve("/big.zip", archive, breaks=1, after=2 << 20)
    source("tiny", File(address, archive="big.zip", holds={"train/*.jpg": 4}))
    root = tmp_path / "root"
    command = [sys.executable, "-c", CHILD, str(tmp_path / "sources"), str(root), work]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as child:
        assert child.stdout.readline()
        child.kill()
    assert child.returncode == -signal.SIGKILL
    assert seen(root) == {}
    host.asked.clear()
    get(root, "tiny")
    assert seen(root) == content
    if work.startswith("unpack"):
        assert host.asked == []
    else:
        assert all("Range" in asked.headers for asked in host.asked)


@pytest.mark.parametrize(
    ("address", "place"),
    [("zips/train.zip", "zips/train.zip"), ("download?id=1", "download/train.zip")],
)
def test_a_mirror_has_the_files_below_host_and_path(host, source, tmp_path, address, place) -> None:
    """No query is asked of it: a folder of files, as `python -m http.server` serves, knows none."""
    pictures = zipped(PICTURES)
    file = File(f"http://data.example/{address}", archive="train.zip", holds={"train/*": 6})
    host.serve(f"/all/data.example/{place}", pictures)
    get(tmp_path / "root", source("tiny", file), mirror=f"{host.address}/all/")
    assert seen(tmp_path / "root") == PICTURES


def test_a_token_is_asked_for_sent_and_never_given_to_a_mirror(
    host, source, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    address = host.serve("/gated.json", b"[]")
    host.serve(f"/mirror/127.0.0.1:{host.port}/gated.json", b"[]")
    name = source("gated", File(address, "gated.json", access="token"))
    with pytest.raises(SemtokError, match=r"accept the terms at https://home\.example, .*HF_TOKEN"):
        get(tmp_path / "one", name)
    assert host.asked == []
    monkeypatch.setenv(TOKEN, "hf_secret")
    get(tmp_path / "one", name)
    get(tmp_path / "two", name, mirror=f"{host.address}/mirror")
    sent = [asked.headers.get("Authorization") for asked in host.asked]
    assert sent == ["Bearer hf_secret", None]
    host.files["/gated.json"].statuses = [403]
    with pytest.raises(SemtokError, match=r"403.*not for everybody; or accept the terms at"):
        get(tmp_path / "three", name)


def test_a_token_is_freed_of_its_newline_and_never_told(
    host, source, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = host.serve("/gated.json", b"[]")
    name = source("gated", File(address, "gated.json", access="token"))
    for token in ("hf_s\u00e9cret", "hf_se\ncret", "hf_se cret"):
        monkeypatch.setenv(TOKEN, token)
        with pytest.raises(SemtokError, match="HF_TOKEN: holds characters that no") as error:
            get(tmp_path / "root", name)
        assert "cret" not in str(error.value)
    monkeypatch.setenv(TOKEN, " \n")
    with pytest.raises(SemtokError, match=r"^gated: gated\.json: accept the terms"):
        get(tmp_path / "root", name)
    assert host.asked == []
    monkeypatch.setenv(TOKEN, "hf_secret\r\n")
    get(tmp_path / "root", name)
    assert host.asked[0].headers["Authorization"] == "Bearer hf_secret"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<html>Please log in</html>", "neither zip nor tar"),
        (zipped({"../train/1.jpg": b""}), "lies outside the folder"),
    ],
)
def test_what_is_no_such_archive_leaves_no_trace_among_the_data(
    host, source, tmp_path, content: bytes, words: str
) -> None:
    file = File(host.serve("/a.zip", content), archive="a.zip", holds={"train/*.jpg": 1})
    root = tmp_path / "root"
    with pytest.raises(SemtokError, match=words):
        get(root, source("tiny", file))
    assert seen(root) == {}
    assert tree(tmp_path).keys() == {"sources/tiny.py", "root/.fetched/lock"}
    # What came is not kept, so that the next time it is fetched anew.
    host.serve("/a.zip", zipped(PICTURES))
    get(root, "tiny")
    assert seen(root) == PICTURES


def test_a_sound_archive_of_something_else_waits_for_people(host, source, tmp_path) -> None:
    """The source may be wrong about it, and it may have taken a day to come."""
    address = host.serve("/a.zip", zipped({"elsewhere/1.jpg": b""}))
    name = source("tiny", File(address, archive="a.zip", holds={"train/*.jpg": 1}))
    root = tmp_path / "root"
    for _ in range(2):
        with pytest.raises(SemtokError, match=r"a\.zip: brings 0 of 1 train/\*\.jpg: remove it"):
            get(root, name)
    assert len(host.asked) == 1
    assert seen(root) == {}
    assert tree(root).keys() == {".fetched/lock", ".fetched/tiny/a.zip"}


def test_fewer_files_than_the_source_says_are_no_source(host, source, tmp_path) -> None:
    address = host.serve("/a.zip", zipped(PICTURES))
    name = source("tiny", File(address, archive="a.zip", holds={"train/*.jpg": 7}))
    with pytest.raises(SemtokError, match=r"a\.zip: brings 6 of 7 train/\*\.jpg: remove it"):
        get(tmp_path / "root", name)
    assert seen(tmp_path / "root") == {}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".fetched/tiny/annotations.zip.parquet", "lies in none of train"),
        ("annotations/c.json", "lies in none of train"),
        ("README", "lies in none of train"),
        ("annotations/a.json", r"is another file than in .*/tiny/annotations\.zip\.parquet"),
    ],
)
def test_an_archive_brings_nothing_but_its_own(host, source, tmp_path, path, words) -> None:
    """Neither receipts, nor what the source does not say, nor what another file brought."""
    files, root = files_of(host), tmp_path / "root"
    get(root, source("tiny", *files))
    before = tree(root)
    address = host.serve("/other.zip", zipped({**PICTURES, path: b"[2]"}))
    holds = {"train/*.jpg": 6, **({"annotations/*.json": 1} if "another" in words else {})}
    name = source("other", File(address, archive="other.zip", holds=holds))
    (root / "train/5.jpg").unlink()  # else all is there, by number
    with pytest.raises(SemtokError, match=f"other.zip: {path}: {words}"):
        get(root, name)
    kept = {key: value for key, value in before.items() if key != "train/5.jpg"}
    assert kept.items() <= tree(root).items()
    # What another file brought, and is the same, is no fault.
    host.serve("/other.zip", zipped({**PICTURES, **ANNOTATIONS}))
    (root / ".fetched/other/other.zip").unlink()
    if "another" in words:
        get(root, name)
        assert seen(root) == WHOLE


@pytest.mark.parametrize("wrong", ["train", "train/3.jpg"])
def test_what_lies_in_the_way_is_named_and_nothing_is_moved(host, source, tmp_path, wrong) -> None:
    name, root = source("tiny", *files_of(host)), tmp_path / "root"
    if wrong == "train":
        root.mkdir()
        (root / wrong).write_bytes(b"mine")
    else:
        (root / wrong).mkdir(parents=True)
    with pytest.raises(SemtokError, match=rf"^{root / wrong}: in the way of .*train\.zip brings"):
        get(root, name)
    assert seen(root) == ({"train": b"mine"} if wrong == "train" else {})
    shutil.rmtree(root / "train") if wrong != "train" else (root / wrong).unlink()
    get(root, name)
    assert seen(root) == WHOLE
    assert [asked.path for asked in host.asked].count("/train.zip") == 1


@pytest.mark.parametrize(
    ("file", "content"),
    [
        *(("a.json", each) for each in (b"<html>Please log in</html>", b'{"images": [', b"")),
        *(("a.jsonl", each) for each in (b"<html>Log in</html>", b'{"id": 1}\n{"id":', b"[]", b"")),
    ],
)
def test_what_is_no_json_is_not_taken_for_it(host, source, tmp_path, file, content) -> None:
    name = source("tiny", File(host.serve(f"/{file}", content), file))
    with pytest.raises(SemtokError, match="no complete JSON"):
        get(tmp_path / "root", name)
    assert tree(tmp_path / "root").keys() == {".fetched/lock"}


def test_a_link_in_the_root_does_not_make_a_way_out(host, source, tmp_path) -> None:
    """What people have linked to another disk is theirs: files go there, and no link is made."""
    pack_tar(tmp_path / "a.tgz", PICTURES)
    address = host.serve("/a.tgz", (tmp_path / "a.tgz").read_bytes())
    name = source("tiny", File(address, archive="a.tgz", holds={"train/*.jpg": 6}))
    root, disk = tmp_path / "root", tmp_path / "disk"
    disk.mkdir()
    root.mkdir()
    (root / "train").symlink_to(disk)
    get(root, name)
    assert len(tree(disk)) == 6
    shutil.rmtree(disk)


def test_two_at_once(host, source, tmp_path) -> None:
    name = source("tiny", *files_of(host))
    with module._alone(tmp_path / "root"):  # noqa: SIM117
        with pytest.raises(SemtokError, match="another process is fetching; wait"):
            get(tmp_path / "root", name)


def test_unknown_names_say_what_there_is(host, source, tmp_path) -> None:
    name = source("tiny", *files_of(host))
    with pytest.raises(SemtokError, match=r"nowhere: no such source; there are .*coco, .*tiny"):
        get(tmp_path, "nowhere")
    with pytest.raises(SemtokError, match="tiny/masks: tiny has no such part; it has none"):
        get(tmp_path, f"{name}/masks")
    with pytest.raises(SemtokError, match="it has 2014, karpathy, panoptic"):
        get(tmp_path, "coco/2015")


def test_json_of_receipts_is_none(host, source, tmp_path) -> None:
    """They lie one folder below the root, where the files of benchmarks do."""
    get(tmp_path / "root", source("tiny", *files_of(host)))
    assert coco.list_files(tmp_path / "root") == [tmp_path / "root/vsr/sentences.json"]
