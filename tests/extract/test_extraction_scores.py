"""What models find in spoilt pixels, judged as the published extraction is."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import pyarrow.compute as pc
import pytest

from semtok.data import files
from semtok.errors import SemtokError
from semtok.events import Progress, ignore
from semtok.extract import extraction_scores, masks, scene_graphs
from semtok.extract.average_precision import average_precision
from semtok.extract.corruptions import CLEAN, KINDS, Corruption, corrupt
from semtok.extract.detector.training import train as train_detector
from semtok.extract.extracted import extracted, in_order
from semtok.extract.extraction_scores import COUNTS, METRICS
from semtok.extract.matching import told_of
from semtok.extract.photos import read_image
from semtok.extract.relation_model.training import train as train_relation_model
from semtok.extract.relation_recall import recall
from semtok.params import DetectorSettings, ExtractorSettings, RelationModelSettings
from semtok.tables import read_table
from tests.extract.little_scenes import ANNOTATED

pytestmark = pytest.mark.slow

#: So little is learned that everything has to be stated for anything to be right.
_STATED = {"detector": {"score": 0.05}, "relation_model": {"score": 0.0, "relations": 60}}
PREDICTED = ExtractorSettings("detector", "relation_model", _STATED)


class Line(NamedTuple):
    """Trained models, and what is published of val: masks and scene graphs, two folders each."""

    models: tuple[Path, Path]
    annotated: tuple[Path, Path]
    predicted: tuple[Path, Path]


@pytest.fixture(scope="module")
def line(little_scenes, tmp_path_factory) -> Line:
    folder = tmp_path_factory.mktemp("line")
    learning = {"folds": 2, "seed": 0, "batch_size": 8}
    models = folder / "detector", folder / "relation_model"
    for model in models:
        model.mkdir()
    found = little_scenes.annotated()
    own = DetectorSettings(steps=40, learning_rate=0.01, image_size=64, width=16, **learning)
    train_detector(little_scenes.root, little_scenes.images(), found[0], own, models[0])
    pairs = RelationModelSettings(steps=12, learning_rate=5e-3, crop_size=16, width=8, **learning)
    train_relation_model(little_scenes.root, little_scenes.images(), *found, pairs, models[1])
    artifacts = {}
    for name, extractor, of in (
        ("annotated", ANNOTATED, (None, None)),
        ("predicted", PREDICTED, models),
    ):
        both = folder / name / "masks", folder / name / "scene_graphs"
        apart = [little_scenes.partition("val", each) for each in both]
        masks.build(apart[0], little_scenes.listed, extractor, of[0])
        scene_graphs.build(apart[1], little_scenes.listed, both[0], extractor, of[1])
        artifacts[name] = both
    return Line(models, **artifacts)


def judged(little_scenes, line, folder, *severities, emit=ignore):
    partition = replace(little_scenes.partition("val", folder), emit=emit)
    listed = little_scenes.listed
    return extraction_scores.build(
        partition, listed, PREDICTED, line.models, line.annotated, severities
    )


def tables(pair):
    return in_order(pair[0], masks.MASKS), in_order(pair[1], scene_graphs.SCENE_GRAPHS)


def test_clean_scores_are_those_of_the_published_extraction(little_scenes, line, tmp_path):
    (clean,) = judged(little_scenes, line, tmp_path).to_pylist()
    found, wanted = tables(line.predicted), tables(line.annotated)
    told = told_of(found[1], found[0], wanted[0])
    images = little_scenes.images("val").num_rows
    scores = average_precision(found[0], wanted[0]) | recall(told, wanted[1])
    assert clean == {
        **CLEAN._asdict(),
        **dict(zip(COUNTS, (images, found[0].num_rows, found[1].num_rows), strict=True)),
        **{name: scores[name] for name in METRICS},
    }
    assert clean["AP50"] > 0.02


def test_relations_among_masks_that_are_given_are_judged_as_their_model_is(
    little_scenes, line, tmp_path
):
    given = replace(PREDICTED, masks="panoptic")
    partition, listed = little_scenes.partition("val", tmp_path), little_scenes.listed
    models = (None, line.models[1])
    (clean,) = extraction_scores.build(
        partition, listed, given, models, line.annotated, []
    ).to_pylist()
    assert clean["AP"] == clean["AP75"] == 1
    _, found = extracted(partition, listed, given, line.models[1])
    assert (
        clean.items()
        > {
            name: value
            for name, value in recall(found, tables(line.annotated)[1]).items()
            if name in METRICS
        }.items()
    )
    assert 0 < clean["R@20"] < clean["R@100"]


def test_each_kind_and_severity_has_its_row(little_scenes, line, tmp_path):
    events = []
    table = judged(little_scenes, line, tmp_path, 5, 0, 2, emit=events.append)
    keys = [(row["kind"], row["severity"]) for row in table.to_pylist()]
    assert keys == [("clean", 0), *((kind, each) for kind in KINDS for each in (2, 5))]
    path = tmp_path / extraction_scores.NAME
    assert read_table(path, extraction_scores.EXTRACTION_SCORES) == table
    told = extraction_scores.metrics(table)
    assert set(told) == {"clean-0", *(f"{kind}-{each}" for kind in KINDS for each in (2, 5))}
    assert told["noise-5"]["AP50"] < told["clean-0"]["AP50"]
    done = [(each.done, each.total) for each in events if isinstance(each, Progress)]
    assert done == [(number, 11) for number in range(12)]
    before = path.read_bytes()
    judged(little_scenes, line, tmp_path, 2, 5)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["noise", "occlusion"])
def test_networks_are_shown_the_corrupted_pixels(little_scenes, line, tmp_path, kind):
    """The same as asking them about files whose pixels are the corrupted ones."""
    corruption = Corruption(kind, 3)
    partition = little_scenes.partition("val", tmp_path / "work")
    found = extracted(
        partition, little_scenes.listed, PREDICTED, line.models[1], line.models[0], corruption
    )
    root = tmp_path / "root"
    shutil.copytree(little_scenes.root, root)
    for row in partition.images.to_pylist():
        spoilt = corrupt(read_image(root / row["path"]), row["image_id"], corruption)
        # OpenCV looks at the bytes and not at the name: these are kept exactly.
        _, png = cv2.imencode(".png", cv2.cvtColor(spoilt, cv2.COLOR_RGB2BGR))
        (root / row["path"]).write_bytes(png.tobytes())
    other = replace(little_scenes.partition("val", tmp_path / "other"), root=root)
    listed = files.list_files(root)
    clean = extracted(other, listed, PREDICTED, line.models[1], line.models[0])
    assert found == clean
    assert found[0] != tables(line.predicted)[0]


def test_what_is_set_aside_is_not_found_and_stops_nothing(little_scenes, line, tmp_path):
    root = tmp_path / "root"
    shutil.copytree(little_scenes.root, root)
    strict = replace(little_scenes.partition("val", tmp_path / "work"), root=root)
    strict = replace(strict, data=replace(strict.data, rejected_share=0.0))
    (root / strict.images["path"][0].as_py()).write_bytes(b"torn")
    with pytest.raises(SemtokError, match="were set aside"):
        extracted(strict, little_scenes.listed, PREDICTED, line.models[1], line.models[0])
    (clean,) = extraction_scores.build(
        strict, little_scenes.listed, PREDICTED, line.models, line.annotated, []
    ).to_pylist()
    found = tables(line.predicted)[0]
    left = found.filter(pc.not_equal(found["image_id"], strict.images["image_id"][0]))
    assert clean["masks"] == left.num_rows < found.num_rows


def test_annotations_know_of_no_corruption(little_scenes, line, tmp_path):
    partition = little_scenes.partition("val", tmp_path)
    spoilt = extracted(partition, little_scenes.listed, ANNOTATED, corruption=Corruption("blur", 5))
    assert spoilt == tables(line.annotated)
