import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from semtok.bench import cases, protocol
from semtok.checks.verdict import read_verdict, write_verdict
from semtok.errors import SemtokError
from semtok.events import Message, Metrics
from semtok.params import BenchSettings, PromotionSettings
from semtok.parsing import parse
from semtok.tables import read_table, write_table
from semtok.tracking import card, contender, registered, registry, server
from semtok.tracking.lineage import trace
from semtok.tracking.live import LiveRun
from semtok.tracking.promotion import promote
from semtok.tracking.published import published
from semtok.tracking.sync import sync
from semtok.train.checkpoint import HISTORY
from semtok.workspace import Workspace, digest
from tests import small_line

pytestmark = pytest.mark.slow


@pytest.fixture
def vit(workspace) -> Workspace:
    """The line with a single training."""
    for stage in ("checkpoint", "scores"):
        shutil.rmtree(workspace.output(stage, "semantic"))
    checkpoint = workspace.output("checkpoint", "vit")
    shutil.rmtree(checkpoint / "seed-1")
    remade(workspace, checkpoint, lambda made: made["params"]["train"].update(seeds=[0]))
    return workspace


def scored(workspace: Workspace, checkpoint: str, other: str) -> None:
    """Let the scores say that they are of another checkpoint."""
    path = workspace.output("scores", "vit") / "provenance.json"
    path.write_text(path.read_text().replace(checkpoint, other))


def remade(workspace: Workspace, folder: Path, change: Callable[[dict], object]) -> None:
    """Change what an artifact was made with, and let all that was made from it know it."""
    before, path = read_verdict(folder).digest, folder / "provenance.json"
    made = json.loads(path.read_text())
    change(made)
    path.write_text(json.dumps(made))
    now = digest(folder)
    write_verdict(folder, replace(read_verdict(folder), digest=now))

    def read_anew(made: dict) -> None:
        made["inputs"] = {k: now if v == before else v for k, v in made["inputs"].items()}

    for other in workspace.output("index").parent.rglob("provenance.json"):
        if before in other.read_text():
            remade(workspace, other.parent, read_anew)


@pytest.fixture
def hidden_scores(vit, tmp_path) -> Path:
    """The scores, taken away for a while."""
    return vit.output("scores", "vit").rename(tmp_path / "scores")


def runs_of(address: str, workspace: Workspace) -> list:
    client = server.client(address)
    experiment = client.get_experiment_by_name(registry.model_name(workspace.data))
    return list(client.search_runs([experiment.experiment_id])) if experiment else []


def versions_of(address: str, workspace: Workspace) -> list:
    return registry.versions(server.client(address), workspace.data, {})


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for row in read_table(folder / "history.parquet", HISTORY).to_pylist():
        found.setdefault(row["name"], []).append((row["step"], row["value"]))
    return {name: sorted(values) for name, values in found.items()}


def logged(address: str, run) -> dict[str, list[tuple[int, float]]]:
    client = server.client(address)
    return {
        name: sorted(
            (each.step, each.value) for each in client.get_metric_history(run.info.run_id, name)
        )
        for name in run.data.metrics
    }


def tree(address: str, run_id: str, path: str | None = None) -> set[str]:
    found = set()
    for each in server.client(address).list_artifacts(run_id, path):
        found |= tree(address, run_id, each.path) if each.is_dir else {each.path}
    return found


