"""Archives: what comes out is what went in, and nothing gets out of the folder."""

import io
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from semtok.data.download.unpack import unpack
from semtok.errors import SemtokError

Content = Mapping[str, bytes]
Pack = Callable[[Path, Content], None]


def pack_zip(path: Path, content: Content) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name), data)


def pack_tar(path: Path, content: Content) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


PACKS = {"zip": pack_zip, "tgz": pack_tar}
each_kind = pytest.mark.parametrize(("kind", "pack"), PACKS.items(), ids=PACKS)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


NAMES = st.lists(st.text("ab.-_ é0", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join)
TREES = st.dictionaries(NAMES, st.binary(max_size=40), min_size=1, max_size=6)


def is_tree(content: Content) -> bool:
    """Whether a file system can hold it: no file is a folder as well, and none has dots alone.

    shutil passes over every name with two dots in it.
    """
    parts = [tuple(name.split("/")) for name in content]
    plain = all(part != "." and ".." not in part for name in parts for part in name)
    return plain and not any(a != b and b[: len(a)] == a for a in parts for b in parts)


@each_kind
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=TREES.filter(is_tree))
def test_out_comes_what_went_in(kind: str, pack: Pack, content: Content, tmp_path: Path) -> None:
    archive, folder, reference = (tmp_path / name for name in (f"a.{kind}", "ours", "reference"))
    for each in (folder, reference):
        shutil.rmtree(each, ignore_errors=True)
    pack(archive, content)
    found = unpack(archive, folder)
    shutil.unpack_archive(archive, reference, {"zip": "zip", "tgz": "gztar"}[kind])
    assert tree(folder) == tree(reference) == dict(content)
    assert {each.path: (each.bytes, each.sha256) for each in found} == {
        name: (len(data), sha256(data).hexdigest()) for name, data in content.items()
    }


@each_kind
@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/x", "..\\x", "C:/x", "a/..", "//host/x", "a/b/../../../x"]
)
def test_nothing_gets_out(kind: str, pack: Pack, name: str, tmp_path: Path) -> None:
    pack(tmp_path / f"a.{kind}", {"good": b"", name: b"bad"})
    with pytest.raises(SemtokError, match="lies outside the folder"):
        unpack(tmp_path / f"a.{kind}", tmp_path / "in" / "folder")
    assert tree(tmp_path / "in") == {"folder/good": b""}
    assert not Path("/x").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_a_tar_brings_files_alone(kind: bytes, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("way_out")
        info.type, info.linkname = kind, "/etc"
        archive.addfile(info)
    with pytest.raises(SemtokError, match=r"a\.tar: way_out: no plain file"):
        unpack(tmp_path / "a.tar", tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_a_zip_brings_files_alone(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("way_out")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc")
    with pytest.raises(SemtokError, match=r"a\.zip: way_out: no plain file"):
        unpack(tmp_path / "a.zip", tmp_path / "folder")


@each_kind
def test_a_bomb_is_put_out(kind: str, pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path / f"a.{kind}", {"small": b"1", "bomb": bytes(5 << 20)})
    with pytest.raises(SemtokError, match="unpack to more than is allowed"):
        unpack(tmp_path / f"a.{kind}", tmp_path / "folder", limit=4 << 20)
    assert sum(map(len, tree(tmp_path / "folder").values())) <= 4 << 20
    shutil.rmtree(tmp_path / "folder")
    unpack(tmp_path / f"a.{kind}", tmp_path / "folder", limit=(5 << 20) + 1)


def test_a_bomb_of_many_files_is_put_out(tmp_path: Path) -> None:
    pack_zip(tmp_path / "a.zip", {f"{n}": bytes(100) for n in range(20)})
    with pytest.raises(SemtokError, match="more than is allowed"):
        unpack(tmp_path / "a.zip", tmp_path / "folder", limit=1999)


def test_a_zip_that_lies_of_its_size_is_damaged(tmp_path: Path) -> None:
    pack_zip(tmp_path / "a.zip", {"file": bytes(1000)})
    data = (tmp_path / "a.zip").read_bytes()
    sizes = (1000).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data.replace(sizes, (10).to_bytes(4, "little")))
    with pytest.raises(SemtokError, match="a damaged archive"):
        unpack(tmp_path / "a.zip", tmp_path / "folder")


@each_kind
def test_a_file_that_is_a_folder_too(kind: str, pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path / f"a.{kind}", {"a": b"1", "a/b": b"2"})
    with pytest.raises(SemtokError, match="a file and a folder of one name"):
        unpack(tmp_path / f"a.{kind}", tmp_path / "folder")


def test_a_member_that_comes_twice(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("./same"))
    with pytest.raises(SemtokError, match="comes twice"):
        unpack(tmp_path / "a.tar", tmp_path / "folder")


@each_kind
def test_a_damaged_archive(kind: str, pack: Pack, tmp_path: Path) -> None:
    archive = tmp_path / f"a.{kind}"
    pack(archive, {"file": bytes(range(256)) * 50})
    data = archive.read_bytes()
    middle = 60
    archive.write_bytes(data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :])
    with pytest.raises(SemtokError, match=r"a damaged archive|neither zip nor tar"):
        unpack(archive, tmp_path / "one")
    archive.write_bytes(data[: len(data) // 2])
    with pytest.raises(SemtokError, match=r"a damaged archive|neither zip nor tar"):
        unpack(archive, tmp_path / "two")


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1), st.integers(1, 255)), min_size=1, max_size=5))
@example(flips=[])
def test_flipped_bytes_are_damage_and_no_crash(
    mode: str, flips: list[tuple[float, int]], tmp_path: Path
) -> None:
    archive, content = tmp_path / "a", {f"a/{n}": bytes([97 + n]) * 30 for n in range(3)}
    if mode == "zip":
        pack_zip(archive, content)
    else:
        with tarfile.open(archive, mode) as opened:
            for name, data in content.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                opened.addfile(info, io.BytesIO(data))
    data = bytearray(archive.read_bytes())
    for place, bits in flips:
        data[int(place * (len(data) - 1))] ^= bits
    archive.write_bytes(data)
    shutil.rmtree(tmp_path / "folder", ignore_errors=True)
    try:
        unpack(archive, tmp_path / "folder")
    except SemtokError:
        assert flips


