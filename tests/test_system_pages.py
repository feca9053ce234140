"""The pages of docs/systems: their lines of `params.yaml` are right, and nothing is missing."""

import re
from pathlib import Path

import pytest
import yaml

from semtok import params_file
from semtok.study import laid_over

REPO = Path(__file__).parents[1]
PAGES = sorted((REPO / "docs/systems").glob("*.md"))
SYSTEMS = [each for each in PAGES if each.stem != "README"]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_the_lines_of_a_page_are_right(tmp_path, page):
    document = yaml.safe_load((REPO / "params.yaml").read_text())
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        document = laid_over(document, yaml.safe_load(block))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    found = params_file.load(tmp_path / "params.yaml").variants
    # Two variants of equal settings would be one.
    assert len(set(found.values())) == len(found)


def test_there_is_a_page_a_system() -> None:
    index = (REPO / "docs/systems/README.md").read_text()
    assert len(SYSTEMS) == 7
    rows = re.findall(r"^\| S(\d) .*\((\w+\.md)\) \|$", index, re.MULTILINE)
    assert [number for number, _ in rows] == list("1234567")
    assert {name for _, name in rows} == {page.name for page in SYSTEMS}


@pytest.mark.parametrize("page", SYSTEMS, ids=lambda p: p.stem)
def test_a_page_has_its_lines_a_picture_what_differs_and_how_it_is_checked(page) -> None:
    text = page.read_text()
    assert "arxiv.org/abs/" in text
    assert "```yaml\n" in text
    pictures = re.findall(r"^!\[.+\]\((.+\.png)\)", text, re.MULTILINE)
    assert pictures and all((page.parent / each).is_file() for each in pictures)
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", text, re.MULTILINE))
    assert any(title.startswith("What differs") for title in sections) or "**What differs" in text
    tests = re.findall(r"`(tests/[\w/]+(?:\.py)?)`", sections["How it is checked"])
    assert tests and all((REPO / each).exists() for each in tests)
