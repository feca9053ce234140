"""`semtok compare` of what MLflow has: the numbers of the workspace, and refusals."""

import json
import re
import shutil
import uuid
from urllib.parse import unquote

import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from semtok import params_file
from semtok.cli import app
from semtok.comparing import compare
from semtok.errors import SemtokError
from semtok.tracking import registry, server
from semtok.tracking.sync import sync
from semtok.workspace import Workspace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(line, mlflow_server, tmp_path_factory):
    """A project under a data set's name of its own, with all trainings in MLflow."""
    root, data = tmp_path_factory.mktemp("registered"), f"data{uuid.uuid4().hex[:8]}"
    shutil.copytree(line / "artifacts" / "scenes", root / "artifacts" / data)
    document = yaml.safe_load((line / "params.yaml").read_text())
    document["data"]["name"] = data
    (root / "params.yaml").write_text(yaml.safe_dump(document))
    workspace = Workspace(root, data)
    return workspace, sync(workspace, address=mlflow_server).versions


@pytest.fixture
def asked(project, mlflow_server, monkeypatch):
    """A function: names -> what `compare` found."""
    workspace, _ = project
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    params = params_file.load(workspace.root / "params.yaml")
    return lambda *names, page=None: compare(workspace, params, names, page)


@pytest.fixture
def address(project):
    """A function: variant and seed -> `NAME/VERSION`."""
    workspace, versions = project
    model = registry.model_name(workspace.data)
    return lambda name, seed=0: f"{model}/{versions[f'{name} seed {seed}']}"


def values(found, variant: str) -> dict:
    rows = [row for row in found.board.comparison.rows if row.variant == variant]
    return {(row.of, row.metric): row.value.estimate for row in rows}


def test_versions_have_the_scores_and_costs_of_their_trainings(asked, address):
    first, second = (asked(address("vit", seed)) for seed in (0, 1))
    (one,), (other,) = (each.board.comparison.names for each in (first, second))
    assert one == f"vit v{address('vit').rpartition('/')[2]}"
    here = asked("vit")
    for key, value in values(here, "vit").items():
        mean = (values(first, one)[key] + values(second, other)[key]) / 2
        assert value == pytest.approx(mean)
    seconds = (first.board.costs[one].training_seconds, second.board.costs[other].training_seconds)
    assert sum(seconds) / 2 == pytest.approx(here.board.costs["vit"].training_seconds)
    assert first.board.costs[one].parameters == here.board.costs["vit"].parameters


def test_every_form_of_an_address_names_the_same_training(asked, address, mlflow_server):
    name, number = address("vit").split("/")
    client = server.client(mlflow_server)
    client.set_registered_model_alias(name, "champion", number)
    run = client.get_model_version(name, number).run_id
    label = f"vit v{number}"
    forms = (f"models:/{name}/{number}", f"{name}@champion", f"models:/{name}@champion")
    for each in (*forms, number, "champion", "@champion"):  # the last three as `semtok card` does
        assert asked(each).board.comparison.names == [label]
    found = asked(f"runs:/{run}")
    assert values(found, label) == values(asked(address("vit")), label)
    with pytest.raises(SemtokError, match=f"{label} is named twice"):
        asked(address("vit"), f"{name}@champion")


def test_versions_stand_beside_variants_and_link_to_the_page_of_both(asked, address, project):
    number = address("vit").rpartition("/")[2]
    found = asked("semantic", address("vit"))
    assert found.board.comparison.names == ["semantic", f"vit v{number}"]
    link = unquote(found.link)
    assert link.partition("runs=")[0].endswith(
        f'/#/compare-model-versions?name="{registry.model_name(project[0].data)}"&'
    )
    versions = json.loads(link.partition("runs=")[2])
    assert set(versions) == {number, project[1]["semantic seed 0"]}


def test_variants_alone_are_linked_without_asking_a_server(project, asked, monkeypatch):
    link = asked("vit", "semantic").link
    assert "compare-model-versions" in link
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert asked("vit", "semantic").link == ""  # uploaded elsewhere


def test_the_command_prints_the_link_and_writes_a_page(asked, address, project, tmp_path):
    workspace, _ = project

    def semtok(*arguments: str) -> Result:
        command = ["--project", str(workspace.root), "compare", *arguments]
        return CliRunner().invoke(app, command, catch_exceptions=False)

    shown = semtok("vit", address("semantic")).stdout
    assert re.search(r"\nIn MLflow: http://\S+compare-model-versions\S+\n$", shown)
    assert json.loads(semtok("vit", address("semantic"), "--json").stdout)["link"] in shown
    page = tmp_path / "page.html"
    semtok("vit", address("semantic"), "--html", str(page))
    assert f"semantic v{address('semantic').rpartition('/')[2]}" in page.read_text()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("MODEL/99", "there is no data.*/99; `semtok sync` lists what there is"),
        ("MODEL@nobody", "there is no data.*@nobody"),
        ("99", "there is no data.*/99"),
        ("challenger", "there is no data.*@challenger; `semtok promote` sets it"),
        ("runs:/0123", "there is no run 0123"),
        ("MODEL/best", "no address of a training; write NAME/VERSION, NAME@ALIAS or runs:/ID"),
        ("nobody", "no such variant or model; there are semantic, vit"),
    ],
)
def test_what_is_not_there_is_named(asked, project, name, fault):
    model = registry.model_name(project[0].data)
    with pytest.raises(SemtokError, match=fault.replace("data", "semtok-data")):
        asked(name.replace("MODEL", model))


def test_other_data_is_refused_with_the_difference_counted(asked, address, project, mlflow_server):
    client = server.client(mlflow_server)
    name, number = address("semantic").split("/")
    run = client.get_model_version(name, number).run_id
    before = client.get_run(run).data.tags["data_hash"]
    client.set_tag(run, "data_hash", "e" * 32)
    fault = (
        rf"trained and scored on different data \({before} and e+\), all \d+ cases bear the same"
    )
    with pytest.raises(SemtokError, match=f"vit and semantic v{number}: {fault}"):
        asked("vit", address("semantic"))
    client.set_tag(run, "data_hash", before)


def test_a_page_of_other_data_than_its_pictures_is_refused(
    asked, address, project, mlflow_server, tmp_path
):
    client = server.client(mlflow_server)
    name, number = address("semantic").split("/")
    run = client.get_model_version(name, number).run_id
    before = client.get_run(run).data.tags["data_hash"]
    client.set_tag(run, "data_hash", "e" * 32)
    page = tmp_path / "page.html"
    fault = rf"semantic v{number}: trained and scored on other data \(e+\) than .*\({before}\)"
    with pytest.raises(SemtokError, match=fault):
        asked(address("semantic"), page=page)
    assert not page.exists()
    assert asked(address("semantic")).board.comparison.names == [f"semantic v{number}"]
    client.set_tag(run, "data_hash", before)


def test_another_protocol_and_missing_scores_are_refused(asked, address, mlflow_server):
    client = server.client(mlflow_server)
    name, number = address("semantic", 1).split("/")
    run = client.get_model_version(name, number).run_id
    before = client.get_run(run).data.tags[registry.PROTOCOL]
    client.set_tag(run, registry.PROTOCOL, "0.1")
    with pytest.raises(SemtokError, match=r"scored by protocol 0.1, compared is by"):
        asked(address("semantic", 1))
    client.set_tag(run, registry.PROTOCOL, before)
    empty = client.create_run(client.get_run(run).info.experiment_id).info.run_id
    with pytest.raises(SemtokError, match=r"has no cases.parquet, costs.json, history-seed-0"):
        asked(f"runs:/{empty}")
