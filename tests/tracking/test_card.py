"""A registered model's card: said of it is what the artifacts say, the same each time."""

import re
import shutil
import uuid
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from semtok.cli import app
from semtok.errors import SemtokError
from semtok.tracking import card, registry, server
from semtok.tracking.sync import sync
from semtok.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def synced(line, mlflow_server, tmp_path_factory):
    """A workspace with one training of two variants each in MLflow, and their versions."""
    root, data = tmp_path_factory.mktemp("carded"), f"data{uuid.uuid4().hex[:8]}"
    shutil.copytree(line / "artifacts" / "scenes", root / "artifacts" / data)
    document = yaml.safe_load((line / "params.yaml").read_text())
    document["data"]["name"] = data
    (root / "params.yaml").write_text(yaml.safe_dump(document))
    workspace = Workspace(root, data)
    return workspace, sync(workspace, address=mlflow_server).versions


def test_a_card_says_what_the_artifacts_say_and_stays_the_same(synced, mlflow_server, tmp_path):
    workspace, versions = synced
    number = versions["semantic seed 1"]
    client = server.client(mlflow_server)
    model = registry.model_name(workspace.data)
    first = card.write(workspace.data, number, mlflow_server)
    item = client.get_model_version(model, number)
    assert first.version == f"{model}/{number}"
    text = first.text
    assert text.startswith(f"# {model} version {number}: semantic, seed 1\n")
    assert "**Smoke run (2 seeds; a claim needs 5).**" in text
    assert "masks by `panoptic` and relations by `psg`: oracle." in text
    titles = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert titles[:4] == ["Intended use", "Keep away from", "Limits", "How to load it"]
    assert {"Scores", "Corruption", "Data", "Recipe", "Lineage"} <= set(titles)
    assert "Surveillance" in text and "Medical" in text and "validation of its own" in text
    assert f'mlflow.pyfunc.load_model("models:/{model}/{number}")' in text
    # Numbers: of the run, of the index, of the training.
    run = client.get_run(item.run_id)
    recall = run.data.metrics["retrieval/test/text_to_image/recall_at_1"]
    assert f"| retrieval test text_to_image | R@1 | {recall:.1f} [" in text
    assert re.search(r"\| train \| 16 \| \d+ \|  \|  \| not stated 16 \|", text)
    assert f"| `train.steps` | `{run.data.params['train.steps']}` |" in text
    assert item.tags["checkpoint_hash"] in text and item.tags["data_hash"] in text
    assert re.search(r"\| vit \| baseline \| [\d.]+ \|", text)
    assert "No control is registered" in text
    # Stored, and written again the same.
    path = client.download_artifacts(item.run_id, card.ARTIFACT, str(tmp_path))
    assert Path(path).read_text(encoding="utf-8") == text
    assert item.description.startswith(text[:2000]) and len(item.description) <= 5000
    assert item.description.endswith("`card.md`, an artifact of the run.\n")
    assert card.write(workspace.data, number, mlflow_server) == first
    assert client.get_model_version(model, number).last_updated_timestamp == (
        item.last_updated_timestamp
    )


def test_the_command_takes_an_alias_and_prints_the_card(synced, mlflow_server, monkeypatch):
    workspace, versions = synced
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    model, number = registry.model_name(workspace.data), versions["vit seed 0"]
    server.client(mlflow_server).set_registered_model_alias(model, "champion", number)
    done = CliRunner().invoke(app, ["--project", str(workspace.root), "card", "champion"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"# {model} version {number}: vit, seed 0\n")
    assert "It reads pixels alone" in done.stdout
    with pytest.raises(SemtokError, match=f"there is no {model}/99"):
        card.write(workspace.data, "99", mlflow_server)
