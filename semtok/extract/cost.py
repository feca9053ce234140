"""What extraction by models costs, handed down the line beside what was extracted."""

from collections.abc import Mapping
from pathlib import Path

from semtok.json_files import read_json, write_json

NAME = "extraction_cost.json"

#: As a model's own stage writes it. The seconds stay there: the clock would change every artifact
#: that is made with a model which was trained again to the same weights.
_OF_A_MODEL = "cost.json"


def hand_down(
    sources: Mapping[str, Path | None],
    staging: Path,
    own: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Write what each stage of extraction costs; nothing where none of them cost anything.

    Args:
        sources: `masks`, `scene_graphs` or both -> the artifact of the model that the stage runs
            (None: it runs no model), or what the stage has made.
        staging: the folder to write to.
        own: what a stage's own frozen models take, by what they make.
    """
    found: dict[str, Mapping[str, float]] = {
        stage: cost for stage, each in sources.items() if (cost := _read(stage, each))
    }
    found |= own or {}
    if found:
        write_json(staging / NAME, found)


def _read(stage: str, source: Path | None) -> dict[str, float] | None:
    if source and (source / _OF_A_MODEL).exists():
        cost = read_json(source / _OF_A_MODEL)
        names = ("parameters", "flops_per_image")
        return {**{name: cost[name] for name in names}, "images": cost["labels"]["images"]}
    if source and (source / NAME).exists():
        handed: dict[str, float] = read_json(source / NAME)[stage]
        return handed
    return None
