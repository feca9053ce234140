"""`semtok clusters` draws a trained variant, and refuses one that has none."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from semtok import params as settings
from semtok import pipeline
from semtok.cli import app
from semtok.errors import SemtokError
from tests import small_line

pytestmark = pytest.mark.slow


def test_it_draws_clusters_and_names_the_variants_that_have_some(tmp_path, monkeypatch) -> None:
    root = tmp_path / "line"
    document = small_line.own()
    document["variants"] = {
        "vit": {"tokenizer": "grid", "patch_size": 8},
        "clustered": {"tokenizer": "grid", "patch_size": 8, "clusters": 2},
    }
    document = small_line.shrunk(document)
    document["encoder"] |= {"depth": 2}
    small_line.start(root, document)
    for key in pipeline.upstream(settings.load(root / "params.yaml"), ("checkpoint", "clustered")):
        small_line.run(root, *key)
    monkeypatch.chdir(root)
    picture = Path("pictures/clusters.png")
    done = CliRunner().invoke(app, ["clusters", "clustered", str(picture)])
    assert done.exit_code == 0, done.output
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SemtokError, match="vit: has no clusters; those that have: clustered"):
        CliRunner().invoke(app, ["clusters", "vit", str(picture)], catch_exceptions=False)
    with pytest.raises(SemtokError, match=r"clusters: pictures are PNGs; give it a name that ends"):
        arguments = ["clusters", "clustered", str(picture.with_suffix(""))]
        CliRunner().invoke(app, arguments, catch_exceptions=False)
