"""A few scenes, made and tokenized by the pipeline's own stages in a folder of their own."""

from pathlib import Path
from typing import Any

import yaml

from semtok import params_file, parsing, pipeline, runner
from semtok.params import Params
from semtok.study import laid_over
from semtok.workspace import Workspace, stage_key

_PROJECT = Path(__file__).parents[1]


def build(
    root: Path, images: int, val_images: int, changes: dict[str, Any]
) -> tuple[Workspace, Params]:
    """Run the stages up to the token shards of train and val.

    Args:
        root: an empty folder.
        images: of train.
        val_images: of val2017, which becomes val and test.
        changes: laid over the project's `params.yaml`.

    Returns:
        Where they lie, and the settings.
    """
    document = parsing.read(_PROJECT / "params.yaml")
    few = {"shards": 1, "settings": {"scenes": {"train": images, "val": val_images}}}
    document = laid_over(laid_over(document, {"data": few}), changes)
    (root / "params.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    (root / "semtok").symlink_to(_PROJECT / "semtok")
    params = params_file.load(root / "params.yaml")
    wanted = [
        ("token_shards", name) for name in params.token_shards if name.endswith(("-train", "-val"))
    ]
    for name, partition in pipeline.upstream(params, *wanted):
        runner.run(stage_key(name, partition), root, scratch=False)
    return Workspace(root, params.data.name), params
