"""DVC, `semtok.pipeline` and Dagster say the same of every stage."""

import ast
import shutil
from pathlib import Path
from typing import Any

import grimp
import pytest
import yaml
from dagster import AssetKey, DagsterInstance, Definitions
from dagster._core.definitions.partitions.context import partition_loading_context
from dvc.dependency import ParamsDependency
from dvc.repo import Repo

from dagster_project.definitions import build
from semtok import context, params_file, pipeline, stages, study
from semtok.params import Params
from semtok.stage import Key, Stage
from semtok.stages import data, extraction, scoring, training
from semtok.workspace import Workspace, stage_key

REPO = Path(__file__).parents[2]
PARAMS = params_file.load(REPO / "params.yaml")
KEYS = list(pipeline.all_keys(PARAMS))
STAGES = pipeline.stages()


@pytest.fixture(scope="module")
def defs() -> Definitions:
    return build(REPO)


@pytest.fixture(scope="module")
def in_dvc() -> dict[str, Any]:
    return {stage.addressing: stage for stage in Repo(str(REPO)).index.stages}


def test_definitions_load(defs: Definitions) -> None:
    Definitions.validate_loadable(defs)


def test_dvc_has_the_same_keys(in_dvc: dict[str, Any]) -> None:
    assert list(in_dvc) == [stage_key(*key) for key in KEYS]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: stage_key(*key))
def test_dvc_says_what_the_pipeline_says(key: Key, in_dvc: dict[str, Any]) -> None:
    check_dvc(key, in_dvc[stage_key(*key)], PARAMS)


def check_dvc(key: Key, found: Any, params: Params) -> None:
    """One stage of DVC against the pipeline's."""
    name, partition = key
    stage, workspace = STAGES[name], Workspace(REPO, params.data.name)
    assert found.cmd == f"semtok run {stage_key(*key)}"
    paths = [dep.def_path for dep in found.deps if not isinstance(dep, ParamsDependency)]
    read = [path for path in paths if path.startswith("artifacts/")]
    assert covered(read, params) == set(stage.inputs(params, partition))
    source = set(paths) - set(read)
    given = {"images": [params.data.source]}
    if name == "outside_scores":
        given[name] = [params.models[str(partition)].folder]
    assert source == {*stage.source, *stage.watches, *given.get(name, [])}
    (watched,) = [dep for dep in found.deps if isinstance(dep, ParamsDependency)]
    assert watched.def_path == "params.yaml"
    assert watched.params == stage.settings(partition)
    outs = {out.def_path: out.persist for out in found.outs if not out.metric}
    assert outs == {workspace.relative(*key).as_posix(): stage.persist}
    metrics = [out.def_path for out in found.outs if out.metric]
    scored = name in ("scores", *pipeline.OUTSIDE_SCORES, "extraction_scores", "transmission")
    file = f"transmission/{partition}" if name == "transmission" else partition
    assert metrics == ([f"metrics/{params.data.name}/{file}.json"] if scored else [])


def covered(paths: list[str], params: Params) -> set[Key]:
    """The keys whose artifacts are, or lie below, the given paths."""
    folders = [Path(path) for path in paths]
    return {
        key
        for key in pipeline.all_keys(params)
        for own in [Workspace(REPO, params.data.name).relative(*key)]
        if any(folder == own or folder in own.parents for folder in folders)
    }


