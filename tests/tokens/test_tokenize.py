import contextlib
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import semtok.tokens
from semtok.data.index import IMAGES
from semtok.errors import SemtokError
from semtok.extract.corruptions import KINDS, Corruption, corrupt
from semtok.sharding import CORRUPTED, Partition, shard_of
from semtok.tables import REJECTED, read_table
from semtok.tokens import tokenize
from semtok.tokens.pixels import decode
from semtok.tokens.shards import TokenShards


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def fresh(line, name: str = "fresh") -> dict[str, bytes]:
    line.build(line.root / name)
    return content(line.root / name)


@pytest.fixture
def target(line) -> Path:
    return line.root / "semantic-train"


def test_every_image_is_in_its_shard_and_in_order(line, target):
    assert line.build(target) == 3
    opened = TokenShards(target)
    wanted = sorted(line.images, key=lambda image_id: (shard_of(image_id, 3), image_id))
    assert opened.image_ids.tolist() == wanted
    rows = opened.rows(np.arange(6))
    assert rows.region_counts.tolist() == [2] * 6
    assert rows.edge_counts.tolist() == [2] * 6


def test_nothing_is_built_twice(line, target):
    line.build(target)
    before = content(target)
    assert line.build(target) == 0
    assert content(target) == before


def repaint(line, image_id, seed):
    masks, relations = line.masks[image_id], line.relations[image_id]
    line.add(image_id, seed)
    line.masks[image_id], line.relations[image_id] = masks, relations


def damage(line, image_id, seed):
    line.images[image_id] = line.images[image_id][: 20 + seed]


def drop_masks(line, image_id, seed):
    line.masks[image_id], line.relations[image_id] = [], []


def drop_relation(line, image_id, seed):
    line.relations[image_id] = line.relations[image_id][1:]


def remove(line, image_id, seed):
    del line.images[image_id]


def add(line, image_id, seed):
    line.add(10 + image_id, seed, masks=1 + seed % 4)


def change_setting(line, image_id, seed):
    line.tokenizer["max_masks"] = 1 + seed % 4


def corrupt_too(line, image_id, seed):
    line.severities = (seed % 6,)


#: What people do between two runs, to one of images 1 to 6 or to the settings.
EDITS = [
    *(repaint, damage, drop_masks, drop_relation, remove, add, change_setting),
    corrupt_too,
]


class Killed(BaseException):
    """Stands for a kill: nothing may catch it."""


@pytest.mark.slow
@settings(max_examples=6)
@given(
    st.lists(
        st.tuples(st.sampled_from(EDITS), st.integers(1, 6), st.integers(0, 9), st.integers(0, 9)),
        max_size=4,
    )
)
def test_after_any_history_the_folder_is_as_built_from_scratch(tmp_path_factory, make_line, edits):
    line = make_line(tmp_path_factory.mktemp("history"))
    line.data = replace(line.data, rejected_share=1.0)
    target = line.root / "semantic-train"
    line.build(target)
    for number, (edit, image_id, seed, kill_at) in enumerate(edits):
        if image_id in line.images:
            edit(line, image_id, seed)
        before, events = content(target), iter(range(kill_at))

        def die(event, events=events):
            if next(events, None) is None:
                raise Killed

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tokenize, "_TOGETHER", 1)
            with contextlib.suppress(Killed):
                line.build(target, die)
                before = content(target)
        assert content(target) == before
        line.build(target)
        assert content(target) == fresh(line, f"fresh-{number}")


def test_only_the_shards_of_changed_inputs_are_rebuilt(line, target):
    line.build(target)
    line.add(4, seed=1)
    assert line.build(target) == 1
    line.relations[2].pop()
    assert line.build(target) == 1
    line.tokenizer["neighbours"] = 1
    assert line.build(target) == 3


