"""One file over HTTP, from servers that misbehave."""

import hashlib
import random
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from urllib3.util import Retry

from semtok.data.download.http import Wanted, download, verify
from semtok.errors import SemtokError
from semtok.events import Event, Message, Progress
from tests.data.download.loopback import Host

#: As in the product, but for the time between.
PATIENCE = Retry(total=3, backoff_factor=0)

CONTENT = random.Random(0).randbytes(101_000)
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def fetch(
    address: str, target: Path, *, size: int | None = None, checksum: str = "", token: str = ""
) -> list[Event]:
    events: list[Event] = []
    download(Wanted(address, size, checksum, token), target, events.append, PATIENCE)
    return events


def left(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


@pytest.mark.parametrize("known", [True, False])
def test_a_hundred_breaks_in_one_file_change_no_byte(host: Host, tmp_path: Path, known) -> None:
    address = host.serve("/file", CONTENT, breaks=100, after=1000)
    target = tmp_path / "file"
    size, checksum = (len(CONTENT), SHA256) if known else (None, "")
    events = fetch(address, target, size=size, checksum=checksum)
    assert target.read_bytes() == CONTENT
    assert left(target) == ["file"]
    ranges = [asked.headers.get("Range") for asked in host.asked]
    assert ranges == [None, *(f"bytes={1000 * n}-" for n in range(1, 101))]
    told = [each.done for each in events if isinstance(each, Progress)]
    assert told == sorted(told)
    assert told[-1] == len(CONTENT)
    assert sum(isinstance(each, Message) for each in events) == 100


def test_a_server_without_ranges_sends_all_of_it_again(host: Host, tmp_path: Path) -> None:
    address = host.serve("/file", CONTENT, breaks=2, after=60_000, ranges=False)
    fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(host.asked) == 3


def test_a_server_that_never_gets_further_is_given_up(host: Host, tmp_path: Path) -> None:
    address = host.serve("/file", CONTENT, breaks=99, after=500, ranges=False)
    with pytest.raises(SemtokError, match=r"broken off; 500 bytes of it wait in .*run again"):
        fetch(address, tmp_path / "file")
    assert len(host.asked) == PATIENCE.total + 1
    host.files["/file"].ranges = True
    host.files["/file"].breaks = 0
    host.asked.clear()
    fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [asked.headers["Range"] for asked in host.asked] == ["bytes=500-"]


@given(
    plan=st.lists(st.tuples(st.integers(0, 4000), st.booleans()), max_size=6),
    statuses=st.lists(st.sampled_from([429, 503]), max_size=2),
    known=st.booleans(),
    chunked=st.booleans(),
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_server_does_the_bytes_are_right_or_there_are_none(
    host: Host,
    tmp_path: Path,
    plan: list[tuple[int, bool]],
    statuses: list[int],
    known: bool,
    chunked: bool,
) -> None:
    content = CONTENT[:4000]
    address = host.serve("/file", content, plan=plan, statuses=statuses, chunked=chunked)
    target = tmp_path / "file"
    for left_over in tmp_path.iterdir():
        left_over.unlink()
    try:
        fetch(address, target, size=len(content) if known else None)
    except SemtokError as error:
        assert "run again" in str(error)
        assert not target.exists()
        fetch(address, target)  # by now it behaves
    assert target.read_bytes() == content
    assert left(target) == ["file"]


def test_a_file_that_is_another_one_by_now_is_fetched_whole(host: Host, tmp_path: Path) -> None:
    address = host.serve("/file", CONTENT, breaks=99, after=700, ranges=False)
    with pytest.raises(SemtokError):
        fetch(address, tmp_path / "file")
    newer = CONTENT[::-1]
    host.serve("/file", newer, tag='"2"')
    fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == newer


DATES = ("Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 11:00:00 GMT")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"tag": '"1"'}, {"tag": '"2"'}),
        ({"tag": 'W/"1"'}, {"tag": 'W/"2"'}),
        ({"tag": "", "modified": DATES[0]}, {"tag": "", "modified": DATES[1]}),
        ({"tag": '"1"', "modified": DATES[0]}, {"tag": '"1"', "modified": DATES[1]}),
        ({"tag": '"1"'}, {"tag": ""}),
        ({"tag": ""}, {"tag": ""}),
    ],
)
@pytest.mark.parametrize("heeds", [True, False])
def test_two_files_of_one_address_are_never_mixed(
    host: Host, tmp_path: Path, first: dict[str, str], second: dict[str, str], heeds: bool
) -> None:
    """Nor by a server that sends the rest of the newer one whatever it is asked."""
    address = host.serve("/file", CONTENT, breaks=99, after=700, ranges=False, **first)
    with pytest.raises(SemtokError):
        fetch(address, tmp_path / "file")
    newer = CONTENT[::-1]
    host.serve("/file", newer, heeds=heeds, **second)
    fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == newer


