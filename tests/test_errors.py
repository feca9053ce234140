"""What people are told of faults that are none of the code: one line, and no traceback."""

import errno
import subprocess
import sys

import pytest
import requests
import torch

from semtok.errors import SemtokError, told
from tests import small_line

#: Runs a command as if some module had never been installed.
WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
sys.argv = ["semtok", *sys.argv[2:]]
from semtok.cli import main
main()
"""


def without(module: str, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, module, *command],
        cwd=small_line.REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("package", "command"), [("polars", ["compare"]), ("urllib3", ["data", "sources"])]
)
def test_a_package_that_is_not_installed_is_named_with_what_installs_it(package, command):
    done = without(package, *command)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {package}: not installed, or in another version; "
        "pip install -c constraints.txt -e '.[line]'\n"
    )
    assert "Traceback" in without(package, "--debug", *command).stderr


def test_a_missing_module_of_our_own_is_a_bug_and_shown_as_one():
    done = without("semtok.bench.leaderboard", "compare")
    assert done.returncode == 1
    assert "Traceback" in done.stderr and "semtok.bench.leaderboard" in done.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (SemtokError("scores: odd"), "scores: odd"),
        (OSError(errno.ENOSPC, "No space left", "a.arrow"), "a.arrow: No space left"),
        (OSError("cut short"), "input or output: cut short"),
        (TimeoutError(), "input or output: TimeoutError"),
        (requests.ConnectionError("no\nroute"), "input or output: no route"),
        (ModuleNotFoundError("No module named '_lzma'", name="_lzma"), None),
        (ModuleNotFoundError("odd"), None),
        (ValueError("odd"), None),
        (RuntimeError("CUDA out of memory"), None),
    ],
)
def test_only_what_people_can_mend_is_one_line(error, line):
    assert told(error) == line


def test_a_full_gpu_says_what_to_lower():
    said = (
        "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 139.80 GiB "
        "of which 1.20 GiB is free. See documentation\nfor Memory Management"
    )
    line = told(torch.OutOfMemoryError(said))
    assert line
    assert line.startswith(
        "CUDA out of memory. Tried to allocate 20.00 GiB; lower train.batch_size "
    )
    assert "\n" not in line
