"""The lines of the page of superpixel tokens through the line, to the scores and their picture."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from semtok.study import laid_over
from semtok.tokens.shards import TokenShards
from semtok.workspace import Workspace
from tests import small_line

pytestmark = pytest.mark.slow

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Superpixels and their control on little scenes, scored."""
    page = (REPO / "docs/systems/superpixel_tokens.md").read_text()
    (lines,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    params = laid_over(yaml.safe_load((REPO / "params.yaml").read_text()), yaml.safe_load(lines))
    params["variants"] = {name: params["variants"][name] for name in ("vit", "superpixels")}
    params["checks"]["scores"] |= {"chance_level": 1.0}
    root = tmp_path_factory.mktemp("superpixels") / "line"
    made = small_line.start(root, small_line.shrunk(params))
    for stage, partition in (
        ("images", None),
        ("index", None),
        *(("token_shards", f"superpixel-{split}") for split in ("train", "test")),
        ("token_shards", "voronoi-train"),
    ):
        small_line.run(root, stage, partition)
    small_line.run_gated(root, "token_shards@superpixel-val")
    small_line.run(root, "checkpoint", "superpixels")
    small_line.run_gated(root, "scores@superpixels")
    return made


def test_the_control_has_as_many_tokens_of_each_image(line):
    ours, theirs = (
        TokenShards(line.input("token_shards", f"{name}-train"))
        for name in ("superpixel", "voronoi")
    )
    every = np.arange(len(ours))
    assert ours.rows(every).region_counts.tolist() == theirs.rows(every).region_counts.tolist()


def test_gates_are_green_and_pictures_shown(line):
    for stage, partition, picture in (
        ("token_shards", "superpixel-val", "preview.png"),
        ("scores", "superpixels", "attributions.png"),
    ):
        folder = line.input(stage, partition)
        assert json.loads((folder / "verdict.json").read_text())["passed"]
        assert picture in json.loads((folder / "report.json").read_text())["pictures"]
        assert (folder / picture).is_file()
