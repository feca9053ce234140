"""Which tokens the middle of an encoder may send on: all that the benchmark `budget` asks."""

from dataclasses import dataclass
from typing import Literal

from semtok.bench.cases import PART

#: Who chooses: the model itself, by its gates or, where it has none, by the attention of [CLS] in
#: the sending block; chance; or the place of a token, the nearest to the picture's centre first.
Policy = Literal["own", "random", "centre"]


@dataclass(frozen=True)
class Selection:
    """What is sent of an image.

    Attributes:
        policy: who chooses.
        budget: share of the tokens that may be sent, 0..1; of N that are no intangible ones,
            ceil(budget N), or what the gates keep within it. Intangible tokens are always sent.
        snr: of each token in the channel, in dB; None: no noise.
    """

    policy: Policy
    budget: float
    snr: float | None = None


BUDGETS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 11))
POLICIES: tuple[Policy, ...] = ("own", "random", "centre")

#: Of a token in the channel, in dB, and the budgets at which there is noise.
SNRS = (-10.0, 0.0, 10.0, 20.0)
NOISY_BUDGETS = (0.2, 0.5, 1.0)

SELECTIONS = (
    *(Selection(policy, budget) for policy in POLICIES for budget in BUDGETS),
    *(
        Selection(policy, budget, snr)
        for policy in POLICIES
        for budget in NOISY_BUDGETS
        for snr in SNRS
    ),
)


def part(task: str, selection: Selection) -> str:
    """The name of the part of a task that makes a selection, e.g. `TASK/own 0.5 10 dB`."""
    noise = "" if selection.snr is None else f" {selection.snr:g} dB"
    return f"{task}{PART}{selection.policy} {selection.budget:g}{noise}"
