"""Pictures of what a trained variant does to images: with its scores, and by commands."""

import json
from pathlib import Path

import pytest
from dagster import DagsterInstance
from typer.testing import CliRunner

from dagster_project.artifacts import materialization_metadata
from semtok import params_file, pipeline
from semtok.cli import app
from semtok.errors import SemtokError
from tests import small_line

pytestmark = pytest.mark.slow

PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A little line with clusters, gates and a bias in it, scored."""
    root = tmp_path_factory.mktemp("project") / "line"
    document = small_line.own()
    document["variants"] = {
        "vit": {"tokenizer": "grid", "patch_size": 8},
        "clustered": {"tokenizer": "grid", "patch_size": 8, "clusters": 2, "registers": 1},
        "gated": {"tokenizer": "grid", "patch_size": 8, "gates": {"block": 1}},
        "joined": {"tokenizer": "semantic", "relation_bias": True, "permute_relations": True},
    }
    document = small_line.shrunk(document)
    document["encoder"] |= {"depth": 2}
    document["train"] |= {"seeds": [0]}
    document["bench"]["benchmarks"] = ["retrieval"]
    small_line.start(root, document)
    wanted = [("scores", name) for name in ("clustered", "gated", "joined")]
    for key in pipeline.upstream(params_file.load(root / "params.yaml"), *wanted):
        small_line.run(root, *key)
    return root


def run(root: Path, *arguments: str) -> str:
    found = CliRunner().invoke(app, ["--project", str(root), *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_scores_bring_the_pictures_of_what_a_variant_has(root) -> None:
    wanted = {
        "clustered": ["clusters.png", "artifacts.png"],
        "gated": ["kept_tokens.png"],
        "joined": ["bias.png"],
    }
    with DagsterInstance.ephemeral() as instance:
        for name, pictures in wanted.items():
            folder = root / "artifacts/scenes/scores" / name
            assert json.loads((folder / "report.json").read_text())["pictures"] == pictures
            assert all((folder / each).read_bytes().startswith(PNG) for each in pictures)
            # The same report is what Dagster shows.
            assert {*pictures} <= {*materialization_metadata(instance, folder)}


def test_it_draws_clusters_and_names_the_variants_that_have_some(root, tmp_path) -> None:
    picture = tmp_path / "clusters.png"
    run(root, "clusters", "clustered", str(picture))
    # The same pictures as with the scores, of the same images.
    with_scores = root / "artifacts/scenes/scores/clustered/clusters.png"
    assert picture.read_bytes() == with_scores.read_bytes()
    with pytest.raises(SemtokError, match="vit: has no clusters; those that have: clustered"):
        run(root, "clusters", "vit", str(picture))
    with pytest.raises(SemtokError, match=r"clusters: pictures are PNGs; give it a name that ends"):
        run(root, "clusters", "clustered", str(picture.with_suffix("")))


def test_it_tells_what_gates_keep_and_how_long_that_takes(root, tmp_path) -> None:
    picture = tmp_path / "kept.png"
    found = json.loads(run(root, "budget", "gated", "--json", "--png", str(picture)))
    assert [each["budget"] for each in found] == [round(0.1 * n, 1) for n in range(1, 11)]
    assert all(each["milliseconds"] > 0 for each in found)
    with_scores = root / "artifacts/scenes/scores/gated/kept_tokens.png"
    assert picture.read_bytes() == with_scores.read_bytes()
    lines = run(root, "budget", "gated", "--split", "test").splitlines()
    assert lines[0].split("   ") == ["budget", "tokens left", "MFLOPs", "ms an image"]
    assert len(lines) == 11
    with pytest.raises(SemtokError, match="vit: has no gates; those that have: gated"):
        run(root, "budget", "vit")


@pytest.mark.parametrize(
    ("variant", "tokens"), [("joined", "regions"), ("gated", "patches"), ("clustered", "patches")]
)
def test_any_tokens_have_an_artifact_report(root, tmp_path, variant, tokens) -> None:
    picture = tmp_path / "artifacts.png"
    found = json.loads(run(root, "artifacts", variant, "--json", "--png", str(picture)))
    assert (found["images"], found["tokens"]) == (16, tokens)
    assert sum(found["counts"]) == round(16 * found["an_image"]) > 0
    assert picture.read_bytes().startswith(PNG)
