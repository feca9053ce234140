"""Which weights scores of a model that was trained elsewhere are of: `model.json` beside them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from semtok.errors import SemtokError
from semtok.json_files import read_json, write_json
from semtok.parsing import parse

NAME = "model.json"


@dataclass(frozen=True)
class Weights:
    """A model that was trained elsewhere, down to its bytes: as one of three origins has it.

    Attributes:
        model: its class.
        digest: of the files of a folder (`workspace.digest`).
        hub, revision: its id on the Hugging Face hub, and the commit there.
        registered: a version in MLflow, `models:/NAME/NUMBER`.
        checkpoint, extractor: digests of that version's parts; it may have no extractor.
    """

    model: str
    digest: str = ""
    hub: str = ""
    revision: str = ""
    registered: str = ""
    checkpoint: str = ""
    extractor: str = ""

    def __str__(self) -> str:
        """In words, for tables."""
        return f"{self.model}, {', '.join(self._origin())}"

    def _origin(self) -> Iterator[str]:
        if self.digest:
            yield f"a folder of digest {self.digest}"
        if self.hub:
            yield f"{self.hub} at commit {self.revision}"
        if self.registered:
            yield f"{self.registered} with checkpoint {self.checkpoint}"
        if self.extractor:
            yield f"extractor {self.extractor}"

    def as_dict(self) -> dict[str, str]:
        """What is known, for JSON."""
        return {name: value for name, value in vars(self).items() if value}


def write(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write which model was scored into a folder of its scores.

    Args:
        folder: to write into.
        facts: those of `Weights`, and what else its reader tells.
    """
    write_json(folder / NAME, facts)


def read(folder: Path) -> Weights:
    """Read what `write` wrote.

    Raises:
        SemtokError: it is missing or damaged, or does not say where the weights are from.
    """
    path = folder / NAME
    facts = read_json(path)
    known = {each.name: facts[each.name] for each in fields(Weights) if each.name in facts}
    found = parse(Weights, known, str(path))
    if not (found.digest or found.hub or found.registered):
        raise SemtokError(f"{path}: names no weights; run its stage again")
    return found
