"""The page of a comparison as a Dagster asset and with the champion in MLflow, all three real."""

import shutil
import uuid
from pathlib import Path

import pytest
import yaml
from dagster import AssetsDefinition, DagsterInstance, materialize

from dagster_project.definitions import build
from semtok.errors import SemtokError
from semtok.tracking import registry, server
from semtok.tracking.pages import publish
from tests import small_line

pytestmark = pytest.mark.slow


@pytest.fixture
def project(line, tmp_path):
    """A project under a data set's name of its own, its leaderboard made."""
    root, data = tmp_path / "project", f"data{uuid.uuid4().hex[:8]}"
    shutil.copytree(line / "artifacts" / "scenes", root / "artifacts" / data)
    (root / "semtok").symlink_to(small_line.REPOSITORY / "semtok")
    document = yaml.safe_load((line / "params.yaml").read_text())
    document["data"]["name"] = data
    (root / "params.yaml").write_text(yaml.safe_dump(document))
    small_line.run(root, "leaderboard", None)
    return root, data


def comparison(root: Path, home: Path):
    (asset,) = (
        each
        for each in build(root).assets
        if isinstance(each, AssetsDefinition) and each.key.path == ["comparison"]
    )
    result = materialize([asset], instance=DagsterInstance.local_temp(str(home)))
    (event,) = result.asset_materializations_for_node("comparison")
    return event.metadata


def test_the_page_is_an_asset_and_lies_with_the_champion(
    project, mlflow_server, tmp_path, monkeypatch
):
    root, data = project
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    client, model = server.client(mlflow_server), registry.model_name(data)
    with pytest.raises(SemtokError, match=f"{model} has neither a champion nor a version of vit"):
        publish(data, tmp_path / "page.html", "vit", mlflow_server)
    assert "published" not in comparison(root, tmp_path)  # nothing is registered yet: a warning
    run = client.create_run(client.create_experiment(model)).info
    client.create_registered_model(model)
    version = client.create_model_version(model, run.artifact_uri, run.run_id).version
    client.set_registered_model_alias(model, registry.CHAMPION, version)

    shown = comparison(root, tmp_path)
    page = Path(shown["page"].value)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert shown["chart.png"].value.startswith("![chart](/logs/pictures/")
    assert shown["better"].value + shown["worse"].value + shown["undecided"].value > 0
    where = f"runs/{run.run_id}/artifacts/comparison/{data}.html"
    assert shown["published"].value.endswith(where)
    stored = client.download_artifacts(run.run_id, f"comparison/{data}.html", str(tmp_path))
    assert Path(stored).read_bytes() == page.read_bytes()

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    page.unlink()
    assert "published" not in comparison(root, tmp_path)  # a page there is all the same
    assert page.exists()
