"""Registered versions put to the benchmarks as models from elsewhere are."""

import json
import uuid
from pathlib import Path

import pytest
import torch
import yaml
from mlflow import artifacts
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from semtok.bench.cases import CASES
from semtok.bench.leaderboard import LEADERBOARD, NAME
from semtok.errors import SemtokError
from semtok.events import Message, ignore
from semtok.extract.raw import NAME as EXTRACTOR_NAME
from semtok.tables import read_table
from semtok.tracking import server
from semtok.tracking.sync import sync
from semtok.tracking.training import CHECKPOINT, EXTRACTOR
from semtok.tracking.version_source import of_version
from semtok.workspace import Workspace
from tests import small_line

pytestmark = pytest.mark.slow

#: Variant -> its version as a model of the table.
MODELS = {"vit": "patches", "semantic": "regions"}


#: The last two ask what becomes of tokens, which masks do not tell.
BENCHMARKS = ["retrieval", "saliency", "corloc"]


@pytest.fixture(scope="module")
def project(tmp_path_factory, mlflow_server):
    """Trainings on patches and on superpixels, registered, and scored a second time from there."""
    root, data = tmp_path_factory.mktemp("versions") / "project", f"data{uuid.uuid4().hex[:8]}"
    document = small_line.shrunk(small_line.own())
    document["data"]["name"] = data
    document["train"]["seeds"] = [0]
    document["bench"] |= {"benchmarks": BENCHMARKS, "splits": ["val"]}
    # Its name is the one that the token shards read.
    document["extractors"]["annotated"] = {
        "masks": "superpixels",
        "scene_graphs": "geometry",
        "settings": {"superpixels": {"regions": 6}},
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nobody: it trains untracked
        workspace = small_line.build(root, document)
        patch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
        done = sync(workspace, address=mlflow_server)
        numbers = {name: done.versions[f"{name} seed 0"] for name in MODELS}
        client = server.client(mlflow_server)
        client.set_registered_model_alias(done.model, "best", numbers["semantic"])
        document["remote_models"] = {
            "patches": {"registered": f"models:/{done.model}/{numbers['vit']}"},
            "regions": {"registered": f"models:/{done.model}@best"},
        }
        (root / "params.yaml").write_text(yaml.safe_dump(document))
        for name in MODELS.values():
            small_line.run(root, "remote_scores", name)
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        small_line.run(root, "leaderboard", None)
    torch.set_num_threads(threads)
    return workspace, done.model, numbers


def cases(workspace: Workspace, stage: str, name: str) -> list[dict]:
    return read_table(workspace.input(stage, name) / "cases.parquet", CASES).to_pylist()


@pytest.mark.parametrize("variant", MODELS)
def test_a_version_scores_as_its_training_does(project, variant):
    workspace, model, numbers = project
    found = cases(workspace, "remote_scores", MODELS[variant])
    assert found == cases(workspace, "scores", variant)
    assert len({each["rank"] for each in found}) > 5, "or ties would agree with anything"
    asked = {"vit": BENCHMARKS, "semantic": BENCHMARKS[:1]}[variant]
    assert {each["benchmark"] for each in found} == {*asked}
    path = workspace.input("remote_scores", MODELS[variant]) / "model.json"
    registered = json.loads(path.read_text())["registered"]
    assert registered == f"models:/{model}/{numbers[variant]}", "an alias is resolved"
    kept = workspace.state("kept", "remote_scores", MODELS[variant])
    assert not kept.exists()


def test_it_stands_on_the_leaderboard_as_an_outside_model(project):
    workspace, model, numbers = project
    rows = read_table(workspace.input("leaderboard") / NAME, LEADERBOARD).to_pylist()
    of = {(each["variant"], each["split"], each["task"], each["metric"]): each for each in rows}
    for (name, *key), row in of.items():
        if name in MODELS:
            outside = of[MODELS[name], *key]
            assert (outside["outside"], outside["verdict"]) == (True, "outside")
            origin = f"models:/{model}/{numbers[name]} with checkpoint "
            assert origin in outside["weights"] and row["weights"] is None
            for value in ("value", "tokens_per_image", "flops_per_image", "parameters_text"):
                assert outside[value] == pytest.approx(row[value])


def test_an_alias_is_told(project, mlflow_server):
    _, model, numbers = project
    told = []
    source = of_version(f"models:/{model}@best", told.append, mlflow_server)
    plain = f"models:/{model}/{numbers['semantic']}"
    assert told == [Message(f"models:/{model}@best is {plain} now")]
    assert source.name == f"{plain} (semantic seed 0)"


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("models:/{model}/999", r"there is no {model}/999; `semtok sync` lists what there is"),
        ("models:/{model}@worst", r"there is no {model}@worst; `semtok promote` sets it"),
        ("models:/{model}", "no address of a training; write NAME/VERSION"),
    ],
)
def test_what_mlflow_does_not_have_is_refused(project, mlflow_server, name, fault):
    _, model, _ = project
    with pytest.raises(SemtokError, match=fault.format(model=model)):
        of_version(name.format(model=model), ignore, mlflow_server)


