import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from semtok.checks.verdict import CheckResult, Verdict, write_verdict
from semtok.errors import SemtokError
from semtok.events import Progress
from semtok.tracking.lineage import flatten, render, trace
from semtok.workspace import Workspace, digest

INPUTS = {
    "images": (),
    "index": ("images",),
    "token_shards@grid-train": ("index", "images"),
    "checkpoint@vit": ("index", "token_shards@grid-train"),
    "scores@vit": ("index", "checkpoint@vit"),
}


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A line of artifacts with one small file each."""
    line = Workspace(tmp_path, "scenes")
    for key in INPUTS:
        publish(line, key, f"content of {key}")
    training = folder(line, "checkpoint@vit") / "seed-0" / "training.json"
    training.parent.mkdir()
    training.write_text(json.dumps({"commit": "c0ffee", "dirty": True, "seed": 0}))
    publish(line, "scores@vit", "of the checkpoint as it is now")
    return line


def folder(line: Workspace, key: str) -> Path:
    stage, _, partition = key.partition("@")
    return line.output(stage, partition or None)


def publish(line: Workspace, key: str, content: str) -> None:
    where = folder(line, key)
    where.mkdir(parents=True, exist_ok=True)
    (where / "data").write_text(content)
    if key == "index":
        for name in ("images", "captions", "splits"):
            (where / f"{name}.parquet").write_text(f"{name}, as tables")
    inputs = {name: digest(folder(line, name)) for name in INPUTS[key]}
    made = {"stage": key, "inputs": inputs, "params": {"data": {"name": "scenes"}}}
    (where / "provenance.json").write_text(json.dumps(made))
    (where / "report.json").write_text(json.dumps({"stage": key, "numbers": {"files": 7}}))


def test_walks_back_to_the_images(workspace):
    lineage = trace(workspace, "scores@vit")
    assert set(lineage.artifacts) == set(INPUTS)
    assert next(iter(lineage.artifacts)) == "scores@vit"
    assert lineage.broken == ()
    for key, artifact in lineage.artifacts.items():
        assert artifact.digest == digest(folder(workspace, key))
        assert workspace.root / artifact.path == folder(workspace, key)
        assert artifact.params == {"data": {"name": "scenes"}}
        assert artifact.facts["files"] == 7
    checkpoint = lineage.artifacts["checkpoint@vit"]
    assert (checkpoint.facts["commit"], checkpoint.facts["dirty"]) == ("c0ffee", True)


def test_says_what_each_gate_said(workspace):
    now = digest(folder(workspace, "index"))
    check = CheckResult("duplicates", False, "no two alike", 1.0, "at most 0", None)
    for verdict, said in (
        (Verdict("index", True, now, ()), "passed"),
        (Verdict("index", True, "0" * 32, ()), "changed after its gate"),
        (Verdict("index", False, now, (check,)), "is red: duplicates: 1, expected at most 0"),
    ):
        write_verdict(folder(workspace, "index"), verdict)
        assert trace(workspace, "index").artifacts["index"].gate == said
    assert trace(workspace, "index").artifacts["images"].gate == "was not judged"


def test_the_data_hash_is_that_of_the_tables_alone(workspace):
    def data_hash() -> str:
        return trace(workspace, "index").artifacts["index"].facts["data_hash"]

    before = data_hash()
    publish(workspace, "index", "made by other settings")
    assert data_hash() == before
    (folder(workspace, "index") / "captions.parquet").write_text("other captions")
    assert data_hash() != before


def test_starts_anywhere(workspace):
    assert set(trace(workspace, "index").artifacts) == {"index", "images"}


def test_an_input_that_changed_since_is_named(workspace):
    before = digest(folder(workspace, "token_shards@grid-train"))
    publish(workspace, "token_shards@grid-train", "another content")
    (sentence,) = trace(workspace, "scores@vit").broken
    assert sentence == (
        f"checkpoint@vit was made from token_shards@grid-train {before}, which has changed since"
    )


def test_an_input_that_is_gone_is_named(workspace):
    gone = folder(workspace, "images")
    gone.rename(gone.with_name("elsewhere"))
    lineage = trace(workspace, "checkpoint@vit")
    assert lineage.artifacts["images"].digest is None
    assert [each.split(" was")[0] for each in lineage.broken] == [
        "index",
        "token_shards@grid-train",
    ]
    assert all("images" in each and each.endswith("which is gone") for each in lineage.broken)


def test_what_is_known_is_not_read_again(workspace):
    known = {}
    trace(workspace, "checkpoint@vit", known)
    publish(workspace, "images", "other images")
    assert trace(workspace, "scores@vit", known).broken == ()


def test_tells_of_its_progress(workspace):
    heard = []
    trace(workspace, "scores@vit", emit=heard.append)
    assert heard[-1] == Progress("verifying artifacts", 5, 5)
    assert all(each.done <= each.total for each in heard)


def test_what_is_not_there_cannot_be_traced(workspace):
    with pytest.raises(SemtokError, match="run checkpoint@semantic first"):
        trace(workspace, "checkpoint@semantic")


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_provenance_is_named(workspace, content):
    path = folder(workspace, "index") / "provenance.json"
    path.write_text(content)
    with pytest.raises(SemtokError, match=str(path)):
        trace(workspace, "scores@vit")


def drawn(lineage) -> str:
    console = Console(file=io.StringIO(), width=200)
    document = lineage if isinstance(lineage, dict) else lineage.as_dict()
    console.print(render(json.loads(json.dumps(document))))
    return console.file.getvalue()


def test_is_drawn_with_digests_settings_and_commit(workspace):
    lineage = trace(workspace, "scores@vit")
    text = drawn(lineage)
    for key, artifact in lineage.artifacts.items():
        assert f"{key}  {artifact.digest}" in text
    assert "commit c0ffee, dirty true" in text
    assert "data name scenes" in text
    assert text.count("data name scenes") == 1
    assert text.count("data as above") == len(INPUTS) - 1
    assert text.count("files 7") == len(INPUTS)  # once each, however often it was read
    assert "as above" in text


def test_what_is_drawn_can_be_read_at_a_glance(workspace):
    lineage = trace(workspace, "scores@vit").as_dict()
    scores = lineage["artifacts"]["scores@vit"]
    scores["facts"] = {f"R@{number}": float(number) for number in range(40)}
    entries = {name: {"tokenizer": "grid", "registers": 4} for name in ("vit", "regions")}
    scores["params"] = {
        "variants": entries,
        "variants.vit": {"tokenizer": "grid", "clusters": None, "auxiliary": [], "gates": False},
        "corruption.severities": [2, 4],
    }
    text = drawn(lineage)
    assert "R@0 0, R@1 1, R@10 10, R@11 11, R@12 12, R@13 13, and 34 more (--json)" in text
    assert "variants regions, vit\n" in text.replace(" \n", "\n")
    assert "variants.vit tokenizer grid\n" in text.replace(" \n", "\n")
    assert "corruption.severities [2, 4]" in text


def test_is_drawn_with_what_is_broken(workspace):
    publish(workspace, "token_shards@grid-train", "another content")
    lineage = trace(workspace, "scores@vit")
    text = drawn(lineage)
    assert f"now {lineage.artifacts['token_shards@grid-train'].digest}" in text
    assert "which has changed since" in text


def test_flattens_settings():
    nested = {"train": {"steps": 4, "seeds": [0, 1]}, "tower": "scratch", "none": None}
    flat = {"train.steps": "4", "train.seeds": "[0, 1]", "tower": "scratch", "none": "null"}
    assert flatten(nested) == flat
