"""With the split `novel`, DVC, `semtok.pipeline` and Dagster still say the same."""

import shutil
from pathlib import Path

from dagster import AssetKey
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from dagster_project.definitions import build
from semtok import pipeline, study
from semtok.workspace import Workspace, stage_key

REPO = Path(__file__).parents[2]


def test_the_study_has_the_same_keys_and_inputs_behind_both_doors(tmp_path: Path) -> None:
    for name in ("params.yaml", "study.yaml", "dvc.yaml"):
        shutil.copy(REPO / name, tmp_path)
    (tmp_path / "semtok").symlink_to(REPO / "semtok")
    Repo.init(str(tmp_path), no_scm=True)
    params = study.write(tmp_path, "small")
    keys = list(pipeline.all_keys(params))
    in_dvc = {stage.name: stage for stage in Repo(str(tmp_path)).index.stages}
    assert set(in_dvc) == {stage_key(*key) for key in keys}
    assert "scene_graphs@annotated-novel" in in_dvc

    workspace = Workspace(tmp_path, params.data.name)
    for variant in params.variants:
        deps = in_dvc[f"scores@{variant}"].deps
        read = {dep.def_path for dep in deps if not isinstance(dep, ParamsDependency)}
        inputs = pipeline.stages()["scores"].inputs(params, variant)
        wanted = {workspace.relative(*key).as_posix() for key in inputs}
        assert {path for path in read if path.startswith("artifacts/")} == wanted

    graph = build(tmp_path).resolve_asset_graph()
    for name in {name for name, _ in keys}:
        node = graph.get(AssetKey(name))
        found = node.partitions_def.get_partition_keys() if node.partitions_def else None
        assert found == pipeline.stages()[name].partitions(params)
