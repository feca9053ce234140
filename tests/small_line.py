"""The whole line, small: every stage by its own function, gates aside. For tests to import."""

import importlib
import json
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from semtok import params_file, pipeline, runner
from semtok.checks import worker
from semtok.checks.gate import Gate
from semtok.checks.verdict import Verdict
from semtok.data import files
from semtok.params import Params
from semtok.workspace import Workspace, digest, fingerprint, stage_key

REPOSITORY = Path(__file__).parents[1]

VARIANTS = ("vit", "semantic")

#: Stages that make an artifact and do nothing else: where it depends on the very same as one that
#: was made in this run of the tests, that one is copied.
_KEPT = ("images", "index", "masks", "scene_graphs", "token_shards")
_store: Path | None = None


def build(root: Path, document: dict | None = None) -> Workspace:
    """Run the line on 32 little scenes, two seeds of two variants, in a few seconds.

    Args:
        root: the project's folder, which is created.
        document: `params.yaml`; default: the project's own with `VARIANTS`, `shrunk`.
    """
    workspace = start(root, document)
    params = params_file.load(root / "params.yaml")
    for key in pipeline.upstream(params, *(("scores", name) for name in params.variants)):
        run(root, *key)
    return workspace


def keep_in(folder: Path) -> None:
    """Keep artifacts in a folder, which the processes of one run of the tests share."""
    global _store
    _store = folder


def start(root: Path, document: dict | None = None) -> Workspace:
    """Make a project of which nothing was run yet; arguments as of `build`."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "semtok").symlink_to(REPOSITORY / "semtok")
    (root / "params.yaml").write_text(yaml.safe_dump(document or shrunk(own())))
    return Workspace(root, params_file.load(root / "params.yaml").data.name)


class _Green(Gate):
    """Lets everything through: what so small a line scores is no matter."""

    def __init__(self, stage: str, settings: Mapping[str, Any]) -> None:
        self._stage = stage

    def __enter__(self) -> "_Green":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def judge(self, artifact: Path, inputs: Mapping[str, Path]) -> Verdict:
        return Verdict(self._stage, True, digest(artifact), ())


class _Here(Gate):
    """The gate of a stage in this process, where Great Expectations is imported but once."""

    def __enter__(self) -> "_Here":
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def _ask(self, request: str, artifact: Path) -> tuple[str, dict[str, Any]]:
        suite = importlib.import_module(f"semtok.checks.{self._stage}")
        return digest(artifact), worker._answer(suite, _judge(), json.loads(request))


@cache
def _judge() -> Any:
    from semtok.checks.judging import Judge

    return Judge()


def run(root: Path, name: str, partition: str | None) -> None:
    """Run one stage as `semtok run` does, without its gate."""
    params = params_file.load(root / "params.yaml")
    if not (_store and name in _KEPT and files.is_made(params.data)):
        runner.run(stage_key(name, partition), root, scratch=False, gate_of=_Green)
        return
    target = Workspace(root, params.data.name).output(name, partition)
    kept = _store / _all_that_it_depends_on(root, params, name, partition)
    with FileLock(f"{kept}.lock"):
        if kept.exists():
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(kept, target)
        else:
            runner.run(stage_key(name, partition), root, scratch=False, gate_of=_Green)
            shutil.copytree(target, kept.with_suffix(".partial"))
            kept.with_suffix(".partial").rename(kept)


def run_gated(root: Path, key: str) -> None:
    """Run one stage as `semtok run` does, with its gate."""
    runner.run(key, root, scratch=False, gate_of=_Here)


def _all_that_it_depends_on(root: Path, params: Params, name: str, partition: str | None) -> str:
    stage = pipeline.stages()[name]
    inputs = runner._inputs(stage, partition, params, Workspace(root, params.data.name))
    key = stage_key(name, partition)
    provenance = runner._provenance(key, stage, partition, params, inputs, root)
    return fingerprint(json.dumps(provenance, sort_keys=True))


def own() -> dict:
    """`params.yaml` of the project with `VARIANTS` alone."""
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["variants"] = {name: params["variants"][name] for name in VARIANTS}
    return params


def shrunk(params: dict) -> dict:
    """The settings of a line that takes seconds, changed in place."""
    params["data"] |= {"shards": 1}
    params["data"]["settings"]["scenes"] |= {"size": 48, "train": 16, "val": 24}
    for tokenizer in params["tokenizers"].values():
        tokenizer |= {"image_size": tokenizer["image_size"] // 4}
        for name in tokenizer.keys() & {"crop_size", "cell_size"}:
            tokenizer[name] //= 2 if name == "crop_size" else 4
    if "novel" in params["data"]["splits"]:
        params["data"]["settings"]["scenes"]["novel"] = 8
    for model in (*params["detectors"].values(), *params["relation_models"].values()):
        model |= {"steps": 10}
    params["encoder"] |= {"width": 16, "depth": 2, "heads": 2, "embedding": 8}
    params["text"] |= {"vocabulary": 300, "context": 16, "width": 16, "depth": 1, "heads": 2}
    params["train"] |= {"steps": 4, "batch_size": 8, "warmup": 1, "seeds": [0, 1], "log_every": 2}
    params["bench"] |= {"bootstrap": 200}
    return params
