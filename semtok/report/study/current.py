"""Which artifacts were made by the settings of a study, all that they were made from included."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semtok import pipeline
from semtok.params import Params
from semtok.stage import Key
from semtok.workspace import VERDICT, Workspace, stage_key


def made(workspace: Workspace, params: Params, stage: str) -> dict[str, Path]:
    """What of a stage these settings would make again, as far as artifacts are there to say so.

    Scores know the settings of scoring alone, and a checkpoint those of training. So every artifact
    upstream has to be made by these settings, of the inputs that they name, which are what is there
    now. An artifact that stayed where it was made says nothing.

    Args:
        workspace: of the study's data set.
        params: the study's settings.
        stage: one with partitions.

    Returns:
        Partition -> the folder of its artifact, in the order of the settings.
    """
    blocks = json.loads(json.dumps(asdict(params)))  # as JSON has them: lists for tuples
    names = pipeline.stages()[stage].partitions(params) or []
    wanted = {name: pipeline.upstream(params, (stage, name)) for name in names}
    keys = dict.fromkeys(key for keys in wanted.values() for key in keys)
    fits = {key: _fits(workspace, params, blocks, key) for key in keys}
    return {
        name: folder
        for name, keys_of in wanted.items()
        if (folder := workspace.find(stage, name)) and all(fits[key] for key in keys_of)
    }


def _fits(workspace: Workspace, params: Params, blocks: Mapping[str, Any], key: Key) -> bool:
    """Whether an artifact, if it is there, was made by these settings of what is there now."""
    folder = workspace.find(*key)
    if folder is None:
        return True
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    inputs = {stage_key(*each): each for each in pipeline.stages()[key[0]].inputs(params, key[1])}
    read = provenance["inputs"]
    return (
        set(read) == set(inputs)
        and all(_is_digest(workspace, inputs[name], read[name]) for name in inputs)
        and all(_block(blocks, name) == made for name, made in provenance["params"].items())
    )


def _is_digest(workspace: Workspace, key: Key, digest: str) -> bool:
    """Whether an artifact, if it is there, is the one that was read."""
    folder = workspace.find(*key)
    if folder is None:
        return True
    judged = folder / VERDICT
    return judged.exists() and json.loads(judged.read_text(encoding="utf-8"))["digest"] == digest


def _block(blocks: Mapping[str, Any], name: str) -> Any:
    """A block of `params.yaml` by its dotted name; None where there is none any more."""
    block: Any = blocks
    for part in name.split("."):
        block = (block or {}).get(part)
    return block