@pytest.mark.parametrize(
    "told",
    [
        {"tag": 'W/"1"'},
        {"tag": "", "modified": DATES[0]},
        {"tag": 'W/"1"', "modified": DATES[0]},
    ],
)
def test_a_file_without_a_strong_tag_goes_on_too(
    host: Host, tmp_path: Path, told: dict[str, str]
) -> None:
    address = host.serve("/file", CONTENT, breaks=1, after=700, **told)
    fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [asked.headers.get("Range") for asked in host.asked] == [None, "bytes=700-"]
    assert host.asked[1].headers.get("If-Range") == told.get("modified")  # weak tags tell no parts


def test_a_file_that_nothing_tells_apart_goes_on_by_its_checksum_alone(
    host: Host, tmp_path: Path
) -> None:
    for name, checksum, asked_of in (("a", SHA256, "bytes=700-"), ("b", "", None)):
        address = host.serve("/file", CONTENT, breaks=1, after=700, tag="")
        host.asked.clear()
        fetch(address, tmp_path / name, checksum=checksum)
        assert (tmp_path / name).read_bytes() == CONTENT
        assert [asked.headers.get("Range") for asked in host.asked] == [None, asked_of]


def test_a_file_of_another_host_does_not_go_on_in_this_one(host: Host, tmp_path: Path) -> None:
    broken = host.serve("/one", CONTENT, breaks=99, after=700, ranges=False)
    with pytest.raises(SemtokError):
        fetch(broken, tmp_path / "file")
    newer = CONTENT[::-1]
    fetch(host.serve("/two", newer), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == newer


def test_a_mirror_goes_on_where_the_checksum_tells(host: Host, tmp_path: Path) -> None:
    broken = host.serve("/one", CONTENT, breaks=99, after=700, ranges=False)
    with pytest.raises(SemtokError):
        fetch(broken, tmp_path / "file", checksum=SHA256)
    host.asked.clear()
    fetch(host.serve("/two", CONTENT), tmp_path / "file", checksum=SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [asked.headers["Range"] for asked in host.asked] == ["bytes=700-"]


def test_a_length_that_never_comes(host: Host, tmp_path: Path) -> None:
    address = host.serve("/file", CONTENT, length=len(CONTENT) + 5)
    with pytest.raises(SemtokError, match=r"broken off|416"):
        fetch(address, tmp_path / "file", checksum=SHA256)
    assert not (tmp_path / "file").exists()


def test_another_length_than_is_known_is_seen_before_the_body(host: Host, tmp_path: Path) -> None:
    address = host.serve("/file", CONTENT)
    with pytest.raises(SemtokError, match="has 101,000 bytes, expected 101,001; it is another"):
        fetch(address, tmp_path / "file", size=len(CONTENT) + 1)
    assert left(tmp_path / "file") == []


def test_a_wrong_checksum_leaves_nothing(host: Host, tmp_path: Path) -> None:
    address = host.serve("/file", CONTENT)
    with pytest.raises(
        SemtokError, match=r"md5 [0-9a-f]{32}, expected 0{32}: what came was removed"
    ):
        fetch(address, tmp_path / "file", checksum=f"md5:{32 * '0'}")
    assert left(tmp_path / "file") == []


def test_a_page_with_status_200_costs_nothing_of_what_has_come(host: Host, tmp_path: Path) -> None:
    address = host.serve("/file", CONTENT, breaks=99, after=700, ranges=False)
    with pytest.raises(SemtokError):
        fetch(address, tmp_path / "file")
    page = b"<html>Too many users</html>"
    host.serve("/file", page, kind="text/html; charset=utf-8", ranges=False)
    with pytest.raises(SemtokError, match="sends a page for people and not the file"):
        fetch(address, tmp_path / "file")
    host.serve("/file", CONTENT)
    host.asked.clear()
    fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert host.asked[0].headers["Range"] == "bytes=700-"


def test_a_coding_that_nobody_asked_for_is_refused(host: Host, tmp_path: Path) -> None:
    with pytest.raises(SemtokError, match="/file: sends the file in the coding gzip"):
        fetch(host.serve("/file", CONTENT, coding="gzip"), tmp_path / "file")
    assert left(tmp_path / "file") == []
    fetch(host.serve("/file", CONTENT, coding="identity"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(host: Host, tmp_path: Path, status: int) -> None:
    address = host.serve("/file", CONTENT, statuses=[status, status])
    fetch(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(host.asked) == 3


@pytest.mark.parametrize(("status", "words"), [(404, "HTTP 404"), (401, "not for everybody")])
def test_a_refusal_is_final(host: Host, tmp_path: Path, status: int, words: str) -> None:
    address = host.serve("/file", CONTENT, statuses=[status])
    with pytest.raises(SemtokError, match=words):
        fetch(address, tmp_path / "file")
    assert len(host.asked) == 1


def test_a_host_that_is_not_there(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as free:
        address = f"http://127.0.0.1:{free.server_port}/file"
    with pytest.raises(SemtokError, match=f"{address}: no connection; .*set download.mirror"):
        fetch(address, tmp_path / "file")


def test_an_address_that_is_none_is_not_asked_again(tmp_path: Path) -> None:
    with pytest.raises(SemtokError, match=r"http:///file: Invalid URL"):
        fetch("http:///file", tmp_path / "file")


def test_an_empty_file_and_one_whose_end_is_all_that_is_missing(host: Host, tmp_path: Path) -> None:
    fetch(host.serve("/empty", b""), tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""
    # Killed between the last byte and the new name.
    address = host.serve("/file", CONTENT)
    (tmp_path / "file.partial").write_bytes(CONTENT)
    fetch(address, tmp_path / "file", size=len(CONTENT), checksum=SHA256)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [asked.path for asked in host.asked] == ["/empty"]


def test_the_proxy_of_the_environment_is_asked(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", host.address)
    host.serve("http://data.example/file", CONTENT)
    fetch("http://data.example/file", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    fetch(host.serve("/file", CONTENT), tmp_path / "other")
    assert [asked.path for asked in host.asked] == ["http://data.example/file", "/file"]


def test_a_token_does_not_follow_to_another_host(host: Host, tmp_path: Path) -> None:
    host.serve("/file", CONTENT)
    address = host.serve("/gated", b"", redirect=f"http://localhost:{host.port}/file")
    fetch(address, tmp_path / "file", token="secret")
    asked = {each.path: each.headers.get("Authorization") for each in host.asked}
    assert asked == {"/gated": "Bearer secret", "/file": None}


@pytest.mark.parametrize("token", ["secret", ""])
def test_a_netrc_replaces_no_token_and_gives_none(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    (tmp_path / "netrc").write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    host.serve("/file", CONTENT)
    host.serve("/moved", b"", redirect="/file")
    address = host.serve("/away", b"", redirect=f"http://localhost:{host.port}/moved")
    for place in (f"{host.address}/moved", address):
        fetch(place, tmp_path / "file", token=token)
    sent = [each.headers.get("Authorization") for each in host.asked]
    mine = f"Bearer {token}" if token else None
    assert sent == [mine, mine, mine, None, None]


def test_a_body_without_a_length_ends_where_it_ends(tmp_path: Path) -> None:
    class Plain(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Plain) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/file"
            fetch(address, tmp_path / "file", checksum=SHA256)
            assert (tmp_path / "file").read_bytes() == CONTENT
            with pytest.raises(SemtokError, match="broken off"):
                fetch(address, tmp_path / "longer", size=len(CONTENT) + 1)
        finally:
            server.shutdown()
            thread.join()


def test_verify(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    verify(path, len(CONTENT), SHA256)
    verify(path, None, f"md5:{hashlib.md5(CONTENT).hexdigest()}")
    with pytest.raises(SemtokError, match="101,000 bytes, expected 5"):
        verify(path, 5, "")