def test_every_training_gets_a_run_and_a_version_with_all_that_belongs_to_it(
    workspace, mlflow_server, tmp_path
):
    done = sync(workspace, address=mlflow_server)
    assert (done.created, done.completed, done.unchanged) == (4, 0, 0)
    names = {"vit seed 0", "vit seed 1", "semantic seed 0", "semantic seed 1"}
    assert done.versions.keys() == names
    assert done.page == f"{mlflow_server}/#/models/semtok-{workspace.data}"
    found = {run.info.run_name: run for run in runs_of(mlflow_server, workspace)}
    assert found.keys() == names
    versions = {each.run_id: each for each in versions_of(mlflow_server, workspace)}
    for name, run in found.items():
        variant, seed = name.split(" seed ")
        folder = workspace.output("checkpoint", variant) / f"seed-{seed}"
        lineage = trace(workspace, f"scores@{variant}")
        facts = json.loads((folder / "training.json").read_text())
        tags = {
            "data": workspace.data,
            "variant": variant,
            "seed": seed,
            "checkpoint_hash": digest(folder),
            "data_hash": lineage.artifacts["index"].facts["data_hash"],
        }
        assert tags.items() <= run.data.tags.items()
        assert ("mlflow.source.git.commit" in run.data.tags) == bool(facts["commit"])
        version = versions[run.info.run_id]
        assert {**tags, "protocol_version": "0.6"}.items() <= version.tags.items()
        assert done.versions[name] == version.version
        assert run.info.status == "FINISHED"

        assert run.data.params["variant"] == variant
        assert run.data.params["train.steps"] == "4"
        assert run.data.params["tokenizer.image_size"] == "32"
        metrics = logged(mlflow_server, run)
        assert curves(folder).items() <= metrics.items()
        blocks = float(facts["parameters"]["blocks"])
        assert metrics["training/parameters/blocks"] == [(0, blocks)]
        assert metrics["training/learning_rate"] == [(0, facts["learning_rate"])]
        assert len(facts["search"]) == 2
        for rate, recall in facts["search"].items():
            assert metrics[f"training/search/{rate}"] == [(0, recall)]
        table = read_table(workspace.output("scores", variant) / "cases.parquet", cases.CASES)
        own = table.filter(pc.equal(table["seed"], int(seed)))
        recall = cases.metrics(own)["retrieval"]["val"]["text_to_image"]["R@1"]
        assert metrics["retrieval/val/text_to_image/recall_at_1"] == [(0, recall)]

        inputs = {
            each.dataset.name: (each.dataset.digest, each.tags[0].value)
            for each in run.inputs.dataset_inputs
        }
        tokenizer = "grid" if variant == "vit" else "semantic"
        for key, context in (
            ("index", "source"),
            ("images", "source"),
            (f"token_shards@{tokenizer}-train", "train"),
            (f"token_shards@{tokenizer}-test", "test"),
        ):
            assert inputs[key] == (lineage.artifacts[key].digest, context)

        artifacts = tree(mlflow_server, run.info.run_id)
        assert {"lineage.json", "cases.parquet"} <= artifacts
        assert f"pictures/checkpoint@{variant}/preview.png" in artifacts
        assert f"pictures/token_shards@{tokenizer}-train/preview.png" in artifacts
        client = server.client(mlflow_server)
        path = client.download_artifacts(run.info.run_id, "cases.parquet", str(tmp_path))
        assert read_table(Path(path), cases.CASES).equals(own)
        recorded = json.loads(json.dumps(lineage.as_dict()))
        model = registry.model_name(workspace.data)
        client.set_registered_model_alias(model, registry.CHALLENGER, version.version)
        names = [registry.CHALLENGER, f"@{registry.CHALLENGER}", f"{model}@{registry.CHALLENGER}"]
        names += [
            version.version,
            f"{model}/{version.version}",
            f"models:/{model}/{version.version}",
        ]
        for name in (*names, f"runs:/{run.info.run_id}"):
            assert registered.is_version(name)
            assert registered.lineage(workspace.data, name, mlflow_server) == recorded


def test_a_second_call_creates_nothing(vit, mlflow_server):
    first = sync(vit, address=mlflow_server)
    before = [run.to_dictionary() for run in runs_of(mlflow_server, vit)]
    second = sync(vit, address=mlflow_server)
    assert (second.created, second.completed, second.unchanged) == (0, 0, 1)
    assert second.versions == first.versions
    assert [run.to_dictionary() for run in runs_of(mlflow_server, vit)] == before
    assert len(versions_of(mlflow_server, vit)) == 1


def test_an_interrupted_live_run_is_completed(vit, mlflow_server):
    item = next(published(vit))
    whole = curves(item.folder)
    starts = [(name, values[0]) for name, values in whole.items()]
    first = min(step for _, (step, _) in starts)
    with pytest.raises(KeyboardInterrupt), LiveRun(item.training, address=mlflow_server) as listen:
        listen(Metrics(first, {name: value for name, (step, value) in starts if step == first}))
        raise KeyboardInterrupt
    (live,) = runs_of(mlflow_server, vit)
    assert live.info.status == "KILLED"
    done = sync(vit, address=mlflow_server)
    assert done.created == 1
    found = {run.info.run_id: run for run in runs_of(mlflow_server, vit)}
    assert len(found) == 1
    completed = found[live.info.run_id]
    assert completed.info.status == "FINISHED"
    assert whole.items() <= logged(mlflow_server, completed).items()


def test_a_live_run_of_another_start_is_left_alone(vit, mlflow_server):
    item = next(published(vit))
    with LiveRun(item.training, address=mlflow_server) as listen:
        listen(Metrics(2, {"loss": 77.0}))
    (live,) = runs_of(mlflow_server, vit)
    assert sync(vit, address=mlflow_server).created == 1
    found = {run.info.run_id: run for run in runs_of(mlflow_server, vit)}
    assert len(found) == 2
    assert logged(mlflow_server, found[live.info.run_id]) == {"loss": [(2, 77.0)]}


