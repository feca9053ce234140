"""The stage `outside_scores` on a few image files."""

import json

import pyarrow as pa
import pytest

from semtok.bench import costs, outside, retrieval, unasked
from semtok.bench.benchmark import split_data
from semtok.bench.cases import CASES
from semtok.bench.outside import OutsideModel
from semtok.bench.outside_folders import of_folder
from semtok.bench.outside_scoring import refusals, score
from semtok.bench.outside_transformers import TransformersModel
from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH, Annotations
from semtok.errors import SemtokError
from semtok.events import Message, Progress
from semtok.tables import read_table
from semtok.workspace import digest
from tests.bench import tiny_clip


@pytest.fixture
def asked(image_files, tmp_path):
    """A model, its images, and two captions of each."""
    root = tmp_path / "root"
    files = image_files(root, tiny_clip.pictures(root, 12))
    rows = [(n, 1 + n // 2, f"a cat and {n} mats") for n in range(24)]
    captions = pa.table([*map(list, zip(*rows, strict=True))], CAPTIONS.columns)
    empty = (schema.columns.empty_table() for schema in (TRUTH, SIBLINGS))
    return (
        of_folder(tiny_clip.clip(tmp_path / "mine")),
        {"test": files},
        Annotations(captions, *empty),
    )


def test_it_is_put_to_the_same_cases_as_variants(asked, tmp_path):
    source, images, annotations = asked
    told = []
    benchmarks = ["retrieval", "retrieval_permuted", "siblings", "retrieval_corrupted"]
    found = score(source, images, annotations, benchmarks, tmp_path / "out", emit=told.append)
    data = split_data("test", images["test"], annotations)
    wanted = retrieval.score(OutsideModel(source), data)
    assert found.select(wanted.column_names).to_pylist() == wanted.to_pylist()
    assert set(found["benchmark"].to_pylist()) == {"retrieval"}
    assert set(found["seed"].to_pylist()) == {0}
    assert read_table(tmp_path / "out/cases.parquet", CASES).equals(found)
    said = [each.text for each in told if isinstance(each, Message)]
    assert said[:2] == [
        f"{name}: not asked of {source.name}: it reads or alters token shards, and this model "
        "reads image files"
        for name in ("retrieval_permuted", "retrieval_corrupted")
    ]
    assert "CLIPModel; its vectors are brought to unit length" in said[2]
    said = unasked.read(tmp_path / "out")
    assert [*said] == ["retrieval_corrupted", "retrieval_permuted"]
    assert refusals(tmp_path / "out", benchmarks) == said
    assert costs.read_outside(tmp_path / "out").tokens_per_image == 16
    assert (
        json.loads((tmp_path / "out/model.json").read_text())["digest"] == source.origin["digest"]
    )


def test_the_same_model_gives_the_same_bytes(asked, tmp_path):
    for name in ("one", "other"):
        score(*asked, ["retrieval"], tmp_path / name)
    assert digest(tmp_path / "one") == digest(tmp_path / "other")


def test_a_run_that_was_killed_goes_on_from_there(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(outside, "IMAGES", 5)
    monkeypatch.setattr(outside, "CAPTIONS", 4)
    encoded = []

    def counted(name):
        encode = getattr(TransformersModel, name)

        def call(self, batch):
            encoded.append((name, len(batch)))
            return encode(self, batch)

        monkeypatch.setattr(TransformersModel, name, call)

    def kill(event):
        if event == Progress("embedding captions", 8, 24):
            raise KeyboardInterrupt

    counted("embed_pixels")
    counted("embed_captions")
    score(*asked, ["retrieval"], tmp_path / "whole")
    kept, whole = tmp_path / "kept", list(encoded)
    with pytest.raises(KeyboardInterrupt):
        score(*asked, ["retrieval"], tmp_path / "killed", kept, kill)
    encoded.clear()
    (kept / "cut.1").write_bytes(b"what a kill leaves of a file that is being written")
    score(*asked, ["retrieval"], tmp_path / "again", kept)
    assert encoded == whole[-4:] == [("embed_captions", 4)] * 4
    assert digest(tmp_path / "again") == digest(tmp_path / "whole")
    encoded.clear()
    empty, cut = sorted(kept.glob("*.safetensors"))[:2]
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:-1])
    score(*asked, ["retrieval"], tmp_path / "mended", kept)
    assert len(encoded) == 2, "what is damaged is computed again, and nothing else"
    assert digest(tmp_path / "mended") == digest(tmp_path / "whole")


def test_benchmarks_of_tokens_alone_leave_nothing_to_ask(asked, tmp_path):
    with pytest.raises(SemtokError, match="can be asked none of them; add one that fits"):
        score(*asked, ["retrieval_permuted"], tmp_path)
    with pytest.raises(SemtokError, match="is no benchmark"):
        score(*asked, ["nope"], tmp_path)
