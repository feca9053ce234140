"""What a person wants to see of an artifact first: numbers, a few rows, pictures."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

NAME = "report.json"

_ROWS = 5
_SHOWN = 4
_CELL = 48


@dataclass(frozen=True)
class Summary:
    """Shown by Dagster and MLflow, and kept beside the artifact.

    Attributes:
        numbers: counts and quantities by name.
        table: a preview in Markdown; empty where there is none.
        pictures: file names of PNGs in the artifact's folder.
    """

    numbers: Mapping[str, float]
    table: str = ""
    pictures: tuple[str, ...] = ()

    def line(self) -> str:
        """The first numbers in one line."""
        shown = list(self.numbers.items())[:_SHOWN]
        return ", ".join(f"{name} {value:,g}" for name, value in shown)


def write(folder: Path, key: str, summary: Summary) -> None:
    """Write `report.json` into an artifact's folder."""
    text = json.dumps({"stage": key, **asdict(summary)}, indent=1, sort_keys=True)
    (folder / NAME).write_text(text + "\n", encoding="utf-8")


def preview(table: pa.Table) -> str:
    """The first rows of a table in Markdown; lists are left out and long values cut."""
    names = [field.name for field in table.schema if not pa.types.is_list(field.type)]
    rows = [[_cell(row[name]) for name in names] for row in table.slice(0, _ROWS).to_pylist()]
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers of nested mappings, by their names one after another."""
    found: dict[str, float] = {}
    for name, value in values.items():
        key = f"{prefix} {name}".strip()
        found |= flat(value, key) if isinstance(value, Mapping) else {key: value}
    return found


def _cell(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    text = text.replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
