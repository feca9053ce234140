"""From a model or a score back to its source images, stage by stage."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semtok.checks.verdict import read_verdict
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.report import summary
from semtok.workspace import Workspace, digest, fingerprint

if TYPE_CHECKING:
    from rich.tree import Tree

PROVENANCE = "provenance.json"

#: What the gate of an artifact said that it let through.
PASSED = "passed"

#: Entries of a `training.json` that say which source it was trained with.
_SOURCE = ("commit", "dirty")

#: Numbers of an artifact that the tree shows; scores have dozens.
_SHOWN = 6

_ABOVE = "as above"

#: What `data_hash` is of.
_TABLES = ("images.parquet", "captions.parquet", "splits.parquet")


@dataclass(frozen=True)
class Artifact:
    """One artifact on the way.

    Attributes:
        path: its folder, relative to the project.
        digest: of its files as they are now; None where they are not there.
        params: the blocks of `params.yaml` that it was made with.
        inputs: stage key -> digest of what it was made from.
        facts: numbers that describe it; of the index the data hash; of a checkpoint the commit and
            whether the tree was dirty.
        gate: `PASSED`, or what its gate said instead; empty where it is not there.
    """

    path: str
    digest: str | None
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    gate: str = ""


@dataclass(frozen=True)
class Lineage:
    """An artifact with everything that it was made from.

    Attributes:
        of: stage key of the artifact.
        artifacts: stage key -> the artifact, `of` first.
        broken: where the artifacts on disk are not those that were read; empty: all verified.
    """

    of: str
    artifacts: Mapping[str, Artifact]
    broken: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def trace(
    workspace: Workspace,
    key: str,
    known: dict[str, Artifact] | None = None,
    emit: Emit = ignore,
) -> Lineage:
    """Walk from an artifact back to the source images, verifying each digest on the way.

    Args:
        key: `STAGE` or `STAGE@PARTITION`.
        known: artifacts that were looked at before; what is new is added.

    Raises:
        SemtokError: the artifact is not there, or has no readable provenance.
    """
    workspace.input(*_split(key))
    known = {} if known is None else known
    artifacts: dict[str, Artifact] = {}
    queue = [key]
    while queue:
        name = queue.pop(0)
        if name not in artifacts:
            emit(Progress("verifying artifacts", len(artifacts), len(artifacts) + len(queue) + 1))
            artifacts[name] = known[name] = known.get(name) or _look_at(workspace, name)
            queue += artifacts[name].inputs
    emit(Progress("verifying artifacts", len(artifacts), len(artifacts)))
    broken = [
        f"{name} was made from {source} {read}, "
        + ("which is gone" if artifacts[source].digest is None else "which has changed since")
        for name, artifact in artifacts.items()
        for source, read in artifact.inputs.items()
        if artifacts[source].digest != read
    ]
    return Lineage(key, artifacts, tuple(broken))


def data_hash(index: Path) -> str:
    """What may be compared with what: the images by their SHA-256, the captions, the splits.

    Args:
        index: the artifact of `index`.
    """
    return fingerprint(*(digest(index / name) for name in _TABLES))


def render(lineage: Mapping[str, Any]) -> "Tree":
    """A lineage as a tree for the terminal, to be read: `as_dict` has all of it.

    What it repeats is drawn once. Of many numbers the first are shown, of blocks that hold many
    entries (variants, token_shards) their names, and settings that are not set are left out.

    Args:
        lineage: `Lineage.as_dict()`.
    """
    from rich.markup import escape
    from rich.tree import Tree

    artifacts = lineage["artifacts"]
    drawn: set[str] = set()
    blocks: dict[str, str] = {}

    def draw(name: str, read: str | None, parent: Tree | None) -> Tree:
        artifact = artifacts[name]
        now = artifact["digest"]
        mark = "" if read in (None, now) else f"  [red]now {now or 'gone'}[/red]"
        place = _ABOVE if name in drawn else artifact["path"]
        label = f"[bold]{escape(name)}[/bold]  {read or now}{mark}  [dim]{escape(place)}[/dim]"
        branch = Tree(label) if parent is None else parent.add(label)
        if name not in drawn:
            drawn.add(name)
            if facts := _facts(artifact["facts"]):
                branch.add(escape(facts))
            for block, values in sorted(artifact["params"].items()):
                if told := _settings(values):
                    again = blocks.get(block) == told
                    blocks[block] = told
                    branch.add(f"[dim]{escape(block)}[/dim] {_ABOVE if again else escape(told)}")
            for source, digest_read in artifact["inputs"].items():
                draw(source, digest_read, branch)
        return branch

    tree = draw(lineage["of"], None, None)
    for sentence in lineage["broken"]:
        tree.add(f"[red]{escape(sentence)}[/red]")
    return tree


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as `block.key` -> text; lists as JSON."""
    flat: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value if isinstance(value, str) else json.dumps(value)
    return flat