def test_without_a_server_it_says_how_to_start_one(project):
    with pytest.raises(SemtokError, match="no MLflow server answers there; start it with `make up"):
        of_version(f"models:/{project[1]}/1", ignore, "http://127.0.0.1:9")


def test_other_files_than_those_that_were_registered_are_refused(project, mlflow_server):
    _, model, numbers = project
    client, number = server.client(mlflow_server), numbers["vit"]
    tag = client.get_model_version(model, number).tags[CHECKPOINT]
    try:
        client.set_model_version_tag(model, number, CHECKPOINT, "0" * 32)
        with pytest.raises(SemtokError, match="its files in MLflow are not those that were regist"):
            of_version(f"models:/{model}/{number}", ignore, mlflow_server)
        client.delete_model_version_tag(model, number, CHECKPOINT)
        with pytest.raises(SemtokError, match="has no tag checkpoint_hash"):
            of_version(f"models:/{model}/{number}", ignore, mlflow_server)
    finally:
        client.set_model_version_tag(model, number, CHECKPOINT, tag)


def test_another_extractor_than_the_one_that_was_registered_is_refused(
    project, mlflow_server, tmp_path
):
    workspace, model, numbers = project
    client, name = server.client(mlflow_server), f"models:/{model}/{numbers['semantic']}"
    path = workspace.input("remote_scores", MODELS["semantic"]) / "model.json"
    version = client.get_model_version(model, numbers["semantic"])
    tag = version.tags[EXTRACTOR]
    assert json.loads(path.read_text())["extractor"] == tag
    assert of_version(name, ignore, mlflow_server).origin["extractor"] == tag
    assert EXTRACTOR not in client.get_model_version(model, numbers["vit"]).tags

    logged = client.get_logged_model(version.source.removeprefix("models:/"))
    stored = get_artifact_repository(logged.artifact_location)
    (folder,) = (
        each.path
        for each in stored.list_artifacts("artifacts")
        if f"{each.path}/{EXTRACTOR_NAME}"
        in [file.path for file in stored.list_artifacts(each.path)]
    )
    file = tmp_path / EXTRACTOR_NAME
    before = Path(artifacts.download_artifacts(f"{name}/{folder}/{EXTRACTOR_NAME}"))
    file.write_text(before.read_text().replace("6", "7"))
    assert file.read_bytes() != before.read_bytes()
    try:
        stored.log_artifact(str(file), folder)
        with pytest.raises(SemtokError, match="its files in MLflow are not those that were regist"):
            of_version(name, ignore, mlflow_server)
        # Of one that was registered without the tag, what is kept and scored says which it was.
        client.delete_model_version_tag(model, version.version, EXTRACTOR)
        assert of_version(name, ignore, mlflow_server).origin["extractor"] not in (None, tag)
    finally:
        stored.log_artifact(str(before), folder)
        client.set_model_version_tag(model, version.version, EXTRACTOR, tag)
    assert of_version(name, ignore, mlflow_server).origin["extractor"] == tag
