"""The stage `scene_graphs` on Visual Genome's relations, with its gate."""

from pathlib import Path

import pytest

from semtok.json_files import read_json
from tests import small_line
from tests.conftest import write_tiny_coco
from tests.visual_genome_files import image, relationship, write


@pytest.mark.slow
def test_the_gate_is_green_and_the_report_counts_what_was_left_out(tmp_path: Path) -> None:
    write_tiny_coco(tmp_path / "coco")
    person, dog, lamp = (4, 4, 40, 36), (28, 20, 44, 36), (60, 0, 10, 12)
    rows = [
        relationship(11, "ON", person, dog),
        relationship(12, "next to", dog, person),
        relationship(13, "above", lamp, dog),
    ]
    write(tmp_path / "coco", [image(2401, 1, 80, 60)], {2401: rows})
    document = small_line.own()
    document["data"] |= {"name": "tiny", "format": "coco", "source": str(tmp_path / "coco")}
    document["data"] |= {"shards": 1, "rejected_share": 0.2}
    document["extractors"]["annotated"] = {
        "masks": "instances",
        "scene_graphs": "visual_genome",
        "settings": {"visual_genome": {"overlap": 0.6}},
    }
    document["checks"]["masks"] = {"share_without_masks": 0.5}
    document["checks"]["scene_graphs"] = {"share_without_relations": 0.7}
    workspace = small_line.start(tmp_path / "line", document)
    for key in ("images", "index", "masks@annotated-train"):
        small_line.run(workspace.root, *([*key.split("@"), None][:2]))
    small_line.run_gated(workspace.root, "scene_graphs@annotated-train")
    report = read_json(workspace.input("scene_graphs", "annotated-train") / "report.json")
    assert report["numbers"] == {
        "images": 5,
        "masks": 5,
        "relations": 2,
        "set aside: no mask fits the box of an end": 1,
        "set aside: not annotated": 4,
    }
