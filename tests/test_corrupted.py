"""What was found in clean images is never taken for what would be found in corrupted ones."""

from pathlib import Path

import pytest
import yaml

from semtok.errors import SemtokError
from semtok.extract.corruptions import KINDS
from semtok.sharding import CORRUPTED
from semtok.workspace import Workspace
from tests import small_line

KEY = "superpixels-test"
TOKENS = "semantic_superpixels-test"


@pytest.fixture
def line(tmp_path: Path) -> Workspace:
    """Superpixels and relations among them, of clean images alone."""
    study = yaml.safe_load((small_line.REPOSITORY / "study.yaml").read_text())["all"]
    params = small_line.own()
    params["extractors"]["superpixels"] = study["extractors"]["superpixels"]
    for split in params["data"]["splits"]:
        key = f"superpixels-{split}"
        params["extraction"][key] = study["extraction"][key]
        params["token_shards"][f"semantic_{key}"] = study["token_shards"][f"semantic_{key}"]
    params["tokenizers"]["semantic_superpixels"] = dict(params["tokenizers"]["semantic"])
    workspace = small_line.start(tmp_path / "line", small_line.shrunk(params))
    for stage, partition in (("images", None), ("index", None), *found()):
        small_line.run(workspace.root, stage, partition)
    return workspace


def found() -> list[tuple[str, str]]:
    return [("masks", KEY), ("scene_graphs", KEY)]


def ask(line: Workspace, severities: list[int], split: str = "test") -> None:
    """Name severities in `params.yaml`."""
    path = line.root / "params.yaml"
    document = yaml.safe_load(path.read_text())
    document["corruption"] = {"splits": [split], "severities": severities}
    path.write_text(yaml.safe_dump(document))


def test_what_was_found_before_a_severity_was_asked_for_is_not_taken_for_it(line):
    refused = "named no severity 4 of test; run masks@superpixels-test again"
    for earlier in ([], [2]):
        ask(line, earlier)
        for each in found():
            small_line.run(line.root, *each)
        ask(line, [*earlier, 4])
        for each in (("scene_graphs", KEY), ("token_shards", TOKENS)):
            with pytest.raises(SemtokError, match=refused):
                small_line.run(line.root, *each)
    small_line.run(line.root, "masks", KEY)
    with pytest.raises(SemtokError, match="run scene_graphs@superpixels-test again"):
        small_line.run(line.root, "token_shards", TOKENS)
    small_line.run(line.root, "scene_graphs", KEY)
    small_line.run(line.root, "token_shards", TOKENS)
    spoilt = {path.name for path in (line.input("token_shards", TOKENS) / CORRUPTED).iterdir()}
    assert spoilt == {f"{kind}-{severity}" for kind in KINDS for severity in (2, 4)}


def test_what_was_found_in_more_corruptions_serves_for_fewer(line):
    ask(line, [2, 4])
    for each in found():
        small_line.run(line.root, *each)
    for severities, split in (([4], "test"), ([0, 2], "test"), ([3], "val"), ([], "test")):
        ask(line, severities, split)
        small_line.run(line.root, "token_shards", TOKENS)
