"""A gate's verdict: written beside the artifact, read before anything builds on it."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

from semtok.errors import SemtokError
from semtok.workspace import VERDICT, digest


@dataclass(frozen=True)
class CheckResult:
    """What one expectation found.

    Attributes:
        name: of the expectation, unique in its stage; named after the fault or the quantity.
        passed: whether it was met.
        description: what it wants, in words.
        observed: the count or quantity; None where it is not a number.
        expected: the limit, e.g. `at most 0`; empty where it is not known.
        example: one row at fault; None where it passed.
    """

    name: str
    passed: bool
    description: str
    observed: float | None
    expected: str
    example: str | None


@dataclass(frozen=True)
class Verdict:
    """What the gate of a stage found.

    Attributes:
        stage: the key, e.g. `masks@annotated-train`.
        passed: whether every expectation was met.
        digest: identifies the artifact that was judged (`semtok.workspace.digest`).
        checks: all results, in the order of the suite.
    """

    stage: str
    passed: bool
    digest: str
    checks: tuple[CheckResult, ...]

    def without_limits(self) -> "Verdict":
        """As kept beside an artifact: what was seen, whatever was asked for.

        So a limit that was moved makes no other artifact, and nothing downstream runs again.
        """
        checks = (dataclasses.replace(check, expected="") for check in self.checks)
        return dataclasses.replace(self, checks=tuple(checks))

    @property
    def reason(self) -> str:
        """What failed, in one line; empty where nothing did."""
        return "; ".join(_reason(check) for check in self.checks if not check.passed)


def write_verdict(folder: Path, verdict: Verdict) -> None:
    """Put the verdict beside the artifact's files."""
    text = json.dumps(dataclasses.asdict(verdict), indent=1, allow_nan=False)
    (folder / VERDICT).write_text(text + "\n", encoding="utf-8")


def read_verdict(folder: Path) -> Verdict:
    """Read the verdict of an artifact.

    Raises:
        SemtokError: there is none, or it cannot be read.
    """
    path = folder / VERDICT
    try:
        content = json.loads(path.read_bytes())
        checks = tuple(CheckResult(**check) for check in content.pop("checks"))
        return Verdict(**content, checks=checks)
    except FileNotFoundError:
        raise SemtokError(f"{folder}: was not judged; run the stage that makes it") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SemtokError(f"{path}: no verdict; run the stage that makes it again") from None


def require(folder: Path) -> Verdict:
    """Let nobody build on an artifact that its gate did not let through as it is now.

    Raises:
        SemtokError: the verdict is missing or red, or the artifact was changed after it.
    """
    verdict = read_verdict(folder)
    if not verdict.passed:
        raise SemtokError(f"{folder}: its gate is red: {verdict.reason}; repair {verdict.stage}")
    if digest(folder) != verdict.digest:
        raise SemtokError(f"{folder}: changed after its gate; run {verdict.stage} again")
    return verdict


def is_as_judged(folder: Path) -> bool:
    """Whether an artifact is there as its gate let it through: nothing else gets a new verdict."""
    try:
        require(folder)
    except SemtokError:
        return False
    return True


def _reason(check: CheckResult) -> str:
    observed = "no number" if check.observed is None else f"{check.observed:g}"
    example = f", e.g. {check.example}" if check.example else ""
    return f"{check.name}: {observed}, expected {check.expected}{example}"
