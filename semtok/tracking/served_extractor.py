"""The extractor that a served model takes along, so that it needs no masks with an image."""

from pathlib import Path

from semtok.extract import raw
from semtok.params import ExtractorSettings
from semtok.parsing import parse
from semtok.tracking.lineage import Lineage
from semtok.workspace import Workspace


def pack(workspace: Workspace, lineage: Lineage, folder: Path) -> bool:
    """Write the extractor that a training's tokens rest on.

    Args:
        workspace: that holds the networks which its backends run.
        lineage: of the training.
        folder: an empty one.

    Returns:
        Whether there is one that takes images alone, and all it needs can be taken along.
    """
    found: dict[str, ExtractorSettings] = {}
    models: dict[str, Path | None] = {}
    for key, artifact in lineage.artifacts.items():
        stage = key.partition("@")[0]
        if stage in ("masks", "scene_graphs"):
            for name, block in artifact.params.items():
                if name.startswith("extractors."):
                    found[name] = parse(ExtractorSettings, block, f"{key}: params: {name}")
            for read in artifact.inputs:
                kind, _, name = read.partition("@")
                if kind in ("detector", "relation_model"):
                    models[stage] = workspace.input(kind, name)
    if len(found) != 1:
        return False
    (extractor,) = found.values()
    if not raw.travels(extractor):
        return False
    raw.pack(extractor, models, folder)
    return True