@pytest.fixture(scope="module")
def of_the_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of the study, with a model and a transmission more: all stages there are."""
    root = tmp_path_factory.mktemp("study")
    for name in ("dvc.yaml", "params.yaml", "study.yaml"):
        shutil.copy(REPO / name, root)
    (root / "semtok").symlink_to(REPO / "semtok")
    Repo.init(str(root), no_scm=True)
    study.write(root, "small")
    document = yaml.safe_load((root / "params.yaml").read_text())
    document["models"] = {"own": {"folder": "models/own"}}
    document["remote_models"] = {
        "clip": {"hub": "openai/clip", "revision": "0" * 40},
        "champion": {"registered": "models:/semtok-scenes@champion"},
    }
    document["transmission"] = {"sent": {"variant": "vit", "tokenizer": "grid", "steps": 1}}
    (root / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return root


def test_dvc_and_dagster_say_what_the_pipeline_says_of_the_study(of_the_study: Path) -> None:
    params = params_file.load(of_the_study / "params.yaml")
    keys = list(pipeline.all_keys(params))
    assert {name for name, _ in keys} == set(STAGES)
    found = {stage.name: stage for stage in Repo(str(of_the_study)).index.stages}
    assert set(found) == {stage_key(*key) for key in keys}
    for key in keys:
        check_dvc(key, found[stage_key(*key)], params)
    defs = build(of_the_study)
    for split in params.data.splits:
        assert parents(defs, ("masks", f"predicted-{split}"), "detector") == {"study"}
        assert parents(defs, ("scene_graphs", f"predicted-{split}"), "relation_model") == {"study"}
        assert parents(defs, ("masks", f"annotated-{split}"), "detector") == set()
    judged = ("extraction_scores", "predicted-novel")
    assert parents(defs, judged, "masks") == {"annotated-novel"}
    assert parents(defs, judged, "relation_model") == {"study"}
    assert parents(defs, ("transmission", "sent"), "checkpoint") == {"vit"}
    assert parents(defs, ("transmission", "sent"), "token_shards") == {"grid-train", "grid-test"}
    graph = defs.resolve_asset_graph()
    for name, own in (("outside_scores", ["own"]), ("remote_scores", ["clip", "champion"])):
        assert graph.get(AssetKey(name)).partitions_def.get_partition_keys() == own
        assert AssetKey(name) in graph.get(AssetKey("leaderboard")).parent_keys


@pytest.mark.parametrize("key", KEYS, ids=lambda key: stage_key(*key))
def test_dagster_says_what_the_pipeline_says(key: Key, defs: Definitions) -> None:
    name, partition = key
    graph = defs.resolve_asset_graph()
    node = graph.get(AssetKey(name))
    keys = STAGES[name].partitions(PARAMS)
    assert (node.partitions_def.get_partition_keys() if node.partitions_def else None) == keys
    inputs = set(STAGES[name].inputs(PARAMS, partition))
    every = {
        upstream for part in keys or [None] for upstream, _ in STAGES[name].inputs(PARAMS, part)
    }
    assert {parent.to_user_string() for parent in node.parent_keys} == every
    for upstream in every:
        if graph.get(AssetKey(upstream)).is_partitioned:
            assert parents(defs, key, upstream) == {part for up, part in inputs if up == upstream}


def parents(defs: Definitions, key: Key, upstream: str) -> set[str]:
    """The upstream partitions that Dagster maps a partition to."""
    graph = defs.resolve_asset_graph()
    node, parent = graph.get(AssetKey(key[0])), graph.get(AssetKey(upstream))
    mapping = graph.get_partition_mapping(node.key, parent.key)
    with partition_loading_context():
        mapped = mapping.get_upstream_mapped_partitions_result_for_partitions(
            node.partitions_def.subset_with_partition_keys([key[1]]) if key[1] else None,
            node.partitions_def,
            parent.partitions_def,
        )
    return set(mapped.partitions_subset.get_partition_keys())


#: Modules that a stage imports and that are no part of what its result depends on.
EXEMPT = {
    "semtok.errors": "words for people",
    "semtok.events": "words for people",
    "semtok.params": "checks settings; the values themselves are params of the stage",
    "semtok.params_file": "checks settings, as semtok.params",
    "semtok.consistency": "checks settings, as semtok.params",
    "semtok.variant_rules": "checks settings, as semtok.params",
    "semtok.parsing": "reads settings, as semtok.params",
    "semtok.workspace": "where artifacts lie, not what is in them",
    "semtok.remote": "listed where a data root is read; others import its types",
    "semtok.tracking": "effects outside the workspace",
    "semtok.checks": "judges artifacts and makes none",
    "semtok.workers": "who makes shards, and not what is in them",
    "semtok.machine": "measures the machine, not the model",
    "semtok.report": "pictures and previews for people; the leaderboard's, its result, are listed",
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
def test_source_covers_what_the_stage_imports(stage: Stage, imports: Any) -> None:
    graph, work = imports
    roots = work(stages.WORK[stage.name])
    assert roots
    modules = roots.union(*(graph.find_upstream_modules(root) for root in roots))
    listed = [Path(source) for source in stage.source]
    missing = {
        module
        for module in modules
        for path in [module_path(module)]
        if not any(path == source or source in path.parents for source in listed)
        and not any(f"{module}.".startswith(f"{exempt}.") for exempt in EXEMPT)
    }
    assert not missing, (
        f"add to the source of {stage.name}, in stage_code.py or pipeline.py, and dvc.yaml"
    )


@pytest.fixture(scope="module")
def imports() -> Any:
    """The import graph, and a function that says what a function of semtok.stages imports.

    The methods of `Context` that it calls import for it.
    """
    graph = grimp.build_graph("semtok", cache_dir=None)
    bodies = {
        module.__name__: {
            each.name: each
            for each in ast.walk(ast.parse(Path(module.__file__).read_text()))
            if isinstance(each, ast.FunctionDef)
        }
        for module in (data, extraction, training, scoring, context)
    }

    def work(function: Any) -> set[str]:
        found: set[str] = set()
        seen: set[tuple[str, str]] = set()
        queue = [(function.__module__, function.__name__)]
        while queue:
            module, name = queue.pop()
            if name not in bodies[module] or (module, name) in seen:
                continue
            seen.add((module, name))
            for node in ast.walk(bodies[module][name]):
                match node:
                    case ast.Call(func=ast.Name(id=called)):
                        queue.append((module, called))
                    case ast.Attribute(value=ast.Name(id="context" | "self"), attr=called):
                        queue.append((context.__name__, called))
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("semtok"):
                    for alias in node.names:
                        whole = f"{node.module}.{alias.name}"
                        found.add(whole if whole in graph.modules else str(node.module))
        return found

    return graph, work


def module_path(module: str) -> Path:
    path = Path(*module.split("."))
    return path / "__init__.py" if (REPO / path).is_dir() else path.with_suffix(".py")


def test_one_dvc_at_a_time_and_no_dialogs() -> None:
    config = yaml.safe_load((REPO / "dagster_project" / "dagster.yaml").read_text())
    assert config["concurrency"]["pools"] == {"granularity": "run", "default_limit": 1}
    assert config["nux"] == {"enabled": False}
    assert config["telemetry"] == {"enabled": False}
    with DagsterInstance.local_temp(overrides=config) as instance:
        assert instance.get_concurrency_config().pool_config.default_pool_limit == 1
        assert not instance.telemetry_enabled
