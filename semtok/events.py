"""What long-running code tells whoever listens: it knows no tracker, no bar and no orchestrator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of the work `what` are finished.

    Attributes:
        unit: `bytes` are shown as such, and with their rate.
    """

    what: str
    done: int
    total: int
    unit: str = ""


@dataclass(frozen=True)
class Metrics:
    """Named values at a training step (counted from 1)."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True)
class Message:
    """One line for the log."""

    text: str


Event = Progress | Metrics | Message
Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Listen to nothing: the default of every `emit` argument."""


def tell_all(*listeners: Emit) -> Emit:
    """One listener that tells several."""

    def emit(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return emit