KILLED = """
import os, signal, sys
from pathlib import Path
from semtok.data.index import IMAGES
from semtok.params import DataSettings
from semtok.sharding import Partition
from semtok.tables import read_table
from semtok.tokens import tokenize
from semtok.workspace import publish

root, target = map(Path, sys.argv[1:])
with publish(target, root / "state") as staging:
    partition = Partition(
        root,
        read_table(root / "images.parquet", IMAGES),
        DataSettings("tiny", "coco", "", 3, 0.5),
        staging,
        target,
        "",
        lambda event: event.done and os.kill(os.getpid(), signal.SIGKILL),
    )
    tokenize.build(partition, {"scheme": "grid", "image_size": 8}, None)
"""


def test_a_killed_process_leaves_the_last_good_artifact(line, target):
    line.build(target)
    before = content(target)
    line.write()
    command = [sys.executable, "-c", KILLED, line.root, target]
    done = subprocess.run(command, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert content(target) == before
    line.tokenizer["max_masks"] = 1
    line.build(target)
    assert content(target) == fresh(line)


def test_an_unreadable_image_is_set_aside_with_its_reason(line, target):
    line.images[3] = line.images[3][:80]
    line.build(target)
    (row,) = read_table(target / "rejected.parquet", REJECTED).to_pylist()
    assert row.pop("reason").startswith("unreadable image (")
    shard = f"{shard_of(3, 3):03d}.arrow"
    assert row == {"shard": shard, "image_id": 3, "source_id": None, "file": "3.png"}
    assert sorted(TokenShards(target).image_ids) == [1, 2, 4, 5, 6]


def test_too_many_unreadable_images_stop_the_stage(line, target):
    line.build(target)
    before = content(target)
    line.data = replace(line.data, rejected_share=0.1)
    line.images[3] = b"\xff\xd8"
    with pytest.raises(SemtokError, match=r"3\.png: image 3: unreadable image .+rejected_share"):
        line.build(target)
    assert content(target) == before


SCHEMES = {
    "grid": {"scheme": "grid", "image_size": 16},
    "semantic": None,
    "grid_relations": {
        **{"scheme": "grid_relations", "image_size": 16, "cell_size": 4},
        **{"max_masks": 3, "max_relations": 2},
    },
    "grid_mask_map": {"scheme": "grid_mask_map", "image_size": 16, "max_masks": 3},
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tokens_of_severity_0_are_those_of_the_picture_as_it_is(line, target, scheme):
    line.tokenizer = SCHEMES[scheme] or line.tokenizer
    line.severities = (0, 5)
    assert line.build(target) == 3 * (1 + 2 * len(KINDS))
    clean = {path.name: pa.ipc.open_file(path).read_all() for path in target.glob("*.arrow")}
    for kind in KINDS:
        for severity in line.severities:
            folder = target / CORRUPTED / f"{kind}-{severity}"
            found = {path.name: pa.ipc.open_file(path).read_all() for path in folder.iterdir()}
            assert (found == clean) is (severity == 0)
            assert TokenShards(folder).tokens == TokenShards(target).tokens


def test_corrupted_tokens_are_of_the_corrupted_pixels_and_the_same_masks(line, target):
    line.severities = (5,)
    line.build(target)
    indices = np.arange(6)
    clean = TokenShards(target).rows(indices)
    for kind in KINDS:
        found = TokenShards(target / CORRUPTED / f"{kind}-5").rows(indices)
        for name, values in vars(clean).items():
            same = np.array_equal(values, getattr(found, name))
            assert same is (name != "features"), name
        coverage = found.features.reshape(len(found.features), -1, 4)[..., 3]
        np.testing.assert_array_equal(
            coverage, clean.features.reshape(len(clean.features), -1, 4)[..., 3]
        )


def test_pixels_are_corrupted_by_image_id_kind_and_severity(line, target):
    line.tokenizer, line.severities = {"scheme": "grid", "image_size": 12}, (2,)
    line.build(target)
    for kind in KINDS:
        rows = TokenShards(target / CORRUPTED / f"{kind}-2").rows(np.arange(6))
        for image_id, pixels in zip(rows.image_ids.tolist(), rows.pixels, strict=True):
            wanted = corrupt(decode(line.images[image_id], 12), image_id, Corruption(kind, 2))
            np.testing.assert_array_equal(pixels, wanted[..., :3])


def test_an_image_is_set_aside_once_whatever_is_made_of_it(line, target):
    line.images[3], line.severities = line.images[3][:80], (1, 2)
    line.build(target)
    (row,) = read_table(target / "rejected.parquet", REJECTED).to_pylist()
    assert row["shard"] == f"{shard_of(3, 3):03d}.arrow"
    assert sorted(TokenShards(target / CORRUPTED / "blur-2").image_ids) == [1, 2, 4, 5, 6]


def test_the_category_of_a_mask_is_no_input(line, target):
    line.build(target)
    before = TokenShards(target).rows(np.arange(6))
    line.category = "cat"
    assert line.build(target) == 3
    after = TokenShards(target).rows(np.arange(6))
    for name, values in vars(before).items():
        np.testing.assert_array_equal(values, getattr(after, name))


def test_an_image_without_masks_is_one_region(line, target):
    line.masks[2], line.relations[2] = [], []
    line.build(target)
    opened = TokenShards(target)
    rows = opened.rows(np.flatnonzero(opened.image_ids == 2))
    np.testing.assert_array_equal(rows.geometry, [[0.5, 0.5, 1, 1, 1]])


def test_grid_keeps_the_pixels_and_needs_no_extraction(line, target):
    line.tokenizer = {"scheme": "grid", "image_size": 12}
    line.build(target)
    opened = TokenShards(target)
    rows = opened.rows(np.arange(6))
    for image_id, pixels in zip(rows.image_ids.tolist(), rows.pixels, strict=True):
        np.testing.assert_array_equal(pixels, decode(line.images[image_id], 12)[..., :3])
    line.relations[1].pop()
    assert line.build(target) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scheme": "voronoi"}, r"tokenizers\.semantic\.scheme: 'voronoi' is no tokenizer"),
        ({"scheme": "shards"}, "'shards' is no tokenizer"),
        ({"scheme": "../x"}, "is no tokenizer"),
        ({"crops": 4}, r"tokenizers\.semantic: crops: unknown key"),
        ({"crop_size": "large"}, r"tokenizers\.semantic: crop_size"),
    ],
)
def test_a_wrong_setting_is_named(line, target, change, message):
    line.tokenizer.update(change)
    with pytest.raises(SemtokError, match=message):
        line.build(target)


