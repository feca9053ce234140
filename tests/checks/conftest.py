"""The tiny line, built once."""

from pathlib import Path

import pytest

from tests.checks import tiny_line


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with every artifact of the tiny line; not to be written to."""
    root = tmp_path_factory.mktemp("line")
    tiny_line.build(root)
    return root