def test_scores_that_appear_later_are_added(vit, hidden_scores, mlflow_server):
    first = sync(vit, address=mlflow_server)
    assert first.created == 1
    (version,) = versions_of(mlflow_server, vit)
    assert registry.PROTOCOL not in version.tags
    for run in runs_of(mlflow_server, vit):
        assert registry.PROTOCOL not in run.data.tags
        assert not any(name.startswith("retrieval") for name in run.data.metrics)
        assert "cases.parquet" not in tree(mlflow_server, run.info.run_id)
    hidden_scores.rename(vit.output("scores", "vit"))
    second = sync(vit, address=mlflow_server)
    assert (second.created, second.completed) == (0, 1)
    assert second.versions == first.versions
    (version,) = versions_of(mlflow_server, vit)
    assert version.tags[registry.PROTOCOL] == protocol.VERSION
    for run in runs_of(mlflow_server, vit):
        assert run.data.tags[registry.PROTOCOL] == protocol.VERSION
        assert "retrieval/test/image_to_text/recall_at_5" in run.data.metrics
        assert "cases.parquet" in tree(mlflow_server, run.info.run_id)
        assert all(len(each) == len(set(each)) for each in logged(mlflow_server, run).values())


def test_scores_that_are_gone_keep_the_protocol_that_they_followed(vit, mlflow_server, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(protocol, "VERSION", "0.1")
        number = sync(vit, address=mlflow_server).versions["vit seed 0"]
    shutil.rmtree(vit.output("scores", "vit"))
    assert sync(vit, address=mlflow_server).completed == 1
    (run,), (version,) = runs_of(mlflow_server, vit), versions_of(mlflow_server, vit)
    assert "cases.parquet" in tree(mlflow_server, run.info.run_id)
    assert (run.data.tags[registry.PROTOCOL], version.tags[registry.PROTOCOL]) == ("0.1", "0.1")
    faults = contender.faults(server.client(mlflow_server), version)
    assert "scores@vit is not in the lineage; run it and `semtok sync`" in faults
    monkeypatch.setattr(protocol, "VERSION", "0.1")
    with pytest.raises(SemtokError, match=f"vit version {number}: scores@vit is not in the lin"):
        card.write(vit.data, number, mlflow_server)


def test_trainings_are_kept_while_a_seed_joins_them_and_the_data_move(workspace, mlflow_server):
    """As by `semtok.train.earlier`: their files stay, and what stands around them changes."""
    vit, index = workspace.output("checkpoint", "vit"), workspace.output("index")
    second = (vit / "seed-1").rename(workspace.root / "seed-1")
    remade(workspace, vit, lambda made: made["params"]["train"].update(seeds=[0]))
    assert sync(workspace, address=mlflow_server).created == 3
    (old,) = {each.tags["data_hash"] for each in versions_of(mlflow_server, workspace)}

    second.rename(vit / "seed-1")
    remade(workspace, vit, lambda made: made["params"]["train"].update(seeds=[0, 1]))
    captions = pq.read_table(index / "captions.parquet")
    pq.write_table(captions, index / "captions.parquet", compression="gzip")
    remade(workspace, index, lambda made: made["params"]["data"].update(source="elsewhere"))
    for shards in workspace.output("token_shards").iterdir():
        remade(workspace, shards, lambda made: made["params"]["corruption"].update(severities=[1]))
    done = sync(workspace, address=mlflow_server)
    assert (done.created, done.completed) == (1, 3)
    (now,) = {each.tags["data_hash"] for each in versions_of(mlflow_server, workspace)}
    assert now != old
    bench = parse(BenchSettings, small_line.own()["bench"] | {"baseline": "semantic"}, "bench")
    rules = PromotionSettings(("retrieval/image_to_text/R@1",), minimum_gain=0.5, guards={})
    decided = promote(workspace.data, "vit", bench, rules, mlflow_server).decision
    counted = decided.inputs["candidate"]["trainings"]
    assert [each["seed"] for each in counted] == ["0", "1"]


def test_a_training_that_is_uploaded_again_is_marked_till_the_end(
    vit, hidden_scores, mlflow_server, loopback, impatient
):
    sync(vit, address=mlflow_server)
    hidden_scores.rename(vit.output("scores", "vit"))
    dying = loopback.start(loopback.dies(mlflow_server, "model-versions/set-tag", 0))
    with pytest.raises(SemtokError, match="run `semtok sync` again"):
        sync(vit, address=dying.address)
    client = server.client(mlflow_server)
    (version,) = versions_of(mlflow_server, vit)
    assert not contender.is_whole(client, [version])
    with pytest.raises(SemtokError, match=r"^vit version 1: .*to their end; run `semtok sync`"):
        card.write(vit.data, "1", mlflow_server)
    assert sync(vit, address=mlflow_server).completed == 1
    assert contender.is_whole(client, [version])


def test_two_at_once_create_no_duplicates(vit, mlflow_server):
    heard = []
    with ThreadPoolExecutor(2) as threads:
        jobs = [threads.submit(sync, vit, heard.append, mlflow_server) for _ in range(2)]
        done = [job.result() for job in jobs]
    assert sorted((each.created, each.unchanged) for each in done) == [(0, 1), (1, 0)]
    assert len(runs_of(mlflow_server, vit)) == len(versions_of(mlflow_server, vit)) == 1
    assert Message("another sync is at work; waiting for it") in heard


@pytest.mark.parametrize(
    ("at", "times"),
    [("runs/log-batch", 1), ("runs/log-batch", 4), ("model-versions/create", 0)],
)
def test_what_a_server_that_died_missed_is_added_later(
    vit, mlflow_server, loopback, impatient, at, times
):
    dying = loopback.start(loopback.dies(mlflow_server, at, times))
    with pytest.raises(SemtokError, match=rf"{dying.address}.*run `semtok sync` again") as caught:
        sync(vit, address=dying.address)
    assert "\n" not in str(caught.value)
    dying.release.set()
    assert sync(vit, address=dying.address).created == 1
    assert sync(vit, address=dying.address).unchanged == 1
    assert len(runs_of(mlflow_server, vit)) == len(versions_of(mlflow_server, vit)) == 1


def test_a_server_that_is_down_is_named_with_how_to_start_it(vit, free_address):
    with pytest.raises(SemtokError, match=rf"{free_address}: no MLflow server.*make up"):
        sync(vit, address=free_address)


def test_a_checkpoint_whose_input_changed_since_is_left_out(vit, mlflow_server):
    (vit.output("token_shards", "grid-train") / "000.arrow").write_bytes(b"other tokens")
    heard = []
    done = sync(vit, heard.append, mlflow_server)
    assert done.versions == {}
    (message,) = (each.text for each in heard if isinstance(each, Message))
    assert message.startswith("checkpoint@vit: left out")
    assert "token_shards@grid-train" in message
    assert "dvc repro" in message
    assert runs_of(mlflow_server, vit) == []


def test_a_damaged_training_is_left_out_and_the_others_go_on(vit, mlflow_server):
    other = vit.output("checkpoint", "damaged")
    shutil.copytree(vit.output("checkpoint", "vit"), other)
    (other / "provenance.json").write_text("{")
    heard = []
    assert list(sync(vit, heard.append, mlflow_server).versions) == ["vit seed 0"]
    (message,) = (each.text for each in heard if isinstance(each, Message))
    assert message.startswith("checkpoint@damaged: left out")


def test_scores_of_another_protocol_are_left_out(vit, mlflow_server):
    other = replace(cases.CASES, protocol="0.1")
    path = vit.output("scores", "vit") / "cases.parquet"
    table = read_table(path, cases.CASES)
    remade(vit, path.parent, lambda made: write_table(path, table, other))
    heard = []
    assert sync(vit, heard.append, mlflow_server).created == 1
    (told,) = (each.text for each in heard if isinstance(each, Message))
    assert told == (
        f"scores@vit: left out, they are {other.label}, compared are {cases.CASES.label}; "
        "`dvc repro` makes them anew"
    )
    (version,) = versions_of(mlflow_server, vit)
    assert registry.PROTOCOL not in version.tags


def test_scores_of_another_checkpoint_are_left_out(vit, mlflow_server):
    scored(vit, digest(vit.output("checkpoint", "vit")), "0" * 32)
    heard = []
    assert sync(vit, heard.append, mlflow_server).created == 1
    assert any(
        isinstance(each, Message) and each.text.startswith("scores@vit: left out") for each in heard
    )
    for run in runs_of(mlflow_server, vit):
        assert not any(name.startswith("retrieval") for name in run.data.metrics)


def test_nothing_trained_is_nothing_to_do(tmp_path, mlflow_server):
    done = sync(Workspace(tmp_path, "empty"), address=mlflow_server)
    assert done.versions == {}


def test_lineage_of_a_version_that_is_not_there(vit, mlflow_server):
    for name, told in (
        ("7", f"there is no semtok-{vit.data}/7; `semtok sync` lists"),
        ("champion", f"there is no semtok-{vit.data}@champion; `semtok promote` sets it"),
        ("runs:/nowhere", "there is no run nowhere"),
    ):
        with pytest.raises(SemtokError, match=told):
            registered.lineage(vit.data, name, mlflow_server)


def test_keys_of_artifacts_are_no_versions():
    for key in ("index", "leaderboard", "checkpoint@vit", "token_shards@grid-train"):
        assert not registered.is_version(key)
