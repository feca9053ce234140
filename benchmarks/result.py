"""What a benchmark reports."""

import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Result:
    """One measured ratio and its goal, if it has one.

    Attributes:
        name: what was measured.
        ours, peer: both sides in `unit`; None: not run.
        unit: of both.
        at_most: the largest ratio ours / peer that meets the goal; None where there is another.
        at_least: the smallest one; None where there is another.
        command: measures it again.
        packages: whose versions matter.
        note: what `peer` is, or why this was not run.
    """

    name: str
    ours: float | None
    peer: float | None
    unit: str
    command: str
    packages: Iterable[str]
    note: str
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours / peer; None: not run."""
        return None if self.ours is None or self.peer is None else self.ours / self.peer

    @property
    def goal(self) -> str:
        """The goal as people say it; empty: there is none."""
        if self.direction is None:
            return ""
        return f"{self.direction} {self.at_least if self.at_most is None else self.at_most}"

    @property
    def direction(self) -> str | None:
        """Which side of the goal is right; None: there is no goal."""
        if self.at_most is not None:
            return "at most"
        return None if self.at_least is None else "at least"

    @property
    def met(self) -> bool | None:
        """Whether the ratio is within the goal; None: not run, or there is none."""
        if self.ratio is None or self.direction is None:
            return None
        if self.at_most is not None:
            return self.ratio <= self.at_most
        return self.at_least is not None and self.ratio >= self.at_least

    def to_json(self) -> dict[str, object]:
        """A row of results.json, described in README.md."""
        return {
            "name": self.name,
            "ratio": _rounded(self.ratio),
            "goal": self.at_most if self.at_most is not None else self.at_least,
            "direction": self.direction,
            "met": self.met,
            "ours": _rounded(self.ours),
            "peer": _rounded(self.peer),
            "unit": self.unit,
            "command": self.command,
            "versions": {
                "semtok": _commit(),
                "python": platform.python_version(),
                "machine": f"{os.cpu_count()} cores, {platform.machine()}",
                **{name: version(name) for name in self.packages},
            },
            "note": self.note,
        }


def _commit() -> str:
    """The commit that was measured; a + says that files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
