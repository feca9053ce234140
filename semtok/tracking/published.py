"""The trainings that the workspace holds, each with what belongs to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from semtok.bench.cases import CASES
from semtok.data import files
from semtok.errors import SemtokError
from semtok.events import Emit, Message, ignore
from semtok.params import DataSettings
from semtok.parsing import parse
from semtok.remote import AnyPath
from semtok.tables import label_of
from semtok.tracking.lineage import PROVENANCE, Artifact, Lineage, flatten, read_json, trace
from semtok.tracking.training import CHECKPOINT, DATA_HASH, Training
from semtok.workspace import Workspace, digest, fingerprint


@dataclass(frozen=True)
class Published:
    """One training with a published checkpoint.

    Attributes:
        training: what it was.
        folder: its `seed-S`.
        facts: its `training.json`.
        scores: the artifact with the scores of this very checkpoint, if there is one.
        lineage: of the scores, else of the checkpoint.
        pictures: name -> PNG file, of everything on the way.
        root: the data root.
        index: the artifact.
    """

    training: Training
    folder: Path
    facts: Mapping[str, Any]
    scores: Path | None
    lineage: Lineage
    pictures: Mapping[str, Path]
    root: AnyPath
    index: Path

    @cached_property
    def checkpoint_hash(self) -> str:
        """Digest of the folder."""
        return digest(self.folder)

    @cached_property
    def content(self) -> str:
        """Identifies all that is to be uploaded."""
        known = [
            f"{name} {each.digest} {each.gate}" for name, each in self.lineage.artifacts.items()
        ]
        return fingerprint(self.checkpoint_hash, *sorted(known))

    def tags(self) -> dict[str, str]:
        """What the run and the version are found by."""
        return {
            **self.training.tags(),
            CHECKPOINT: self.checkpoint_hash,
            DATA_HASH: str(self.lineage.artifacts["index"].facts[DATA_HASH]),
        }

    def parameters(self) -> dict[str, str]:
        """The training's, and those of its tokenizer; `lineage.json` has all others."""
        upstream = {}
        for name, artifact in self.lineage.artifacts.items():
            if name.startswith("token_shards@"):
                for block, values in artifact.params.items():
                    if block.startswith("tokenizers."):
                        upstream["tokenizer"] = values
        return {**flatten(upstream), **self.training.parameters()}


def published(workspace: Workspace, emit: Emit = ignore) -> Iterator[Published]:
    """Every training of the data set whose inputs are still those that it was made from.

    One whose inputs have changed since cannot be traced, and of a damaged one nothing is known;
    a message says so, and the others go on.
    """
    known: dict[str, Artifact] = {}
    base = workspace.root / workspace.relative("checkpoint")
    for checkpoint in sorted(each for each in base.glob("*") if each.is_dir()):
        try:
            yield from _of_variant(workspace, checkpoint, known, emit)
        except SemtokError as error:
            emit(Message(f"checkpoint@{checkpoint.name}: left out, {error}"))


def _of_variant(
    workspace: Workspace, checkpoint: Path, known: dict[str, Artifact], emit: Emit
) -> list[Published]:
    variant = checkpoint.name
    key = f"checkpoint@{variant}"
    lineage = trace(workspace, key, known, emit)
    if lineage.broken:
        emit(Message(f"{key}: left out, {lineage.broken[0]}; `dvc repro` brings it up to date"))
        return []
    scores = workspace.find("scores", variant)
    if scores:
        with_scores = trace(workspace, f"scores@{variant}", known, emit)
        made = label_of(scores / "cases.parquet")
        other = [] if made == CASES.label else [f"they are {made}, compared are {CASES.label}"]
        if faults := [*with_scores.broken, *other]:
            emit(Message(f"scores@{variant}: left out, {faults[0]}; `dvc repro` makes them anew"))
            scores = None
        else:
            lineage = with_scores
    provenance = read_json(checkpoint / PROVENANCE)
    found = []
    for folder in sorted(checkpoint.glob("seed-*")):
        facts = read_json(folder / "training.json")
        found.append(
            Published(
                training=Training(
                    workspace.data, int(folder.name.removeprefix("seed-")), provenance, facts
                ),
                folder=folder,
                facts=facts,
                scores=scores,
                lineage=lineage,
                pictures=_pictures(workspace, lineage, folder),
                root=_root(workspace, lineage),
                index=workspace.input("index"),
            )
        )
    return found


def _root(workspace: Workspace, lineage: Lineage) -> AnyPath:
    """Where the data set lies by the settings that it was indexed with."""
    block = lineage.artifacts["index"].params["data"]
    return files.root(workspace, parse(DataSettings, block, "index: params: data"))


def _pictures(workspace: Workspace, lineage: Lineage, seed: Path) -> dict[str, Path]:
    pictures = {f"{seed.name}/{path.name}": path for path in sorted(seed.glob("*.png"))}
    for key in lineage.artifacts:
        stage, _, partition = key.partition("@")
        for path in sorted(workspace.input(stage, partition or None).glob("*.png")):
            pictures[f"{key}/{path.name}"] = path
    return pictures
