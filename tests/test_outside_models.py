"""A model that was trained elsewhere goes through the line and stands in the table."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from semtok import commands
from semtok.bench import kept_vectors
from semtok.bench.embedding import Model
from semtok.bench.leaderboard import LEADERBOARD, NAME
from semtok.bench.outside_transformers import TransformersModel
from semtok.cli import app
from semtok.errors import SemtokError
from semtok.tables import read_table
from semtok.workspace import Workspace, digest
from tests import small_line
from tests.bench import tiny_clip, tiny_hub
from tests.bench.tiny_hub import COMMIT, HUB_ID

pytestmark = pytest.mark.slow

OF_TOKENS = ["siblings_permuted", "retrieval_corrupted"]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """One variant and three models, one beside the project, one of a hub; and the leaderboard."""
    base = tmp_path_factory.mktemp("outside")
    document = small_line.shrunk(small_line.own())
    document["variants"] = {"vit": document["variants"]["vit"]}
    document["corruption"] = {"splits": ["test"], "severities": [1]}
    document["bench"]["benchmarks"] += OF_TOKENS
    document["models"] = {
        "clip": {"folder": "models/clip"},
        "siglip": {"folder": str(tiny_clip.siglip(base / "siglip"))},
    }
    document["remote_models"] = {"hub": {"hub": HUB_ID, "revision": COMMIT}}
    for stage in ("outside_scores", "remote_scores"):
        document["checks"][stage] = {"chance_level": 1.0}  # random weights guess
    root = base / "line"
    workspace = small_line.build(root, document)
    tiny_clip.clip(root / "models/clip")
    for name in document["models"]:
        small_line.run_gated(root, f"outside_scores@{name}")
    with (
        pytest.MonkeyPatch.context() as patch,
        tiny_hub.served(root / "models/clip", base / "cache", patch),
    ):
        small_line.run_gated(root, "remote_scores@hub")
    small_line.run_gated(root, "leaderboard")
    return workspace


def test_it_stands_beside_the_variants(line: Workspace) -> None:
    rows = pl.DataFrame(read_table(line.input("leaderboard") / NAME, LEADERBOARD))
    assert rows["variant"].unique(maintain_order=True).to_list() == ["vit", "clip", "siglip", "hub"]
    benchmarks = {
        outside: set(rows.filter(pl.col("outside") == outside)["benchmark"])
        for outside in (True, False)
    }
    assert benchmarks[True] == {"retrieval", "siblings", "sugar_crepe"}
    assert benchmarks[False] == benchmarks[True] | set(OF_TOKENS)
    assert set(rows.filter(pl.col("outside"))["verdict"]) == {"outside"}
    text = (line.input("leaderboard") / "leaderboard.md").read_text()
    assert "not under the protocol: clip, siglip, hub." in text
    assert f"\nhub is CLIPModel, {HUB_ID} at commit {COMMIT}.\n" in text
    origin = f"a folder of digest {digest(line.root / 'models/clip')}"
    assert f"\nclip is CLIPModel, {origin}.\n" in text
    weights = {row["variant"]: row["weights"] for row in rows.iter_rows(named=True)}
    assert (weights["vit"], weights["clip"]) == (None, f"CLIPModel, {origin}")
    assert (line.root / "metrics/scenes/clip.json").exists()
    assert not (line.root / ".semtok/kept/outside_scores/clip").exists(), "of use to nobody now"
    folders = {path.name for path in line.input("scores", "vit").parent.iterdir()}
    assert folders == {"vit", "clip", "siglip", "hub"}


def test_a_model_of_the_hub_scores_as_its_folder_does(line: Workspace) -> None:
    hub, folder = line.input("remote_scores", "hub"), line.input("outside_scores", "clip")
    for name in ("cases.parquet", "costs.json"):
        assert (hub / name).read_bytes() == (folder / name).read_bytes()
    assert json.loads((hub / "model.json").read_text())["revision"] == COMMIT
    assert (line.root / "metrics/scenes/hub.json").exists()
    assert not (line.root / ".semtok/kept/remote_scores/hub").exists()


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What models of transformers encoded, call by call."""
    encoded: list[Any] = []
    for name in ("embed_pixels", "embed_captions"):
        encode = getattr(TransformersModel, name)

        def counted(*arguments: Any, encode: Any = encode) -> Any:
            encoded.append(encode)
            return encode(*arguments)

        monkeypatch.setattr(TransformersModel, name, counted)
    return encoded


