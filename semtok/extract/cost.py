"""What extraction by models costs, handed down the line beside what was extracted."""

from collections.abc import Sequence
from pathlib import Path

from semtok.extract.learning import read_json, write_json

NAME = "extraction_cost.json"

#: As a model's own stage writes it. The seconds stay there: the clock would change every artifact
#: that is made with a model which was trained again to the same weights.
_OF_A_MODEL = "cost.json"


def hand_down(sources: Sequence[Path | None], staging: Path) -> None:
    """Write what the sources cost together; nothing where none of them cost anything.

    Args:
        sources: artifacts of models, or what was made with them; None: no model.
        staging: the folder to write to.
    """
    found = [each for each in map(_read, sources) if each]
    if found:
        total = {
            name: sum(each[name] for each in found) for name in ("parameters", "flops_per_image")
        }
        write_json(staging / NAME, {**total, "images": max(each["images"] for each in found)})


def _read(source: Path | None) -> dict[str, float]:
    if source and (source / _OF_A_MODEL).exists():
        cost = read_json(source / _OF_A_MODEL)
        return {**cost, "images": cost["labels"]["images"]}
    return read_json(source / NAME) if source and (source / NAME).exists() else {}
