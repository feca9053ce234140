"""The stage `images`: which files are listed, and what a wrong root or format gets."""

import csv
import hashlib
import os
import shutil
from dataclasses import fields
from pathlib import Path

import pytest

from semtok.data import files
from semtok.errors import SemtokError
from semtok.events import Event
from semtok.params import DataSettings, Params
from semtok.tables import read_table
from semtok.workspace import Workspace


def settings(source: Path | str, **others) -> DataSettings:
    return DataSettings(
        **{
            "name": "tiny",
            "format": "coco",
            "source": str(source),
            "shards": 2,
            "rejected_share": 0.0,
            **others,
        }
    )


def params(data: DataSettings) -> Params:
    """Settings of which the stage reads `data` alone."""
    return Params(data, *({} for _ in fields(Params)[1:]))


def run(root: Path, data: DataSettings) -> Path:
    staging = root / "staging"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    files.images(Workspace(root, data.name), params(data), staging)
    return staging


def test_every_file_is_listed_with_its_hash_and_nothing_is_copied(tiny_coco, tmp_path):
    staging = run(tmp_path, settings(tiny_coco))
    assert [path.name for path in staging.iterdir()] == ["files.parquet"]
    rows = read_table(staging / "files.parquet", files.FILES).to_pylist()
    paths = [row["path"] for row in rows]
    assert paths == sorted(paths)
    assert paths == sorted(
        path.relative_to(tiny_coco).as_posix() for path in tiny_coco.rglob("*") if path.is_file()
    )
    for row in rows:
        content = (tiny_coco / row["path"]).read_bytes()
        assert row["bytes"] == len(content)
        assert row["sha256"] == hashlib.sha256(content).hexdigest()


def test_files_that_no_stage_reads_are_not_listed(tiny_coco):
    before = files.list_files(tiny_coco)
    (tiny_coco / "annotations/person_keypoints_train2017.json").write_text("{}")
    (tiny_coco / "train2017/notes.txt").write_text("")
    (tiny_coco / "files.parquet").write_text("")
    for other in ("lvis/lvis_v1_train.json", ".idea/modules.json", "my notes/all.jsonl"):
        (tiny_coco / other).parent.mkdir()
        (tiny_coco / other).write_text("{}")
    assert files.list_files(tiny_coco).equals(before)
    (tiny_coco / "annotations/coco_karpathy_val.json").write_text("[]")
    assert files.list_files(tiny_coco).num_rows == before.num_rows + 1


def test_a_name_that_is_not_utf8_is_refused(tiny_coco):
    (tiny_coco / "train2017" / os.fsdecode(b"caf\xe9.jpg")).touch()
    with pytest.raises(
        SemtokError, match=r"'train2017/caf\\udce9.jpg': the name is not UTF-8; rename it$"
    ) as caught:
        files.list_files(tiny_coco)
    assert str(caught.value).isascii()


def test_hashes_of_the_sample_are_those_it_came_with(coco_sample):
    with (coco_sample / "images.csv").open() as stream:
        expected = {row["sha256"] for row in csv.DictReader(stream)}
    listed = files.list_files(coco_sample).to_pylist()
    assert expected <= {row["sha256"] for row in listed}


def test_progress_ends_at_the_number_of_files(tiny_coco):
    events: list[Event] = []
    table = files.list_files(tiny_coco, events.append)
    assert (events[-1].done, events[-1].total) == (table.num_rows, table.num_rows)


def test_a_source_is_relative_to_the_project(tiny_coco, tmp_path):
    data = settings("tiny_coco")
    assert files.root(Workspace(tmp_path, "tiny"), data).samefile(tiny_coco)
    assert (run(tmp_path, data) / "files.parquet").exists()


@pytest.mark.parametrize("missing", ["val2017", "annotations/captions_train2017.json"])
def test_a_root_that_lacks_something_is_refused_with_what_to_do(tiny_coco, tmp_path, missing):
    path = tiny_coco / missing
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    with pytest.raises(
        SemtokError, match=f"{missing}: missing; data.source must be a COCO root"
    ) as e:
        run(tmp_path, settings(tiny_coco))
    holds = (
        '"annotations": [{"id", "image_id", "caption"}]' if "json" in missing else "folder of im"
    )
    assert holds in str(e.value)
    assert "fetch" not in str(e.value)  # 20 GB of COCO are no remedy for a data set of one's own


def test_a_root_of_nothing_is_told_where_to_get_one(tmp_path):
    with pytest.raises(SemtokError, match=f"semtok data fetch coco --root {tmp_path}/empty"):
        run(tmp_path, settings(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["index", "voc", "../coco", ""])
def test_a_format_that_is_none_is_refused(tiny_coco, tmp_path, name):
    with pytest.raises(SemtokError, match=r"data.format: .* is neither coco nor a module"):
        run(tmp_path, settings(tiny_coco, format=name))


def test_a_format_that_makes_its_data_writes_it_into_the_artifact(tmp_path):
    scenes = {"seed": 0, "size": 64, "train": 3, "val": 2}
    data = settings("", format="scenes", settings={"scenes": scenes})
    staging = run(tmp_path, data)
    listed = read_table(staging / "files.parquet", files.FILES)["path"].to_pylist()
    assert sum(path.startswith("train2017/") for path in listed) == 3
    assert "annotations/psg.json" in listed
    with pytest.raises(SemtokError, match="artifacts/tiny/images: missing; run images first"):
        files.root(Workspace(tmp_path, "tiny"), data)


def test_settings_of_a_format_are_checked(tmp_path):
    data = settings("", format="scenes", settings={"scenes": {"seed": 0, "colour": 1}})
    with pytest.raises(SemtokError, match=r"data.settings.scenes: .*colour: unknown key"):
        run(tmp_path, data)
