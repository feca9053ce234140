"""SugarCrepe: against a plain loop, and on the real rows of the COCO sample."""

import json
import shutil

import numpy as np
import pytest

from semtok.bench import missing, sugar_crepe
from semtok.bench.benchmark import split_data
from semtok.bench.cases import PART, metrics
from semtok.bench.embedding import Model
from semtok.bench.scoring import score
from semtok.data import files, indexing
from semtok.data.index import annotations, split_images
from semtok.errors import SemtokError
from semtok.params import DataSettings
from semtok.tokens import shards
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from tests.bench.conftest import image_name

SUBSETS = (
    "add_att",
    "add_obj",
    "replace_att",
    "replace_obj",
    "replace_rel",
    "swap_att",
    "swap_obj",
)


def rows_on(ids, count, salt):
    """Rows with keys that leave numbers out."""
    return {
        str(3 * n + 1): {
            "filename": image_name(ids[n % len(ids)]),
            "caption": f"{salt} is {n}",
            "negative_caption": f"{n} is {salt}",
        }
        for n in range(count)
    }


@pytest.fixture
def known(trained, with_files):
    """Rows on images of test, of another split and of nothing."""
    test = TokenShards(trained.shards["test"]).image_ids.tolist()
    ids = [*test[:9], 3, 999]
    return with_files(
        {f"sugar_crepe/{n}.json": rows_on(ids, 11 + 4 * k, n) for k, n in enumerate(SUBSETS)}
    )


def plainly(trained, known):
    """Task and case -> cluster and rank, and subset -> whether each of its rows is right."""
    model = Model(trained.checkpoint / "seed-1")
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    images = dict(
        zip(data.images.image_ids.tolist(), model.embed_images(data.images).double(), strict=True)
    )
    wanted, right = {}, {}
    for place, name in enumerate(SUBSETS):
        document = json.loads((known.folder / f"benchmarks/sugar_crepe/{name}.json").read_text())
        for key, row in document.items():
            image = int(row["filename"].removesuffix(".jpg"))
            if image not in images:
                continue
            texts = model.embed_texts([row["caption"], row["negative_caption"]]).double()
            own, other = (texts @ images[image]).tolist()
            right.setdefault(name, []).append(own > other)
            for task in ("caption", f"caption/{name.split('_')[0]}", f"caption/{name}"):
                wanted[task, 8 * int(key) + place] = (image, 1 if own > other else 2)
    return wanted, right


def test_cases_are_those_of_a_plain_loop(trained, known):
    wanted, _ = plainly(trained, known)
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    found = sugar_crepe.score(Model(trained.checkpoint / "seed-1"), data).to_pylist()
    assert {(r["task"], r["case_id"]): (r["cluster_id"], r["rank"]) for r in found} == wanted
    assert len(found) == len(wanted)
    assert {(r["candidates"], r["answers"], r["truths"]) for r in found} == {(2, 1, 1)}
    ids = sugar_crepe.case_ids(data)
    assert {(task, each) for task in ids for each in ids[task].tolist()} == set(wanted)


def test_means_are_of_subsets_and_not_of_rows(trained, known, tmp_path):
    _, right = plainly(trained, known)
    (tmp_path / "scores").mkdir()
    (tmp_path / "one").mkdir()
    shutil.copytree(trained.checkpoint / "seed-1", tmp_path / "one/seed-1")
    folders = {"test": trained.shards["test"]}
    table = score(tmp_path / "one", folders, known, ["sugar_crepe"], tmp_path / "scores")
    values = {task: each["R@1"] for task, each in metrics(table)["sugar_crepe"]["test"].items()}
    shares = {name: 100 * np.mean(each) for name, each in right.items()}
    assert values["caption"] == pytest.approx(np.mean(list(shares.values())))
    for kind in ("add", "replace", "swap"):
        mean = np.mean([share for name, share in shares.items() if name.startswith(kind)])
        assert values[f"caption/{kind}"] == pytest.approx(mean)
    for name, share in shares.items():
        assert values[f"caption/{name}"] == pytest.approx(share)
    assert len({round(each, 3) for each in shares.values()}) > 3


def test_rows_that_are_not_asked_are_counted(trained, known):
    told = []
    data = split_data("val", TokenShards(trained.shards["val"]), known)
    assert sugar_crepe.score(Model(trained.checkpoint / "seed-0"), data, told.append).num_rows == 0
    assert sugar_crepe.case_ids(data) == {}
    counts = {"test": 0, "train": 0, "no image of the data set": 0}
    for k in range(7):
        for n in range(11 + 4 * k):
            counts[[*["test"] * 9, "train", "no image of the data set"][n % 11]] += 1
    others = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    total = sum(counts.values())
    assert (
        told[0].text == f"sugar_crepe: 0 of {total} rows are on images of val; not asked: {others}"
    )


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("swap_obj", None, "swap_obj.json: missing; put sugar_crepe/swap_obj.json into the data"),
        ("add_obj", "[]", "add_obj.json: holds no object"),
        ("add_obj", '{"0": {"filename": "a.jpg"', "no complete JSON"),
        (
            "add_obj",
            '{"0": {"filename": "a.jpg", "caption": "b"}}',
            r"\[0\].negative_caption: miss",
        ),
        ("add_att", '{"a": {"filename": "a", "caption": "b", "negative_caption": "c"}}', "'a'"),
    ],
)
def test_a_damaged_file_is_named(trained, known, name, text, fault):
    path = known.folder / f"benchmarks/sugar_crepe/{name}.json"
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    with pytest.raises(SemtokError, match=fault):
        sugar_crepe.case_ids(data)


def test_a_data_set_without_an_index_is_told_what_is_missing(trained):
    data = split_data("test", TokenShards(trained.shards["test"]), trained.annotations)
    with pytest.raises(SemtokError, match="take sugar_crepe out of bench"):
        sugar_crepe.case_ids(data)


def test_the_real_rows_of_the_sample(trained, coco_sample, tmp_path):
    """164 rows of the benchmark, of which each half of val2017 is asked its own."""
    settings = DataSettings("coco", "coco", "", shards=2, rejected_share=1.0)
    staging = tmp_path / "index"
    staging.mkdir()
    indexing.build(coco_sample, files.list_files(coco_sample), settings, staging)
    missing.hold(staging, {"sugar_crepe": sugar_crepe}, {}, 0.0, tmp_path)  # it lacks no image
    known = annotations(staging)
    asked = {}
    for split in ("val", "test"):
        wanted = split_images(staging, split)["image_id"].to_pylist()
        pixels = np.random.default_rng(0).integers(0, 256, (len(wanted), 8, 8, 3), np.uint8)
        folder = tmp_path / split
        tokens = {"scheme": "grid", "settings": {"image_size": 8}}
        rows = PixelRows(np.array(wanted), pixels)
        shards.write(folder / "000.arrow", shards.pixels_schema(8), rows, (), tokens, "f")
        data = split_data(split, TokenShards(folder), known)
        table = sugar_crepe.score(Model(trained.checkpoint / "seed-0"), data)
        asked[split] = {
            (row["task"], row["case_id"]) for row in table.to_pylist() if PART in row["task"]
        }
    every = {
        (f"caption/{name}", 8 * int(key) + place)
        for place, name in enumerate(SUBSETS)
        for key in json.loads((coco_sample / f"sugar_crepe/{name}.json").read_text())
    }
    subsets = {(t, c) for found in asked.values() for t, c in found if t.split("/")[1] in SUBSETS}
    assert subsets == every
    assert len(every) == 164
    assert not asked["val"] & asked["test"]
