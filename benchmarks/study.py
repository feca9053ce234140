"""How long the study's trainings take here: `python -m benchmarks.study SIZE`, in a few minutes.

Makes a few scenes of the study's size, tokenizes them for every variant, trains each variant for a
few steps, and prints what all steps of all trainings come to; extraction and scores come on top.
Nothing of the project is changed.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.compute as pc
import yaml
from rich.console import Console
from rich.table import Table

from benchmarks import made_shards
from semtok import params_file, parsing, pipeline, runner, study
from semtok.data import index
from semtok.params import Params
from semtok.tables import read_table
from semtok.train import train
from semtok.train.history import HISTORY
from semtok.workspace import Workspace, stage_key

_PROJECT = Path(__file__).parents[1]
_IMAGES, _VAL_IMAGES = 128, 64
_REPORTS, _STEPS_A_REPORT = 4, 4


@dataclass(frozen=True)
class Estimate:
    """What the trainings of one variant take.

    Attributes:
        step: seconds of one.
        hours: of all its trainings, those of the learning-rate search included.
    """

    step: float
    hours: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.study", description=__doc__)
    parser.add_argument("size", help="one of the sizes in study.yaml")
    size = parser.parse_args().size
    with made_shards.folder() as root:
        found = estimate(root, size)
    table = Table("variant", "seconds a step", "hours")
    for name, each in sorted(found.items(), key=lambda pair: -pair[1].hours):
        table.add_row(name, f"{each.step:.3f}", f"{each.hours:.2f}")
    console = Console()
    console.print(table)
    total = sum(each.hours for each in found.values())
    console.print(f"{total:.1f} hours for all trainings of the variants of {size}")


def estimate(root: Path, size: str) -> dict[str, Estimate]:
    """Time a few steps of every variant.

    Args:
        root: an empty folder.
        size: one of the sizes in `study.yaml`.

    Returns:
        By variant, in the order of the settings.
    """
    params = _write_project(root, size)
    workspace = Workspace(root, params.data.name)
    wanted = [
        ("token_shards", name) for name in params.token_shards if name.endswith(("-train", "-val"))
    ]
    for name, partition in pipeline.upstream(params, *wanted):
        runner.run(stage_key(name, partition), root, scratch=False)
    steps = {name: _seconds(workspace, params, name) for name in params.variants}
    return of_steps(steps, study.settings(_PROJECT, size))


def of_steps(seconds: Mapping[str, float], params: Params) -> dict[str, Estimate]:
    """What all trainings take.

    Args:
        seconds: variant -> of one step.
        params: the study's settings.
    """
    recipe = params.train
    return {
        name: Estimate(each, each * recipe.steps * recipe.trainings / 3600)
        for name, each in seconds.items()
    }


def _write_project(root: Path, size: str) -> Params:
    """The study's settings over the project's, with few images."""
    for name in ("params.yaml", "study.yaml"):
        (root / name).write_bytes((_PROJECT / name).read_bytes())
    study.write(root, size)
    (root / "semtok").symlink_to(_PROJECT / "semtok")
    document = parsing.read(root / "params.yaml")
    scenes = document["data"]["settings"]["scenes"]
    scenes |= {"train": _IMAGES, "val": _VAL_IMAGES, "novel": _VAL_IMAGES}
    document["data"]["shards"] = 1
    for each in document["token_shards"].values():
        # A step costs what its tokens cost, whoever found them; models of extraction are not timed.
        each["reads"] = each["reads"].replace("extraction/predicted-", "extraction/annotated-")
    (root / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return params_file.load(root / "params.yaml")


def _seconds(workspace: Workspace, params: Params, name: str) -> float:
    """Of one step, in the fastest of a few reports: other work here changes that one least."""
    variant = params.variants[name]
    steps = _REPORTS * _STEPS_A_REPORT
    recipe = replace(
        params.train, steps=steps, warmup=1, log_every=_STEPS_A_REPORT, save_every=steps, search=()
    )
    folder = workspace.root / "trained" / name
    train.train(
        workspace.input("token_shards", f"{variant.tokenizer}-train"),
        workspace.input("token_shards", f"{variant.tokenizer}-val"),
        read_table(workspace.input("index") / "captions.parquet", index.CAPTIONS),
        variant,
        params.encoder,
        params.text,
        recipe,
        0,
        folder,
        folder / "resume",
        "",
        {},
    )
    history = read_table(folder / "history.parquet", HISTORY)
    speeds = history.filter(pc.equal(history["name"], "images_per_second"))["value"]
    return float(recipe.batch_size / pc.max(speeds).as_py())


if __name__ == "__main__":
    main()
