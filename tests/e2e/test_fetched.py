"""A data set that is fetched: by a source of its own, through Dagster, DVC and by hand."""

import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from dagster_project.definitions import build
from semtok.data.download.catalogue import File, Source
from tests.conftest import write_tiny_coco
from tests.data.download.loopback import Host, running
from tests.e2e.conftest import Project, new_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mirror() -> Iterator[Host]:
    with running() as host:
        yield host


@pytest.fixture(scope="module")
def project(mirror: Host, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose data are a tiny COCO root on the mirror, broken off once on their way."""
    base = tmp_path_factory.mktemp("fetched")
    write_tiny_coco(base / "tiny")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted((base / "tiny").rglob("*")):
            archive.write(path, path.relative_to(base / "tiny"))
    content = stream.getvalue()
    mirror.serve("/data.example/tiny.zip", content, breaks=1, after=len(content) // 2)
    file = File(
        "https://data.example/tiny.zip",
        archive="tiny.zip",
        holds={"train2017/*.jpg": 5, "val2017/*.jpg": 4, "annotations/captions_*.json": 2},
        bytes=len(content),
        checksum=f"sha256:{sha256(content).hexdigest()}",
    )
    project = new_project(base / "project")
    # One file and one entry in params.yaml: nothing else makes a source.
    text = "from semtok.data.download.catalogue import File, Source\n"
    text += f"SOURCE = {Source('https://data.example', 'CC0', (file,))!r}\n"
    (project.root / "semtok/data/sources/tiny.py").write_text(text)

    def change(params: dict) -> None:
        params["data"] |= {
            "name": "tiny",
            "format": "coco",
            "source": "semtok/data/sources",
            "fetch": ["tiny"],
            "rejected_share": 0.2,
        }
        params["download"] = {"mirror": mirror.address}

    project.set_params(change)
    return project


@pytest.fixture(autouse=True)
def own_code(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own semtok, which has the source, and no proxy."""
    monkeypatch.setenv("PYTHONPATH", str(project.root))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(project.root)  # where Dagster's processes are


def test_both_doors_fetch_once_and_show_how_far_and_how_fast(
    project: Project, mirror: Host
) -> None:
    with DagsterInstance.ephemeral() as instance:
        job = build(project.root).resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=instance, asset_selection=[AssetKey("images")], raise_on_error=False
        )
        lines = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert result.success, lines
    shown = [line for line in lines if line.startswith("images download tiny.zip: ")]
    assert re.fullmatch(r"images download tiny.zip: 100 % \((.+) of \1, [\d.]+ .*/s\)", shown[-1])
    assert any("tiny.zip: broken off, at " in line for line in lines)
    assert any(line.startswith("images unpack tiny.zip: 100 %") for line in lines)
    assert len(mirror.asked) == 2

    assert "up to date" in project.run("dvc", "status", "images").stdout
    listed = project.root / "artifacts/tiny/images"
    assert not list(listed.rglob("*.jpg"))  # listed where they lie, not copied
    project.run("semtok", "run", "images")
    assert len(mirror.asked) == 2
    downloads = project.run("git", "status", "--porcelain", "downloads").stdout
    assert downloads == ""


def test_what_is_fetched_is_looked_at(project: Project, mirror: Host) -> None:
    done = project.run("semtok", "data", "check", "--json")
    found = json.loads(done.stdout)
    assert Path(found["root"]) == project.root / "downloads/tiny"
    assert [each["state"] for each in found["files"]] == ["there"]
    (project.root / "downloads/tiny/val2017/000000000006.jpg").unlink()
    done = project.run("semtok", "data", "check", check=False)
    assert done.returncode == 3
    assert re.search(r"missing .*e\.g\. val2017/000000000006\.jpg; semtok data fetch", done.stdout)
    project.run("semtok", "data", "fetch")
    assert (project.root / "downloads/tiny/val2017/000000000006.jpg").exists()
    assert len(mirror.asked) == 3


def test_the_list_of_sources_says_what_people_have_to_get(project: Project) -> None:
    listed = project.run("semtok", "data", "sources", "--root", "/data").stdout
    assert "train2017.zip, 19.3 GB" in listed
    assert re.search(
        r"psg .*\n  psg\.json\n    get it in a browser .* at /data/annotations/psg\.json", listed
    )
    assert re.search(
        r"winoground .*\n  examples\.jsonl\n    accept the terms at .*HF_TOKEN", listed
    )


def test_a_host_that_fails_is_one_line(project: Project, mirror: Host, tmp_path: Path) -> None:
    served = mirror.files.pop("/data.example/tiny.zip")
    done = project.run("semtok", "data", "fetch", "--root", str(tmp_path), check=False)
    mirror.files["/data.example/tiny.zip"] = served
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: http://127.0.0.1")
    assert "HTTP 404" in line
    assert os.listdir(tmp_path) == [".fetched"]  # noqa: PTH208
