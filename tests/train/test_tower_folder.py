"""A frozen text tower in a folder of the project: found from anywhere, and part of the recipe."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from semtok import params_file, pipeline
from semtok.workspace import digest
from tests import small_line

pytestmark = pytest.mark.slow


def test_a_tower_in_the_project_is_found_from_anywhere_and_its_files_count(
    clip_tower_in, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    tower = root / "frozen/tower"
    text = asdict(clip_tower_in(tower)) | {"tower": "frozen/tower"}
    document = small_line.shrunk(small_line.own())
    document["variants"] = {"vit": document["variants"]["vit"]}
    document["text"] |= {name: text[name] for name in ("tower", "context")}
    document["train"]["seeds"] = [0]
    workspace = small_line.start(root, document)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)

    def trained() -> tuple[dict, dict]:
        small_line.run(root, "checkpoint", "vit")
        folder = workspace.input("checkpoint", "vit")
        facts = folder / "provenance.json", folder / "seed-0/training.json"
        provenance, training = (json.loads(path.read_text()) for path in facts)
        return provenance, training

    params = params_file.load(root / "params.yaml")
    *upstream, _ = pipeline.upstream(params, ("checkpoint", "vit"))
    for key in upstream:
        small_line.run(root, *key)
    provenance, training = trained()
    assert provenance["params"]["text"]["tower"] == "frozen/tower"
    assert provenance["text_tower"] == digest(tower)
    assert trained() == (provenance, training), "the training was not kept"
    weights = load_file(tower / "model.safetensors")
    save_file({name: 2 * each for name, each in weights.items()}, tower / "model.safetensors")
    other, again = trained()
    assert other["text_tower"] == digest(tower) != provenance["text_tower"]
    assert again["premises"] != training["premises"]
