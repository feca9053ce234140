"""A hub on the loopback that speaks what the hub's client asks, with its cache somewhere empty."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit

from huggingface_hub import constants, hf_api
from transformers.utils import hub as transformers_hub

HUB_ID, COMMIT = "someone/tiny-clip", "0123456789abcdef" * 2 + "01234567"


class TinyHub:
    """One model at one commit.

    Attributes:
        folder: of its files.
        asked: the method and path of each request.
        gated: whether its files are for those alone who show the token `hf_good`.
        cut: a file of which the first answer breaks off.
        broken: a file that the hub fails to send.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[tuple[str, str]] = []
        self.gated, self.cut, self.broken = False, "", ""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                hub.answer(self)

            def do_GET(self) -> None:
                hub.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlsplit(request.path).path)
        self.asked.append((request.command, path))
        path = path.replace("/resolve/main/", f"/resolve/{COMMIT}/")
        api, files = f"/api/models/{HUB_ID}", f"/{HUB_ID}/resolve/{COMMIT}/"
        if path in (api, f"{api}/revision/main"):
            self._send(request, {"id": HUB_ID, "sha": COMMIT, "siblings": []})
        elif path == f"{api}/tree/{COMMIT}":
            self._send(request, [self._entry(each) for each in self._files()])
        elif path.startswith((f"{api}/tree/", f"{api}/revision/")):
            self._refuse(request, 404, "RevisionNotFound")
        elif not path.startswith(files):
            self._refuse(request, 401, "RepoNotFound")
        elif self.gated and request.headers.get("Authorization") != "Bearer hf_good":
            self._refuse(request, 403, "GatedRepo")
        elif self.broken and path.endswith(self.broken):
            self._refuse(request, 500, "")
        elif (file := self.folder / path.removeprefix(files)).is_file():
            self._send_file(request, file)
        else:
            self._refuse(request, 404, "EntryNotFound")

    def _files(self) -> list[Path]:
        return sorted(each for each in self.folder.rglob("*") if each.is_file())

    def _entry(self, file: Path) -> dict:
        blob = hashlib.sha1(file.read_bytes()).hexdigest()
        name = file.relative_to(self.folder).as_posix()
        return {"type": "file", "path": name, "size": file.stat().st_size, "oid": blob}

    def _send(self, request: BaseHTTPRequestHandler, document: object) -> None:
        body = json.dumps(document).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _send_file(self, request: BaseHTTPRequestHandler, file: Path) -> None:
        whole = file.read_bytes()
        request.send_response(200)
        request.send_header("Content-Length", str(len(whole)))
        request.send_header("ETag", f'"{hashlib.sha1(whole).hexdigest()}"')
        request.send_header("X-Repo-Commit", COMMIT)
        request.end_headers()
        if request.command == "GET":
            cut = file.name == self.cut
            self.cut = "" if cut else self.cut
            request.wfile.write(whole[: len(whole) // 2 if cut else None])

    def _refuse(self, request: BaseHTTPRequestHandler, status: int, code: str) -> None:
        request.send_response(status)
        request.send_header("X-Error-Code", code)
        request.send_header("X-Error-Message", f"{code}, says the hub")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@contextmanager
def served(folder: Path, cache: Path, monkeypatch) -> Iterator[TinyHub]:
    """The client asks the hub of a folder's model, and keeps what comes in `cache`."""
    hub = TinyHub(folder)
    Thread(target=hub.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", hub.address)
    # Clients that other tests may have had made already, for the real hub.
    monkeypatch.setattr(hf_api.api, "endpoint", hub.address)
    monkeypatch.setattr(transformers_hub, "_hf_api", None)
    template = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    try:
        yield hub
    finally:
        hub.stop()
