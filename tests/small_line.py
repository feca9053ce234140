"""The whole line, small: every stage by its own function, gates aside. For tests to import."""

import json
from dataclasses import asdict
from functools import reduce
from pathlib import Path

import yaml

from semtok import params as settings
from semtok import pipeline, stages
from semtok.events import ignore
from semtok.report import summary
from semtok.workspace import Workspace, digest, publish, source_fingerprint, stage_key

REPOSITORY = Path(__file__).parents[1]

VARIANTS = ("vit", "semantic")


def build(root: Path) -> Workspace:
    """Run the line on 32 little scenes, two seeds of two variants, in a few seconds.

    Args:
        root: the project's folder, which is created.
    """
    (root / "artifacts").mkdir(parents=True)
    (root / "params.yaml").write_text(yaml.safe_dump(_params()))
    params = settings.load(root / "params.yaml")
    workspace = Workspace(root, params.data.name)
    for key in pipeline.upstream(params, *(("scores", name) for name in VARIANTS)):
        run(root, *key)
    return workspace


def run(root: Path, name: str, partition: str | None) -> None:
    """Run one stage as `semtok run` does, without its gate."""
    params = settings.load(root / "params.yaml")
    workspace = Workspace(root, params.data.name)
    stage = pipeline.stages()[name]
    blocks = asdict(params)
    provenance = {
        "stage": stage_key(name, partition),
        "source": source_fingerprint(REPOSITORY, stage.source),
        "inputs": {
            stage_key(*each): digest(workspace.input(*each))
            for each in stage.inputs(params, partition)
        },
        "params": {
            block: reduce(lambda values, part: values[part], block.split("."), blocks)
            for block in stage.settings(partition)
        },
    }
    target = workspace.output(name, partition)
    with publish(target, workspace.state("publish")) as staging:
        context = stages.Context(
            params=params,
            workspace=workspace,
            partition=partition or "",
            staging=staging,
            published=target,
            source=source_fingerprint(REPOSITORY, stage.source),
            provenance=provenance,
            emit=ignore,
        )
        summary.write(staging, provenance["stage"], stages.WORK[name](context))
        (staging / "provenance.json").write_text(json.dumps(provenance))


def _params() -> dict:
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text())
    params["data"] |= {"shards": 1}
    params["data"]["settings"]["scenes"] |= {"size": 48, "train": 16, "val": 24}
    for tokenizer in params["tokenizers"].values():
        tokenizer |= {"image_size": 32}
    params["tokenizers"]["semantic"] |= {"crop_size": 8}
    params["encoder"] |= {"width": 16, "depth": 1, "heads": 2, "embedding": 8}
    params["text"] |= {"vocabulary": 300, "context": 16, "width": 16, "depth": 1, "heads": 2}
    params["train"] |= {"steps": 4, "batch_size": 8, "warmup": 1, "seeds": [0, 1], "log_every": 2}
    params["variants"] = {name: params["variants"][name] for name in VARIANTS}
    params["bench"] |= {"bootstrap": 200}
    return params
