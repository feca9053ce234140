"""Take a promotion back: the alias `champion` goes to the version that bore it before."""

from semtok.errors import SemtokError
from semtok.params import PromotionSettings
from semtok.tracking import decisions, registry, server
from semtok.tracking.contender import Score, name_of
from semtok.tracking.decisions import ROLLBACK, Decision, Move
from semtok.tracking.settling import Settled, settle


def rollback(data: str, settings: PromotionSettings, address: str | None = None) -> Settled:
    """Give the alias `champion` back, by the log of decisions; each call goes one further back.

    Args:
        data: name of the data set.
        settings: the metric, by which the challenger is chosen.
        address: of the tracking server; default: `server.address()`.

    Raises:
        SemtokError: the server does not answer, there is no champion, or none before this one.
    """
    address = address or server.address()
    client = server.client(address)
    name = registry.model_name(data)
    with server.talking_to(address):
        present = registry.champion(client, data)
        if present is None:
            raise SemtokError(f"{address}: {name} has no champion; `semtok promote` makes one")
        reigned = decisions.reigned(client, data, present.version)
        if reigned[-1:] != [present.version] or len(reigned) == 1:
            raise SemtokError(
                f"{address}: no decision says who was champion of {name} before "
                f"{name_of(present)}; set the alias champion in MLflow by hand"
            )
        before = registry.numbered(client, data, reigned[-2])
        if before is None:
            raise SemtokError(
                f"{address}: {name} version {reigned[-2]}, champion before {name_of(present)}, is "
                "gone; set the alias champion in MLflow by hand"
            )
        decision = Decision(
            move=Move(ROLLBACK, present.version, before.version),
            about=present,
            beside=before,
            reason=f"roll-back: {name_of(before)} is champion again in place of {name_of(present)}",
            inputs={"reigned": reigned},
        )
        return settle(client, address, data, decision, tuple(map(Score.named, settings.metric)))
