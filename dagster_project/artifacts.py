"""What Dagster shows of an artifact: numbers, a table, pictures, the gate's verdict.

Everything is read from the files that the stage left beside it.
"""

import base64
import json
from pathlib import Path
from typing import Any

from dagster import MetadataValue

from semtok.checks.verdict import Verdict
from semtok.pipes import check_metadata

#: Inline pictures are stored in Dagster's database with every materialization.
_PICTURE_BYTES = 700_000  # about 1 MB as base64


def materialization_metadata(folder: Path) -> dict[str, MetadataValue]:
    """The metadata of a materialization, from the artifact's `report.json`.

    Args:
        folder: the published artifact; where it is not there (its hash is in `dvc.lock`, its
            bytes elsewhere) the metadata says so.
    """
    path = folder / "report.json"
    if not path.exists():
        return {"artifact": MetadataValue.text("not in this workspace; `dvc pull` brings it")}
    report = json.loads(path.read_bytes())
    metadata: dict[str, Any] = dict(report["numbers"])
    left = _PICTURE_BYTES
    for name in report["pictures"]:
        picture = (folder / name).read_bytes()
        if len(picture) <= left:
            left -= len(picture)
            encoded = base64.b64encode(picture).decode()
            metadata[name] = MetadataValue.md(f"![{name}](data:image/png;base64,{encoded})")
        else:
            metadata[name] = MetadataValue.path(folder / name)
    metadata["table"] = MetadataValue.md(report["table"])
    metadata["artifact"] = MetadataValue.path(folder)
    return metadata


def verdict_metadata(verdict: Verdict) -> dict[str, Any]:
    """The metadata of an asset check, as the stage itself reports it through Pipes."""
    metadata: dict[str, Any] = check_metadata(verdict)
    return {**metadata, "expectations": MetadataValue.md(metadata["expectations"])}
