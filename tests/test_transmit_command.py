"""`semtok transmit` measures a trained variant of patches."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from semtok import params as settings
from semtok import pipeline
from semtok.bench.transmission import RATE_DISTORTION, RATES, SNRS
from semtok.cli import app
from semtok.tables import read_table
from tests import small_line

pytestmark = pytest.mark.slow


def test_it_writes_a_table_and_pictures(tmp_path, monkeypatch) -> None:
    root = tmp_path / "line"
    document = small_line.shrunk(small_line.own())
    document["variants"] = {"vit": {"tokenizer": "grid", "patch_size": 8}}
    document["train"] |= {"seeds": [0]}
    small_line.start(root, document)
    params = settings.load(root / "params.yaml")
    for key in pipeline.upstream(params, ("checkpoint", "vit"), ("token_shards", "grid-test")):
        small_line.run(root, *key)
    monkeypatch.chdir(root)
    Path("taken").touch()
    with monkeypatch.context() as early:
        early.setattr("semtok.transmit.train_link", None)  # the work has not begun
        taken = CliRunner().invoke(app, ["transmit", "--out", "taken", "vit"])
    assert isinstance(taken.exception, FileExistsError)
    command = ["transmit", "--steps", "2", "--out", "sent"]
    done = CliRunner().invoke(app, [*command, "vit"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    table = read_table(Path("sent/rate_distortion.parquet"), RATE_DISTORTION)
    assert len(table) == 4 * len(RATES) * len(SNRS)
    # These images have captions and no classes.
    assert table["accuracy"].null_count == len(table)
    for name in ("rate_distortion.png", "pictures.png"):
        assert Path("sent", name).read_bytes().startswith(b"\x89PNG")
