"""A data root in a bucket of a server that speaks S3: what is made of it, and what is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
import s3fs
from moto import server as moto_server

from semtok.data import coco, files
from semtok.errors import SemtokError
from semtok.events import Event, Progress
from semtok.remote import RemotePath, UnreachableError, locate
from semtok.tables import read_table
from tests.conftest import write_tiny_coco
from tests.e2e.conftest import new_project
from tests.extract.conftest import Extraction

pytestmark = pytest.mark.slow


@contextmanager
def serving() -> Iterator[moto_server.ThreadedMotoServer]:
    """A server on loopback, which the environment names; all of this process have one storage."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL", address_of(server))
        patch.setenv("AWS_ACCESS_KEY_ID", "tester")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "tester")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")  # a server that is gone stays so
        s3fs.S3FileSystem.clear_instance_cache()  # which keeps listings, and the endpoint
        try:
            yield server
        finally:
            server.stop()
            s3fs.S3FileSystem.clear_instance_cache()


def address_of(server: moto_server.ThreadedMotoServer) -> str:
    host, port = server.get_host_and_port()
    return f"http://{host}:{port}"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny root in a folder."""
    root = tmp_path_factory.mktemp("bucket") / "tiny"
    write_tiny_coco(root)
    return root


@pytest.fixture(scope="module")
def server(here: Path) -> Iterator[moto_server.ThreadedMotoServer]:
    """A server that has the tiny root in a bucket."""
    with serving() as server:
        system = s3fs.S3FileSystem()
        system.mkdir("pictures")
        system.put(f"{here}/", "pictures/tiny/", recursive=True)
        system.touch("pictures/tiny/train2017/")  # as consoles make a folder
        system.clear_instance_cache()
        yield server


@pytest.fixture
def there(server) -> RemotePath:
    """The tiny root in the bucket."""
    s3fs.S3FileSystem.clear_instance_cache()
    found = locate(Path(), "s3://pictures/tiny")
    assert isinstance(found, RemotePath)
    return found


def test_what_is_made_of_a_bucket_is_what_is_made_of_a_folder(there, here, tmp_path):
    folder = Extraction(here, tmp_path / "here")
    bucket = Extraction(there, tmp_path / "there")
    for each in (folder, bucket):
        each.use("superpixels", "geometry", superpixels={"regions": 5})
        each.index()
    assert files.list_files(there).equals(files.list_files(here))
    assert bucket.bytes("index") == folder.bytes("index")
    folder.masks()
    # Each of two processes asks the server itself.
    bucket.workers = replace(bucket.workers, count=2)
    bucket.masks()
    assert bucket.bytes("masks") == folder.bytes("masks")


@pytest.mark.parametrize("address", ["s3://nobody/tiny", "s3://pictures/elsewhere"])
def test_a_bucket_or_a_prefix_that_is_not_there_is_told_in_a_line(there, address):
    told = rf"^{address}/train2017: missing; data.source must be a COCO root"
    with pytest.raises(SemtokError, match=told) as caught:
        coco.check_layout(locate(Path(), address))
    assert "\n" not in str(caught.value)


def test_a_refusal_is_told_in_a_line(there, server):
    switch = f"{address_of(server)}/moto-api/reset-auth"
    requests.post(switch, data=b"0", timeout=10)
    try:
        with pytest.raises(UnreachableError, match="refusal") as caught:
            files.list_files(there)
    finally:
        requests.post(switch, data=b"inf", timeout=10)
    assert "\n" not in str(caught.value)


def test_a_server_that_ends_in_the_middle_sets_no_image_aside(server, tmp_path):
    with serving() as other:
        root = locate(Path(), "s3://pictures/tiny")
        bucket = Extraction(root, tmp_path)
        bucket.use("superpixels", "geometry", superpixels={"regions": 5})

        def end(event: Event) -> None:
            if isinstance(event, Progress) and event.done:
                other.stop()

        told = r"^\d+.parquet: s3://pictures/tiny/train2017/\d+.jpg: no answer, or none but a"
        with pytest.raises(SemtokError, match=told) as caught:
            bucket.masks(emit=end)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "masks").exists()


def test_dvc_sees_what_has_changed_in_the_bucket(server, here, tmp_path):
    system = s3fs.S3FileSystem()
    system.mkdir("changing")
    system.put(f"{here}/", "changing/", recursive=True)
    project = new_project(tmp_path / "project")
    data = {"name": "tiny", "format": "coco", "source": "s3://changing", "rejected_share": 0.2}
    project.set_params(lambda params: params["data"].update(data))

    def stale() -> dict:
        return json.loads(project.run("dvc", "status", "--json", "images").stdout)

    project.repro("images")
    listed = read_table(project.root / "artifacts/tiny/images/files.parquet", files.FILES)
    assert listed.equals(files.list_files(here))
    assert stale() == {}
    system.pipe("changing/val2017/000000000006.jpg", b"another")
    assert stale() == {"images": [{"changed deps": {"s3://changing": "modified"}}]}
