"""Carry out a decision about the champion: log it, move the aliases, say what is now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semtok.errors import SemtokError
from semtok.tracking import challenger, decisions, registry
from semtok.tracking.contender import Score, name_of
from semtok.tracking.decisions import Decision

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Tag of a version: the last decision about it, for people.
TAG = "promotion"


@dataclass(frozen=True)
class Settled:
    """A decision, and what it led to.

    Attributes:
        decision: with its grounds.
        model: the registered model.
        champion: from now on, e.g. `semantic version 3`; empty: nobody.
        challenger: the best of the rest; empty: there is none.
        page: where MLflow shows the two that were compared side by side.
        log: where MLflow shows the decision with its inputs.
    """

    decision: Decision
    model: str
    champion: str
    challenger: str
    page: str
    log: str

    def as_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        names = ("model", "champion", "challenger", "page", "log")
        return {**{name: getattr(self, name) for name in names}, **self.decision.facts()}


def settle(
    client: "MlflowClient", address: str, data: str, decision: Decision, metric: Sequence[Score]
) -> Settled:
    """Log a decision, then move the aliases.

    Args:
        metric: by which the challenger is chosen.

    Raises:
        SemtokError: the champion is another one than was decided about; nothing is logged.
    """
    name, move = registry.model_name(data), decision.move
    # Deciding takes seconds. A lock keeps others of this workspace out, and nobody else.
    present = registry.champion(client, data)
    if (present.version if present else None) != move.before:
        now = f"{name_of(present)} is" if present else "nobody is"
        raise SemtokError(
            f"{address}: {now} champion of {name} by now, which this was not decided about; "
            "decide anew"
        )
    experiment, run = decisions.write(client, data, decision)
    if move.after and move.after != move.before:
        client.set_registered_model_alias(name, registry.CHAMPION, move.after)
    client.set_model_version_tag(name, decision.about.version, TAG, decision.reason)
    champion = registry.champion(client, data)
    rest = challenger.appoint(client, data, champion, metric) if champion else None
    return Settled(
        decision=decision,
        model=name,
        champion=name_of(champion) if champion else "",
        challenger=name_of(rest) if rest else "",
        page=registry.comparison_page(address, data, [decision.beside, decision.about]),
        log=f"{address}/#/experiments/{experiment}/runs/{run}",
    )