def unflattened(flat: Mapping[str, str], block: str) -> dict[str, Any]:
    """The settings of one block of what `flatten` made; those of blocks within it are left out."""
    found: dict[str, Any] = {}
    for key, text in flat.items():
        within, _, name = key.rpartition(".")
        if within == block:
            try:
                found[name] = json.loads(text)
            except ValueError:
                found[name] = text
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of an artifact.

    Raises:
        SemtokError: the file is missing or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SemtokError(f"{path}: no such file; run the stage that makes it") from None
    except ValueError as error:
        raise SemtokError(f"{path}: no valid JSON ({error}); run its stage again") from None
    if not isinstance(value, dict):
        raise SemtokError(f"{path}: holds no JSON object; run its stage again")
    return value


def _facts(values: Mapping[str, Any]) -> str:
    """Which source it was made by, and its first numbers."""
    flat = {
        name: f"{value:.4g}" if isinstance(value, float) else value
        for name, value in sorted(values.items(), key=lambda each: (each[0] not in _SOURCE, each))
    }
    told = [f"{name} {value}" for name, value in flatten(flat).items()]
    more = len(told) - _SHOWN
    return ", ".join([*told[:_SHOWN], f"and {more} more (--json)"] if more > 1 else told)


def _settings(values: Any) -> str:
    """The settings of a block of `params.yaml` that are set, or the names of its entries."""
    if not isinstance(values, Mapping):
        return json.dumps(values)
    if len(values) > 1 and all(isinstance(each, Mapping) for each in values.values()):
        return ", ".join(sorted(values))
    unset = ("null", "[]", "false", "")
    flat = sorted(flatten(values).items())
    return ", ".join(f"{name} {value}" for name, value in flat if value not in unset)


def _look_at(workspace: Workspace, name: str) -> Artifact:
    stage, partition = _split(name)
    folder = workspace.find(stage, partition)
    path = workspace.relative(stage, partition).as_posix()
    if folder is None:
        return Artifact(path, None)
    made = read_json(folder / PROVENANCE)
    facts = dict(read_json(folder / summary.NAME)["numbers"])
    for training in sorted(folder.glob("seed-*/training.json"))[:1]:
        facts |= {name: value for name, value in read_json(training).items() if name in _SOURCE}
    if stage == "index":
        facts["data_hash"] = data_hash(folder)
    now = digest(folder)
    return Artifact(path, now, made["params"], made["inputs"], facts, _gate(folder, now))


def _gate(folder: Path, now: str) -> str:
    try:
        verdict = read_verdict(folder)
    except SemtokError:
        return "was not judged"
    if verdict.digest != now:
        return "changed after its gate"
    return PASSED if verdict.passed else f"is red: {verdict.reason}"


def _split(key: str) -> tuple[str, str | None]:
    stage, _, partition = key.partition("@")
    return stage, partition or None
