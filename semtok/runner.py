"""The one way in which every stage is run: gates of the inputs, work, own gate, publication."""

import importlib
import importlib.util
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from difflib import get_close_matches
from functools import reduce
from pathlib import Path
from pkgutil import iter_modules
from tempfile import TemporaryDirectory
from typing import Any

from semtok import backend_settings, params_file, pipeline, pipes, progress, stages
from semtok.checks.gate import Gate
from semtok.checks.verdict import is_as_judged, require, write_verdict
from semtok.context import Context
from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore, tell_all
from semtok.params import Params
from semtok.parsing import parse
from semtok.report import summary
from semtok.source import check_own, source_fingerprint, used_files
from semtok.stage import Stage
from semtok.tables import read_table
from semtok.train import processes
from semtok.workspace import Workspace, digest, publish, stage_key


def run(key: str, root: Path, scratch: bool, gate_of: type[Gate] = Gate) -> Path:
    """Run one stage: ask the gates of its inputs, work in a staging folder, judge, publish.

    Args:
        key: `STAGE` or `STAGE@PARTITION`.
        root: the project's folder.
        scratch: write to the scratch workspace instead of the outputs that DVC owns.
        gate_of: what judges the artifact.

    Of several processes that torchrun started, for a checkpoint, the first publishes.

    Returns:
        The published folder.

    Raises:
        SemtokError: the settings do not fit, the project's own code is not what runs, an input is
            missing or changed after its gate, the work failed, or the gate is red; nothing is
            published then.
    """
    check_own(root)
    params = params_file.load(root / "params.yaml")
    stage, partition = pipeline.parse_key(key, params)
    _check_settings(params, root / "params.yaml")
    if stage.name in ("checkpoint", "scores"):
        from semtok.bench import benchmark  # torch, which these stages need anyhow

        benchmark.check_askable(params)
    if processes.count() > 1 and stage.name != "checkpoint":
        raise SemtokError(f"{key}: one process runs it; torchrun is for checkpoint")
    workspace = Workspace(root, params.data.name, root / ".semtok/scratch" if scratch else None)
    target = workspace.output(stage.name, partition)
    if not processes.leads():
        inputs = _inputs(stage, partition, params, workspace)
        provenance = _provenance(key, stage, partition, params, inputs, root)
        # What the first process publishes, this one helps to compute, and writes nothing of it.
        with TemporaryDirectory() as nowhere:
            stages.WORK[stage.name](
                _context(stage, partition, params, workspace, provenance, Path(nowhere), ignore)
            )
        return target
    red = workspace.state("red") / f"{key}.json"
    with (
        gate_of(stage.name, params.checks.get(stage.name, {})) as gate,
        pipes.session(stage.name, partition) as orchestrator,
        progress.bars(key) as bars,
    ):
        inputs = _inputs(stage, partition, params, workspace)
        provenance = _provenance(key, stage, partition, params, inputs, root)
        with publish(target, workspace.state("publish")) as staging:
            emit = tell_all(bars, orchestrator.emit)
            context = _context(stage, partition, params, workspace, provenance, staging, emit)
            found = stages.WORK[stage.name](context)
            summary.write(staging, key, found)
            _write_json(staging / "provenance.json", provenance)
            verdict = gate.judge(staging, inputs)
            orchestrator.check(verdict)
            if not verdict.passed:
                red.mkdir(parents=True, exist_ok=True)
                write_verdict(red, verdict)
                raise SemtokError(f"{key}: gate is red: {verdict.reason}; {_kept(target, stage)}")
            write_verdict(staging, verdict.without_limits())
        shutil.rmtree(red, ignore_errors=True)
        context.emit(Message(found.line()))
    # Kept until here, so that a red gate costs no training, and no embedding.
    if stage.name == "checkpoint":
        shutil.rmtree(workspace.state("resume", workspace.data, str(partition)), ignore_errors=True)
    if stage.name in ("scores", *pipeline.OUTSIDE_SCORES):
        shutil.rmtree(workspace.state("kept", stage.name, str(partition)), ignore_errors=True)
    if metrics := _metrics(stage.name, target):
        _publish_metrics(workspace, stage.name, str(partition), metrics)
    return target


def _inputs(
    stage: Stage, partition: str | None, params: Params, workspace: Workspace
) -> dict[str, Path]:
    """The artifacts that a partition reads, by their keys."""
    return {stage_key(*each): workspace.input(*each) for each in stage.inputs(params, partition)}


