"""A server on loopback, and sources that name its files."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from semtok.data import sources
from semtok.data.download.catalogue import File, Source
from tests.data.download.loopback import Host, running


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A server that offers nothing yet; no proxy of this machine's is asked."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with running() as host:
        yield host


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Adds a source as people do, by a file of its own; gives its name."""
    folder = tmp_path / "sources"
    folder.mkdir()
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(folder)])

    def add(name: str, *files: File) -> str:
        text = "from semtok.data.download.catalogue import File, Source\n"
        text += f"SOURCE = {Source('https://home.example', 'CC0', files)!r}\n"
        (folder / f"{name}.py").write_text(text)
        monkeypatch.delitem(__import__("sys").modules, f"{sources.__name__}.{name}", raising=False)
        return name

    return add
