"""What a gate need not load, it does not load."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from semtok import pipeline
from semtok.checks.postponed import postpone


def test_a_module_loads_when_something_of_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dear.py").write_text("import sys\nsys.dear_is_loaded = True\nworth = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "dear_is_loaded", False, raising=False)
    postpone("dear")
    dear = importlib.import_module("dear")
    assert not sys.dear_is_loaded
    assert dear.worth == 7
    assert sys.dear_is_loaded


def test_suites_need_no_torch() -> None:
    # Every stage imports all suites, to look at their settings before it works.
    names = [f"semtok.checks.{name}" for name in pipeline.stages()]
    code = (
        "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]; "
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, *names], check=True)