def _provenance(
    key: str,
    stage: Stage,
    partition: str | None,
    params: Params,
    inputs: Mapping[str, Path],
    root: Path,
) -> dict[str, Any]:
    """All that a result depends on."""
    blocks = asdict(params)
    files = used_files(root, stage.source, stage.modules(params, partition))
    tower = params.text.folder(root) if "text" in stage.settings(partition) else None
    return {
        "stage": key,
        "source": source_fingerprint(root, files),
        "inputs": {name: require(folder).digest for name, folder in inputs.items()},
        "params": {
            name: _block(blocks, name)
            for name in stage.settings(partition)
            if not name.startswith("checks.")  # they judge an artifact and do not make it
        },
        # Whose name stands among the settings.
        **({"text_tower": digest(tower)} if tower else {}),
    }


def _context(
    stage: Stage,
    partition: str | None,
    params: Params,
    workspace: Workspace,
    provenance: Mapping[str, Any],
    staging: Path,
    emit: Emit,
) -> Context:
    target = workspace.output(stage.name, partition)
    # DVC keeps the output of such a stage alone, and whole artifacts are hashed.
    current = stage.persist and processes.leads() and is_as_judged(target)
    return Context(
        params=params,
        workspace=workspace,
        stage=stage.name,
        partition=partition or "",
        staging=staging,
        published=target if current else workspace.state("none") / target.name,
        source=provenance["source"],
        provenance=provenance,
        emit=emit,
    )


def _check_settings(params: Params, path: Path) -> None:
    """Find what is wrong in the settings of later stages before the first one has worked.

    Raises:
        SemtokError: a gate's setting or a backend's, or a backend that no module of semtok is
            named after.
    """
    if unknown := sorted(set(params.checks) - set(pipeline.stages())):
        raise SemtokError(f"{path}: checks.{unknown[0]}: there is no such stage")
    for name in pipeline.stages():
        suite = importlib.import_module(f"semtok.checks.{name}")
        parse(suite.Settings, params.checks.get(name, {}), f"{path}: checks.{name}")
    for name, partition in pipeline.all_keys(params):
        for module in pipeline.stages()[name].modules(params, partition):
            if not _exists(module):
                key = stage_key(name, partition)
                raise SemtokError(
                    f"{path}: {key} is to be made by {module}, which there is not; {_meant(module)}"
                )
    backend_settings.check(params, path)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a name with a dot in it, or an empty one
        return False


def _meant(module: str) -> str:
    """What to do about a module that is not there: most often its name is misspelt."""
    package, _, name = module.rpartition(".")
    found = importlib.util.find_spec(package) if _exists(package) else None
    folders = found.submodule_search_locations if found else None
    near = get_close_matches(name, [each.name for each in iter_modules(folders or [])], 1)
    return f"did you mean {near[0]}?" if near else "check its spelling, or add the file"


def _metrics(stage: str, artifact: Path) -> Mapping[str, Any] | None:
    """What DVC is to compare between commits, of the stages that have such numbers."""
    if stage in ("scores", *pipeline.OUTSIDE_SCORES):
        from semtok.bench import cases

        return cases.metrics(read_table(artifact / "cases.parquet", cases.CASES))
    if stage == "extraction_scores":
        from semtok.extract import extraction_scores as scores

        return scores.metrics(read_table(artifact / scores.NAME, scores.EXTRACTION_SCORES))
    if stage == "transmission":
        from semtok.bench import transmission

        sent = read_table(artifact / transmission.NAME, transmission.RATE_DISTORTION)
        return transmission.metrics(sent)
    return None


def _publish_metrics(
    workspace: Workspace, stage: str, partition: str, metrics: Mapping[str, Any]
) -> None:
    """Write the metrics of a partition, which git tracks."""
    folder = (workspace.scratch or workspace.root) / "metrics" / workspace.data
    if stage == "transmission":  # whose partitions may have the names of variants
        folder /= stage
    path = folder / f"{partition}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    _write_json(partial, metrics)
    partial.replace(path)


def _kept(target: Path, stage: Stage) -> str:
    """What becomes of the last good artifact."""
    if stage.persist:
        return f"{target} is as it was" if target.exists() else "nothing was published"
    return "nothing was published; `dvc checkout` brings the last good artifact back"


def _block(blocks: Mapping[str, Any], name: str) -> Any:
    """A block of `params.yaml` by its dotted name."""
    return reduce(lambda block, part: block[part], name.split("."), blocks)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")
