"""Pictures are sent over a channel: Dagster shows what arrived, and DVC has nothing left to do."""

import json
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance

from dagster_project.definitions import build
from semtok.bench.transmission import NAME, RATE_DISTORTION, RATES, SNRS
from semtok.tables import read_table
from tests.e2e.conftest import Project

pytestmark = pytest.mark.slow

KEY = "transmission@brief"
SENT = {"variant": "vit", "tokenizer": "grid", "steps": 40, "batch_size": 8}


def materialized(root: Path):
    """What Dagster shows of the stage, once it has had it made."""
    job = build(root).resolve_implicit_global_asset_job_def()
    with DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[AssetKey("transmission")],
            partition_key="brief",
            raise_on_error=False,
        )
    (event,) = [event for event in result.all_events if event.is_step_materialization]
    return event.step_materialization_data.materialization


def test_both_doors_send_pictures(project: Project) -> None:
    project.set_params(lambda params: params.update(transmission={"brief": SENT}))
    shown = materialized(project.root)
    folder = project.root / "artifacts/scenes/transmission/brief"
    table = read_table(folder / NAME, RATE_DISTORTION)
    assert len(table) == 4 * len(RATES) * len(SNRS)
    # These images have captions and no classes.
    assert table["accuracy"].null_count == len(table)
    assert json.loads((folder / "verdict.json").read_text())["passed"]
    for name in ("rate_distortion.png", "pictures.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
        assert name in shown.metadata

    told = json.loads((project.root / "metrics/scenes/transmission/brief.json").read_text())
    (row,) = (
        each
        for each in table.to_pylist()
        if (each["choice"], each["rate"], each["snr"]) == ("uniform", 0.25, 10)
    )
    assert told["25 % at 10 dB"]["uniform"] == {"psnr": row["psnr"], "ssim": row["ssim"]}
    assert shown.metadata["25 % at 10 dB uniform psnr"].value == row["psnr"]

    assert "Running stage" not in project.repro(KEY).stdout
    version = shown.tags["dagster/data_version"]
    assert version == materialized(project.root).tags["dagster/data_version"]