def test_a_red_gate_costs_no_embedding(
    line: Workspace, encoded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = line.root / "params.yaml"
    before = path.read_text()
    document = yaml.safe_load(before)
    document["checks"]["outside_scores"] = {"chance_level": 1e-9}
    path.write_text(yaml.safe_dump(document))
    for embedded in (True, False, True):
        with pytest.raises(SemtokError, match="outside_scores@clip: gate is red"):
            small_line.run_gated(line.root, "outside_scores@clip")
        assert bool(encoded) == embedded
        encoded.clear()
        if not embedded:
            # What another version computed is of no use.
            monkeypatch.setattr(kept_vectors, "libraries", lambda: {"torch": "0"})
    path.write_text(before)
    small_line.run_gated(line.root, "outside_scores@clip")
    assert not encoded
    assert not (line.root / ".semtok/kept/outside_scores/clip").exists()


def test_vectors_of_other_weights_are_dropped(
    line: Workspace, encoded: list[Any], tmp_path: Path
) -> None:
    """The setting is the same, the folder's bytes are not: no vector of either serves the other."""
    path, weights = line.root / "params.yaml", line.root / "models/clip/model.safetensors"
    kept = line.state("kept", "outside_scores", "clip")
    before, own = path.read_text(), weights.read_bytes()
    other = (tiny_clip.clip(tmp_path, seed=1) / weights.name).read_bytes()
    document = yaml.safe_load(before)
    document["checks"]["outside_scores"] = {"chance_level": 1e-9}
    path.write_text(yaml.safe_dump(document))
    seen: list[Path] = []
    for content in (own, other, own):
        weights.write_bytes(content)
        for embedded in (True, False):
            with pytest.raises(SemtokError, match="outside_scores@clip: gate is red"):
                small_line.run_gated(line.root, "outside_scores@clip")
            assert bool(encoded) == embedded
            encoded.clear()
        seen += kept.iterdir()
    assert seen[0] == seen[2] != seen[1] and len(seen) == 3
    path.write_text(before)
    small_line.run_gated(line.root, "outside_scores@clip")
    assert not kept.exists()


def test_nor_of_a_variant(line: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    path, encoded = line.root / "params.yaml", []
    before = path.read_text()
    check = Model._checked
    monkeypatch.setattr(Model, "_checked", lambda *given: encoded.append(given[2]) or check(*given))
    document = yaml.safe_load(before)
    document["checks"]["scores"] = {"chance_level": 1e-300}
    path.write_text(yaml.safe_dump(document))
    published = (line.input("scores", "vit") / "cases.parquet").read_bytes()
    for embedded in (True, False, True):
        with pytest.raises(SemtokError, match="scores@vit: gate is red"):
            small_line.run_gated(line.root, "scores@vit")
        assert bool(encoded) == embedded
        encoded.clear()
        if not embedded:
            # What another version computed is of no use.
            monkeypatch.setattr(kept_vectors, "libraries", lambda: {"torch": "0"})
    # It has learned next to nothing, as the line's own gates allow.
    document["checks"]["scores"] = {"chance_level": 1.0}
    path.write_text(yaml.safe_dump(document))
    small_line.run_gated(line.root, "scores@vit")
    path.write_text(before)
    assert not encoded
    assert (line.input("scores", "vit") / "cases.parquet").read_bytes() == published
    assert not (line.root / ".semtok/kept/scores/vit").exists()


def test_another_file_than_the_one_that_is_stated_is_refused(line: Workspace) -> None:
    path = line.root / "params.yaml"
    before = path.read_text()
    name, other = "winoground/examples.jsonl", "0" * 64
    document = yaml.safe_load(before)
    document["bench"]["checksums"] = {name: other}
    path.write_text(yaml.safe_dump(document))
    file = line.input("index") / "benchmarks" / name
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    for key in ("scores@vit", "outside_scores@clip"):
        with pytest.raises(SemtokError, match=f"SHA-256 {found}, expected {other}"):
            small_line.run_gated(line.root, key)
    path.write_text(before)


def test_compare_takes_it_by_name_and_not_as_the_baseline(
    line: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for asked, compared in ((["vit", "siglip"],) * 2, ([], ["vit", "clip", "siglip", "hub"])):
        assert commands.compare(line.root, asked).board.comparison.names == compared
    monkeypatch.chdir(line.root)
    done = CliRunner().invoke(app, ["compare", "vit", "clip"])
    assert done.exit_code == 0
    assert "outside" in done.output and "By part" not in done.output
    done = CliRunner().invoke(app, ["compare", "vit", "clip", "--parts"])
    assert done.output.count("By part") > 1 and "swap_att (" in done.output
    done = CliRunner().invoke(app, ["compare", "vit", "hub", "--json"])
    told = {"model": "CLIPModel", "hub": HUB_ID, "revision": COMMIT}
    assert json.loads(done.output)["weights"] == {"hub": told}
    page = line.root / "beside.html"
    commands.compare(line.root, ["vit", "hub"], page)
    assert f"<li>hub is CLIPModel, {HUB_ID} at commit {COMMIT}.</li>" in page.read_text()
    with pytest.raises(SemtokError, match="clip: was trained elsewhere"):
        commands.compare(line.root, ["clip", "vit"])
    with pytest.raises(
        SemtokError, match="no such variant or model; there are vit, clip, siglip, hub"
    ):
        commands.compare(line.root, ["vit", "blip"])
