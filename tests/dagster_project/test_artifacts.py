"""What Dagster shows of an artifact."""

import base64
import io
import json
import re
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dagster import DagsterInstance, MarkdownMetadataValue
from PIL import Image

from dagster_project.artifacts import materialization_metadata, verdict_metadata
from semtok.checks.verdict import CheckResult, Verdict

#: Longer Markdown hides behind a link in Dagster's UI.
SHOWN_IN_PLACE = 1000


@pytest.fixture
def stored() -> Iterator[DagsterInstance]:
    with DagsterInstance.local_temp() as instance:
        yield instance


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (300, 900, 3), np.uint8)).save(tmp_path / "preview.png")
    report = {"numbers": {"images": 7, "R@1": 2.5}, "table": "", "pictures": ["preview.png"]}
    (tmp_path / "report.json").write_text(json.dumps(report))
    return tmp_path


def test_numbers_and_a_picture_in_place(stored: DagsterInstance, artifact: Path) -> None:
    metadata = materialization_metadata(stored, artifact)
    assert list(metadata) == ["images", "R@1", "preview.png", "artifact"]
    assert (metadata["images"], metadata["R@1"]) == (7, 2.5)
    picture = metadata["preview.png"]
    assert isinstance(picture, MarkdownMetadataValue)
    assert len(str(picture.value)) < SHOWN_IN_PLACE

    # What Dagster's web server hands out at that address is the picture, scaled to the page.
    address = re.fullmatch(r"!\[preview\]\(/logs/(.+)/svg\)", str(picture.value))
    assert address
    svg = Path(stored.storage_directory()) / f"{address[1]}.svg"
    root = xml.etree.ElementTree.fromstring(svg.read_text())
    assert (root.get("width"), root.get("viewBox")) == ("600", "0 0 900 300")
    (image,) = root
    shown = Image.open(io.BytesIO(base64.b64decode(str(image.get("href")).partition(",")[2])))
    assert np.array_equal(shown, Image.open(artifact / "preview.png"))


def test_a_picture_stays_what_it_was(stored: DagsterInstance, artifact: Path) -> None:
    before = materialization_metadata(stored, artifact)["preview.png"]
    assert materialization_metadata(stored, artifact)["preview.png"] == before
    Image.new("RGB", (10, 10)).save(artifact / "preview.png")
    assert materialization_metadata(stored, artifact)["preview.png"] != before


def test_an_artifact_that_is_elsewhere_says_so(stored: DagsterInstance, tmp_path: Path) -> None:
    metadata = materialization_metadata(stored, tmp_path / "missing")
    assert metadata == {"artifact": "not in this workspace; `dvc pull` brings it"}


def test_a_verdict_shows_what_failed_first() -> None:
    good = CheckResult("sizes", True, "all sizes are known", 0.0, "at most 0", None)
    bad = CheckResult("a|b", False, "no bar", 3.0, "at most 0", "x|y")
    unknown = CheckResult("loss", False, "the loss fell", None, "at least 0.05", None)
    metadata = verdict_metadata(Verdict("index", False, "0" * 32, (good, bad, unknown)))
    assert metadata["reason"] == (
        "a|b: 3, expected at most 0, e.g. x|y; loss: no number, expected at least 0.05"
    )
    assert (metadata["sizes"], metadata["a|b"]) == (0.0, 3.0)
    assert "loss" not in metadata
    rows = str(metadata["expectations"].value).splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["**NO**", "**NO**", "yes"]
    assert rows[0] == r"| a\|b: no bar | **NO** | 3 e.g. x\|y | at most 0 |"
    assert "reason" not in verdict_metadata(Verdict("index", True, "0" * 32, (good,)))
