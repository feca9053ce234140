"""DVC watches models in `frozen/`, and not what lies beside them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from dvc.repo import Repo

REPO = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (".dvcignore", "dvc.yaml", "params.yaml"):
        shutil.copy(REPO / name, tmp_path)
    (tmp_path / "frozen" / "sam2").mkdir(parents=True)
    (tmp_path / "frozen" / "sam2" / "model.safetensors").write_bytes(b"weights")
    Repo.init(str(tmp_path), no_scm=True)
    return tmp_path


def watched(project: Path, name: str = "masks@annotated-train") -> Any:
    """What a stage depends on of `frozen/`, by its hash."""
    stages = Repo(str(project)).index.stages
    stage = next(each for each in stages if each.name == name)
    return next(each for each in stage.deps if each.def_path == "frozen").get_hash()


@pytest.mark.parametrize("stage", ["masks@annotated-train", "checkpoint@vit"])
def test_a_changed_model_counts(project: Path, stage: str) -> None:
    before = watched(project, stage)
    (project / "frozen" / "sam2" / "model.safetensors").write_bytes(b"other weights")
    assert watched(project, stage) != before


@pytest.mark.parametrize("name", ["README.md", "sam2/.cache/huggingface/download", ".DS_Store"])
def test_what_is_no_model_does_not(project: Path, name: str) -> None:
    before = watched(project)
    path = project / "frozen" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed")
    assert watched(project) == before
