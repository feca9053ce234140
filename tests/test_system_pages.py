"""The pages of docs/systems: their lines of `params.yaml` are right."""

import re
from pathlib import Path

import pytest
import yaml

from semtok import params as settings
from semtok.study import laid_over

REPO = Path(__file__).parents[1]


@pytest.mark.parametrize("page", sorted((REPO / "docs/systems").glob("*.md")), ids=lambda p: p.stem)
def test_the_lines_of_a_page_are_right(tmp_path, page):
    document = yaml.safe_load((REPO / "params.yaml").read_text())
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), re.DOTALL):
        document = laid_over(document, yaml.safe_load(block))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document))
    found = settings.load(tmp_path / "params.yaml").variants
    # Two variants of equal settings would be one.
    assert len(set(found.values())) == len(found)
