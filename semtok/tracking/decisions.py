"""The log of decisions: an MLflow run for each, which nobody changes, and who reigned when."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from semtok.bench.intervals import Interval
from semtok.report import markdown
from semtok.tracking import registry, runs
from semtok.tracking.contender import name_of
from semtok.tracking.rules import Rule

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

#: Artifact of a decision's run: all of it, with its inputs.
ARTIFACT = "decision.json"

#: What a decision was.
PROMOTION, ROLLBACK = "promotion", "rollback"

#: Tags of a decision's run.
_KIND, _BEFORE, _AFTER = "kind", "champion_before", "champion_after"


class Move(NamedTuple):
    """What a decision did to the alias `champion`: versions; None: nobody bears it."""

    kind: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Decision:
    """What was decided, and on what grounds.

    Attributes:
        move: of the alias.
        about: the candidate, or who is to go.
        beside: whom it was compared with, or who is to come back.
        reason: one sentence.
        inputs: all that it rests on, as JSON values.
        rules: as they were judged; empty where none was asked.
        points: split -> gain in the stated metric; empty where nothing was compared.
        label: `smoke run (...)` where no claim may rest on it, else empty.
    """

    move: Move
    about: "ModelVersion"
    beside: "ModelVersion"
    reason: str
    inputs: Mapping[str, Any]
    rules: tuple[Rule, ...] = ()
    points: Mapping[str, Interval] = field(default_factory=dict)
    label: str = ""

    @property
    def promoted(self) -> bool:
        """Whether the candidate is champion now and was not before."""
        kind, before, after = self.move
        return kind == PROMOTION and before != after == self.about.version

    @property
    def held_back_by(self) -> tuple[str, ...]:
        """Names of the rules that did not let the candidate through."""
        return tuple(each.name for each in self.rules if not each.passed)

    def facts(self) -> dict[str, Any]:
        """What people and programs are told, as JSON values."""
        return {
            "promoted": self.promoted,
            "held_back_by": list(self.held_back_by),
            "reason": self.reason,
            "rules": [asdict(each) for each in self.rules],
            "points": {split: asdict(each) for split, each in self.points.items()},
            "label": self.label,
        }


def write(client: "MlflowClient", data: str, decision: Decision) -> tuple[str, str]:
    """Log a decision: before the alias moves, so that no move is without its reason.

    Returns:
        The ids of the experiment and of its run.
    """
    where, move = _experiment_id(client, data), decision.move
    tags = {
        _KIND: move.kind,
        _BEFORE: move.before or "",
        _AFTER: move.after or "",
        "held_back_by": ", ".join(decision.held_back_by),
        "mlflow.note.content": f"{decision.reason}\n\n{_table(decision.rules)}",
    }
    title = f"{name_of(decision.about)}: {_outcome(decision)}"
    run = client.create_run(where, tags=tags, run_name=title)
    run_id = str(run.info.run_id)
    values = [
        runs.Value(f"{each.name.replace('R@', 'recall_at_')}/{end}", value, 0, run.info.start_time)
        for each in decision.rules
        if each.gain
        for end, value in (*vars(each.gain).items(), ("limit", each.limit))
        if value is not None
    ]
    runs.log_values(client, run_id, values)
    content = {**decision.facts(), **move._asdict(), "inputs": decision.inputs}
    client.log_text(run_id, json.dumps(content, indent=1, sort_keys=True) + "\n", ARTIFACT)
    client.set_terminated(run_id, "FINISHED")
    return where, run_id


def reigned(client: "MlflowClient", data: str, present: str) -> list[str]:
    """The versions that reigned, the present one last; what roll-backs took back is left out.

    Args:
        present: the version that bears the alias.
    """
    return reigns(_moves(client, data), present)


def reigns(moves: Sequence[Move], present: str) -> list[str]:
    """The versions that reigned by a log of decisions, as of `reigned`.

    A kill may come between a decision and its move: where the next one, or the alias today, still
    finds the champion from before, it led to nothing. Where the alias was moved by hand, the next
    decision says who reigned in fact.

    Args:
        moves: the oldest first.
        present: the version that bears the alias.
    """
    then = [*(each.before for each in moves[1:]), present]
    made = [
        move
        for move, champion in zip(moves, then, strict=False)
        if champion == move.after or champion != move.before
    ]
    found: list[str] = []
    for kind, before, after in made:
        while found and found[-1] != before:
            found.pop()
        if before and not found:
            found = [before]
        if kind == ROLLBACK:
            found.pop()
        if after and found[-1:] != [after]:
            found.append(after)
    return found


def _moves(client: "MlflowClient", data: str) -> list[Move]:
    """All decisions, the oldest first."""
    where, token = _experiment_id(client, data), None
    found: list[Move] = []
    while token != "":
        page = client.search_runs([where], order_by=["attributes.start_time ASC"], page_token=token)
        tags = [run.data.tags for run in page]
        found += [Move(each[_KIND], each[_BEFORE] or None, each[_AFTER] or None) for each in tags]
        token = page.token or ""
    return found


def _experiment_id(client: "MlflowClient", data: str) -> str:
    return runs.experiment_id(client, f"{registry.model_name(data)}-decisions")


def _outcome(decision: Decision) -> str:
    if decision.move.kind == ROLLBACK:
        return "rolled back"
    if decision.held_back_by:
        return f"held back by {', '.join(decision.held_back_by)}"
    return "promoted" if decision.promoted else "champion already"


def _table(rules: Sequence[Rule]) -> str:
    rows = [
        (
            each.name,
            each.found,
            "" if each.limit is None else f"{each.limit:+.2f}",
            "passed" if each.passed else "held back",
        )
        for each in rules
    ]
    return markdown.table(("rule", "found", "limit", "so"), rows, left=("rule", "found", "so"))