def test_a_missing_extraction_is_named(line, target):
    line.write()
    (line.root / "masks" / "001.parquet").unlink()
    with pytest.raises(SemtokError, match=r"masks/001\.parquet: no such file"):
        line.run(target)


def test_semantic_tokens_need_an_extraction(line, target):
    line.write()
    images = read_table(line.root / "images.parquet", IMAGES)
    with pytest.raises(SemtokError, match=r"need masks; let token_shards\.semantic-train\.reads"):
        partition = Partition(line.root, images, line.data, line.root, target, "")
        tokenize.build(partition, line.tokenizer, None)


MEAN = """
from dataclasses import dataclass

import numpy as np

from semtok.tokens.shards import pixels_schema

READS_EXTRACTION = False


@dataclass(frozen=True)
class Settings:
    image_size: int


def schema(settings):
    return pixels_schema(settings.image_size)


def tokenize(images, extractions, settings):
    means = [each[..., :3].mean(axis=(0, 1)).astype(np.uint8) for each in images]
    return [np.tile(mean, (settings.image_size, settings.image_size, 1)) for mean in means]
"""


def test_a_new_tokenizer_is_one_new_file(line, target, tmp_path, monkeypatch):
    (tmp_path / "mean.py").write_text(MEAN)
    monkeypatch.setattr(semtok.tokens, "__path__", [*semtok.tokens.__path__, str(tmp_path)])
    line.tokenizer = {"scheme": "mean", "image_size": 8}
    line.build(target)
    pixels = TokenShards(target).rows(np.arange(6)).pixels
    assert (pixels == pixels[:, :1, :1]).all()
