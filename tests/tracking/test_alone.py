"""One command at a time: the second waits, and says so."""

import threading
from pathlib import Path

import pytest
import yaml
from filelock import FileLock, Timeout

from semtok import commands
from semtok.events import Event, Message
from semtok.tracking import promotion, rollback
from semtok.tracking.alone import alone
from semtok.workspace import Workspace
from tests import small_line


def test_the_second_waits_for_the_first(tmp_path: Path) -> None:
    workspace, order, waits = Workspace(tmp_path, "scenes"), [], threading.Event()

    def tell(event: Event) -> None:
        assert event == Message("another decision is at work; waiting for it")
        waits.set()

    def second() -> None:
        with alone(workspace, "decision", tell):
            order.append("second")

    thread = threading.Thread(target=second)
    with alone(workspace, "decision", lambda _: None):
        thread.start()
        assert waits.wait(60)
        with alone(workspace, "sync", tell):  # another kind goes on
            order.append("first")
    thread.join()
    assert order == ["first", "second"]


@pytest.mark.parametrize("what", ["decision", "sync"])
@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_decisions_are_made_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, what: str
) -> None:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(small_line.own()))
    lock = Workspace(tmp_path, "scenes").state("tracking") / f"{what}.lock"

    def begun(*_: object) -> None:
        with pytest.raises(Timeout):
            FileLock(lock).acquire(timeout=0)
        raise KeyboardInterrupt

    monkeypatch.setattr({"promote": promotion, "rollback": rollback}[command], command, begun)
    with pytest.raises(KeyboardInterrupt):
        if command == "promote":
            commands.promote(tmp_path, "vit")
        else:
            commands.rollback(tmp_path)
