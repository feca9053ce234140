"""A root that is a part of a benchmark's images: refused, until a person says that it is one."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from semtok.bench.missing import MISSING, NAME
from semtok.errors import SemtokError
from semtok.tables import read_table
from tests import small_line
from tests.bench import tiny_clip

#: The files that have rows on images which the root has not.
LACKING = {"sugar_crepe/add_obj.json": 2, "sugar_crepe/swap_att.json": 1}


@pytest.mark.slow
def test_a_part_of_a_root_is_scored_when_a_person_says_so(tmp_path: Path) -> None:
    document = small_line.shrunk(small_line.own())
    document["variants"] = {"vit": document["variants"]["vit"]}
    document["bench"]["benchmarks"] = ["sugar_crepe"]
    made = small_line.start(tmp_path / "scenes", document)
    small_line.run(made.root, "images", None)
    root = tmp_path / "root"
    shutil.copytree(made.input("images"), root)
    for name, count in LACKING.items():
        rows = json.loads((root / name).read_text())
        for row in list(rows.values())[:count]:
            row["filename"] = f"gone{count}.jpg"
        (root / name).write_text(json.dumps(rows))

    document["data"] |= {"name": "part", "format": "coco", "source": str(root)}
    document["models"] = {"own": {"folder": str(tiny_clip.clip(tmp_path / "clip"))}}
    line = tmp_path / "line"
    with pytest.raises(SemtokError, match=r"add_obj\.json: .*of 2 of \d+ rows .*missing_share"):
        small_line.build(line, document)
    with pytest.raises(SemtokError, match=r"add_obj\.json: .*of 2 of \d+ rows .*missing_share"):
        small_line.run(line, "outside_scores", "own")

    document["bench"]["missing_share"] = 0.5
    (line / "params.yaml").write_text(yaml.safe_dump(document))
    for stage, name in (("scores", "vit"), ("outside_scores", "own")):
        small_line.run(line, stage, name)
        folder = line / "artifacts/part/scores" / name
        listed = read_table(folder / NAME, MISSING).to_pylist()
        assert {row["file"]: row["rows"] for row in listed} == LACKING
        assert {row["image"] for row in listed} == {"gone1.jpg", "gone2.jpg"}
