"""What people are told to install is there, and comes in the versions that were tested together."""

import re
import tomllib
from pathlib import Path

from semtok.errors import installing

REPO = Path(__file__).parents[1]


def test_every_install_names_extras_that_there_are_and_the_constraints():
    extras = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    known = set(extras["optional-dependencies"])
    folders = ("docs", "semtok", "dagster_project")
    files = [path for each in folders for path in (REPO / each).rglob("*.[mp][dy]")]
    files += [*REPO.glob("*.md"), REPO / "Makefile", REPO / "pyproject.toml"]
    told = set()
    for path in files:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            where = f"{path.relative_to(REPO)}:{number}"
            assert not re.search(r"install .*\bsemtok\[", line), where
            for names in re.findall(r"-e '\.\[([\w,]+)\]'|installing\(['\"]([\w,]+)", line):
                told.update(",".join(filter(None, names)).split(","))
                assert "installing(" in line or "-c constraints.txt" in line or "-c <(" in line, (
                    where
                )
    assert {"line", "clip", "ray", "s3"} <= told <= known
    assert installing("ray") == "pip install -c constraints.txt -e '.[ray]'"
