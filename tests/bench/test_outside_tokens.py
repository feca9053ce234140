"""Tokens of models that were trained elsewhere, against what transformers itself computes."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModel

from semtok.bench import outside, outside_scoring, unasked
from semtok.bench.image_tokens import reader
from semtok.bench.lost import gram_bias, hits, lost
from semtok.bench.outside import OutsideModel, Source
from semtok.bench.outside_folders import of_folder
from semtok.bench.overlap import overlap
from semtok.bench.segmentation import cut
from semtok.data import voc
from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH, Annotations
from semtok.version_reader import VersionReader
from tests.bench import tiny_clip
from tests.bench.test_saliency import maps_of, png, truth_of, values, xml
from tests.bench.tiny_clip import PATCH, SIDE, WIDTH

LOOKING = ["saliency", "corloc"]
ROWS = SIDE // PATCH
TAU = 0.05


@pytest.fixture(scope="module", params=["clip", "siglip"])
def folder(request, tmp_path_factory):
    return getattr(tiny_clip, request.param)(tmp_path_factory.mktemp(request.param))


@pytest.fixture
def files(image_files, tmp_path):
    return image_files(tmp_path / "root", tiny_clip.pictures(tmp_path / "root"))


@pytest.fixture
def known(files, tmp_path):
    """The index of these files, whose pictures are told to be of 8 x 8 pixels, with masks."""
    for each in files.image_ids.tolist()[1:]:
        for name, content in (
            (f"saliency/ground_truth_mask/{each:012d}.png", png(truth_of(each))),
            (f"corloc/Annotations/{each:012d}.xml", xml(truth_of(each)).encode()),
        ):
            path = tmp_path / "index/benchmarks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    rows = [(each, each, f"a cat and {each} mats") for each in files.image_ids.tolist()]
    captions = pa.table([*map(list, zip(*rows, strict=True))], CAPTIONS.columns)
    empty = (schema.columns.empty_table() for schema in (TRUTH, SIBLINGS))
    return replace(Annotations(captions, *empty), folder=tmp_path / "index")


def stretched(folder, path):
    """A whole picture at the model's size, by Pillow, as its processor scales numbers."""
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    with Image.open(path) as image:
        small = image.convert("RGB").resize((SIDE, SIDE), processor.resample)
    values = np.asarray(small, np.float64) / 255
    scaled = (values - processor.image_mean) / processor.image_std
    return torch.from_numpy(scaled).permute(2, 0, 1)[None].float()


def by_hand(folder, path, features):
    """What the last layer's projection makes of what it is given, patch by patch."""
    vision = AutoModel.from_pretrained(folder).eval().vision_model
    with torch.no_grad():
        seen = vision(pixel_values=stretched(folder, path), output_hidden_states=True)
        last = vision.encoder.layers[-1]
        read = last.layer_norm1(seen.hidden_states[-2])
        projection = getattr(last.self_attn, f"{features[0]}_proj")
        return projection(read)[0, -(ROWS**2) :]


@pytest.mark.parametrize("features", ["keys", "queries", "values"])
def test_tokens_are_those_of_the_model_itself(folder, files, features, monkeypatch):
    monkeypatch.setattr(outside, "IMAGES", 2)
    told = []
    places = np.array([4, 0, 2])
    found = [*OutsideModel(of_folder(folder)).token_maps(files, places, features, told.append)]
    assert [(each.done, each.total) for each in told] == [(0, 3), (2, 3), (3, 3)]
    for each, place in zip(found, places, strict=True):
        path = files.paths[place]
        wanted = by_hand(folder, files.folder / path, features)
        assert wanted.shape == (ROWS**2, WIDTH)
        torch.testing.assert_close(each.features, wanted, atol=1e-5, rtol=0)
        assert each.owners.tolist() == np.arange(ROWS**2).reshape(ROWS, ROWS).tolist()
    assert not torch.allclose(found[0].features, found[1].features, atol=1e-2)


def test_saliency_and_corloc_are_those_of_its_tokens(folder, files, known, tmp_path):
    settings = {"saliency": {"tau": TAU}}
    out = tmp_path / "out"
    images = {"test": files}
    table = outside_scoring.score(
        of_folder(folder), images, known, LOOKING, out, None, settings=settings
    )
    maps = maps_of(OutsideModel(of_folder(folder)), files, "keys")
    asked = files.image_ids.tolist()[1:]
    found = values(table)
    bias = gram_bias([maps[each].features for each in asked], "centre")
    for place, each in enumerate(asked):
        mask, _ = cut(maps[each], TAU, (8, 8))
        for task, value in overlap(mask, truth_of(each))._asdict().items():
            assert found[task][place] == pytest.approx(100 * value)
        box = lost(maps[each].features, maps[each].owners, bias)
        wide = 8 / ROWS
        path = tmp_path / f"index/benchmarks/corloc/Annotations/{each:012d}.xml"
        right = hits(tuple(wide * end for end in box), voc.parse(path)[2])
        assert found["lost"][place] == 100.0 * right
    assert unasked.read(out) == {}
    assert [*outside_scoring.refusals(out, [*LOOKING, "budget"])] == ["budget"]


def test_a_version_reads_files_as_its_training_reads_them(trained, files):
    checkpoint = trained.checkpoint / "seed-0"
    version = VersionReader("models:/x/1", checkpoint, None)
    source = Source("models:/x/1", {}, lambda: version)
    found = maps_of(OutsideModel(source), files, "values").values()
    read = reader(checkpoint, "values")
    for each, path in zip(found, files.paths, strict=True):
        wanted = read(files.folder / path)
        torch.testing.assert_close(each.features, wanted.features)
        assert (each.owners == wanted.owners).all()
    assert version.contestant().scheme == "grid"
    assert not version.contestant().shards
