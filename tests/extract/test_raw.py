"""An image by itself gives what the stages find in it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from semtok.data.index import split_images
from semtok.errors import SemtokError
from semtok.extract import raw
from semtok.extract.detector.network import Network
from semtok.extract.masks import MASKS
from semtok.extract.raw import RawExtractor
from semtok.extract.scene_graphs import SCENE_GRAPHS
from semtok.params import ExtractorSettings

SUPERPIXELS = ExtractorSettings("superpixels", "geometry", {"superpixels": {"regions": 5}})
DETECTOR = ExtractorSettings("detector", "geometry", {"detector": {"score": 0.0}})


@pytest.fixture(scope="module")
def detector(tmp_path_factory) -> Path:
    """An untrained one, of the same weights for both folds: who looks does not matter."""
    folder = tmp_path_factory.mktemp("detector")
    config = {"format": 1, "folds": 2, "width": 8, "image_size": 64}
    (folder / "config.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    weights = {name: each.contiguous() for name, each in Network(8).state_dict().items()}
    weights["middles.bias"].fill_(1)  # or it finds nothing
    for fold in range(2):
        save_file(weights, folder / f"fold-{fold}.safetensors")
    (folder / "history.parquet").write_bytes(b"of no use elsewhere")
    return folder


def found(extractor: RawExtractor, path: Path, row: dict) -> tuple[list[dict], list[dict]]:
    """Masks and relations without the image's id, which its bytes give it."""
    seen = extractor.extract(path.read_bytes(), row["height"], row["width"])
    tables = seen.masks, seen.scene_graphs
    assert [each.schema for each in tables] == [MASKS.columns, SCENE_GRAPHS.columns]
    ids = {each for table in tables for each in table["image_id"].to_pylist()}
    assert ids <= {seen.image_id}
    return tuple(table.drop_columns(["image_id"]).to_pylist() for table in tables)


def test_it_is_what_the_stages_find(tiny):
    tiny.extractor = SUPERPIXELS
    tiny.masks()
    tiny.scene_graphs()
    extractor = RawExtractor(SUPERPIXELS, {})
    _, index = tiny.index()
    for row in split_images(index, "train").to_pylist():
        wanted = tuple(
            [
                {name: value for name, value in each.items() if name != "image_id"}
                for each in tiny.rows(stage)
                if each["image_id"] == row["image_id"]
            ]
            for stage in ("masks", "scene_graphs")
        )
        assert found(extractor, tiny.root / row["path"], row) == wanted
        assert len(wanted[0]) == 5


def test_trained_networks_travel(tiny, detector, tmp_path):
    assert raw.travels(DETECTOR)
    raw.pack(DETECTOR, {"masks": detector, "scene_graphs": None}, tmp_path)
    files = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()
    }
    own = {each for each in files if not each.startswith("tiny_coco")}
    assert own == {
        raw.NAME,
        *(f"masks/{name}" for name in ("config.json", "fold-0.safetensors", "fold-1.safetensors")),
    }
    here, there = RawExtractor(DETECTOR, {"masks": detector}), RawExtractor.unpack(tmp_path)
    _, index = tiny.index()
    for row in split_images(index, "train").to_pylist():
        path = tiny.root / row["path"]
        assert found(there, path, row) == found(here, path, row)
    assert found(here, path, row)[0]


def test_trained_networks_are_asked_by_several_threads(tiny, detector):
    extractor = RawExtractor(DETECTOR, {"masks": detector})
    _, index = tiny.index()
    asked = [(tiny.root / row["path"], row) for row in split_images(index, "train").to_pylist()]
    alone = [found(extractor, *each) for each in asked]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda each: found(extractor, *each), asked * 5))
    assert together == alone * 5


@pytest.mark.parametrize(
    ("masks", "scene_graphs", "pixels", "travels"),
    [
        ("superpixels", "geometry", True, True),
        ("detector", "relation_model", True, True),
        ("instances", "geometry", False, False),
        ("panoptic", "psg", False, False),
        ("superpixels", "psg", False, False),
        ("superpixels", "visual_genome", False, False),
    ],
)
def test_annotations_are_nothing_that_an_image_brings(masks, scene_graphs, pixels, travels):
    extractor = ExtractorSettings(masks, scene_graphs)
    assert (raw.reads_pixels(extractor), raw.travels(extractor)) == (pixels, travels)


def test_models_from_elsewhere_stay_there():
    extractor = ExtractorSettings("sam2", "geometry", {"sam2": {"model": "models/sam2"}})
    assert raw.reads_pixels(extractor) and not raw.travels(extractor)


def test_a_missing_network_is_told_in_one_line(detector, tmp_path):
    raw.pack(DETECTOR, {"masks": detector}, tmp_path)
    (tmp_path / "masks/fold-1.safetensors").unlink()
    with pytest.raises(SemtokError, match=r"fold-1.safetensors: unreadable") as refused:
        RawExtractor.unpack(tmp_path)
    assert "\n" not in str(refused.value)
