"""What Dagster shows of an artifact: numbers, a table, pictures, the gate's verdict.

Everything is read from the files that the stage left beside it.
"""

import base64
import json
import struct
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, MetadataValue
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from semtok.checks.verdict import Verdict
from semtok.pipes import check_metadata
from semtok.workspace import digest

_WIDTH = 600  # pixels: the value column of an asset's page in a window of common width


def materialization_metadata(instance: DagsterInstance, folder: Path) -> dict[str, Any]:
    """The metadata of a materialization, from the artifact's `report.json`.

    Args:
        folder: the published artifact; where it is not there (its hash is in `dvc.lock`, its
            bytes elsewhere) the metadata says so.
    """
    path = folder / "report.json"
    if not path.exists():
        return {"artifact": "not in this workspace; `dvc pull` brings it"}
    report = json.loads(path.read_bytes())
    metadata: dict[str, Any] = {**report["numbers"], **pictures(instance, folder)}
    if report["table"]:
        metadata["table"] = MetadataValue.md(report["table"])
    metadata["artifact"] = MetadataValue.path(folder)
    return metadata


def pictures(instance: DagsterInstance, folder: Path) -> dict[str, MetadataValue[Any]]:
    """The pictures of an artifact, which show in place."""
    names = json.loads((folder / "report.json").read_bytes())["pictures"]
    return {name: _picture(instance, folder / name) for name in names}


def verdict_metadata(verdict: Verdict) -> dict[str, Any]:
    """The metadata of an asset check, as the stage itself reports it through Pipes."""
    metadata: dict[str, Any] = check_metadata(verdict)
    return {**metadata, "expectations": MetadataValue.md(metadata["expectations"])}


def _picture(instance: DagsterInstance, path: Path) -> MetadataValue[Any]:
    """A picture that shows in place.

    Dagster's UI shows Markdown in place only where it is shorter than 1,000 characters: no room for
    a picture's bytes, which would fill the event log besides. So a copy lies among the logs, which
    the web server hands out, under its hash: what is shown stays what was made.
    """
    logs = instance.compute_log_manager
    if not isinstance(logs, LocalComputeLogManager):
        return MetadataValue.path(path)
    key = ["pictures", digest(path)]
    copy = Path(logs.get_captured_local_path(key, "svg"))
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = copy.with_suffix(".partial")
        partial.write_text(_scaled(path.read_bytes()))
        partial.replace(copy)
    return MetadataValue.md(f"![{path.stem}](/logs/{'/'.join(key)}/svg)")


def _scaled(png: bytes) -> str:
    """The picture inside an SVG of a width that the page has room for."""
    width, height = struct.unpack(">II", png[16:24])
    data = base64.b64encode(png).decode()
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{min(width, _WIDTH)}" '
        f'viewBox="0 0 {width} {height}">'
        f'<image width="{width}" height="{height}" href="data:image/png;base64,{data}"/></svg>'
    )