def test_a_zip_whose_index_points_nowhere_is_damaged(tmp_path: Path) -> None:
    """zipfile seeks to a negative place."""
    pack_zip(tmp_path / "a.zip", {"file": bytes(range(256)) * 50})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    place = data.rfind(b"PK\5\6") + 16
    offset = int.from_bytes(data[place : place + 4], "little") + 4000
    data[place : place + 4] = offset.to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SemtokError, match=r"a\.zip: a damaged archive"):
        unpack(tmp_path / "a.zip", tmp_path / "folder")


@each_kind
def test_a_name_that_no_disk_takes(kind: str, pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path / f"a.{kind}", {300 * "b": b"1"})
    with pytest.raises(SemtokError, match="bbb: too long a name"):
        unpack(tmp_path / f"a.{kind}", tmp_path / "folder")


@pytest.mark.parametrize("content", [b"", b"<html>Please log in</html>"])
def test_no_archive_at_all(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SemtokError, match="neither zip nor tar"):
        unpack(tmp_path / "a.zip", tmp_path / "folder")


@each_kind
def test_an_archive_of_nothing(kind: str, pack: Pack, tmp_path: Path) -> None:
    pack(tmp_path / f"a.{kind}", {"__MACOSX/._x": b"1"})
    with pytest.raises(SemtokError, match="holds no file"):
        unpack(tmp_path / f"a.{kind}", tmp_path / "folder")


def test_what_is_stripped_and_what_is_left_out(tmp_path: Path) -> None:
    content = {"set/train/a": b"1", "set/b": b"2", "other": b"3", "__MACOSX/set/._b": b"4"}
    pack_zip(tmp_path / "a.zip", content)
    unpack(tmp_path / "a.zip", tmp_path / "folder", strip="set")
    assert tree(tmp_path / "folder") == {"train/a": b"1", "b": b"2", "other": b"3"}
