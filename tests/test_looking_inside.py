"""`semtok artifacts` on a trained variant and on a model of transformers, by the command."""

import json
from pathlib import Path

import pytest
import torch
from transformers import ViTImageProcessorPil
from typer.testing import CliRunner

from semtok import params as settings
from semtok import pipeline
from semtok.cli import app
from semtok.errors import SemtokError
from tests import small_line
from tests.models.test_patch_tokens import MODELS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A little line with patches in it, trained and no more."""
    root = tmp_path_factory.mktemp("project") / "line"
    document = small_line.shrunk(small_line.own())
    document["variants"]["vit"] |= {"registers": 2}
    small_line.start(root, document)
    params = settings.load(root / "params.yaml")
    for key in pipeline.upstream(params, ("checkpoint", "vit"), ("checkpoint", "semantic")):
        small_line.run(root, *key)
    torch.manual_seed(0)
    MODELS["registers"]().save_pretrained(root / "models/registers")
    ViTImageProcessorPil(size={"height": 12, "width": 12}).save_pretrained(
        root / "models/registers"
    )
    return root


def run(project: Path, *arguments: str) -> str:
    found = CliRunner().invoke(app, ["--project", str(project), *arguments], catch_exceptions=False)
    return found.output


def test_artifacts_of_a_variant_and_of_a_models_folder(project, tmp_path):
    picture = tmp_path / "artifacts.png"
    found = json.loads(run(project, "artifacts", "vit", "--json", "--png", str(picture)))
    assert (found["images"], found["rows"], found["columns"]) == (16, 2, 2)
    assert sum(found["counts"]) == 16 * 4
    assert picture.read_bytes()[:4] == b"\x89PNG"
    theirs = run(project, "artifacts", "models/registers", "--split", "test")
    assert theirs.splitlines()[0] == "8 images of 3 x 3 patches"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("semantic",), "its tokens are not those of a grid of patches"),
        (("vit", "--split", "x"), "x: no such split; there are train, val, test"),
        (("vit", "--seed", "9"), "no such training; train.seeds has"),
    ],
)
def test_what_cannot_be_reported_is_refused(project, arguments, message):
    with pytest.raises(SemtokError, match=message):
        run(project, "artifacts", *arguments)
