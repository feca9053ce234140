"""Progress for people at a terminal."""

import io
import sys

import pytest

from semtok.events import Message, Progress
from semtok.progress import bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *events: Progress) -> str:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with bars("images") as emit:
        for event in events:
            emit(event)
    return terminal.getvalue()


def test_bytes_are_shown_as_sizes_with_their_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [Progress("download a.zip", n * 1_000_000, 8_000_000, "bytes") for n in range(1, 9)]
    text = shown(monkeypatch, *steps)
    assert "8.0/8.0 MB" in text
    assert "B/s" in text


def test_all_else_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, Progress("decode images", 3, 4))
    assert "3/4" in text
    assert "B/s" not in text


def test_without_a_terminal_messages_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", text := io.StringIO())
    with bars("images") as emit:
        emit(Progress("decode images", 3, 4))
        emit(Message("hello"))
    assert text.getvalue() == "images hello\n"
