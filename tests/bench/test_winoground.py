"""Winoground: against plain words, and beside the siblings that its rows in `scenes` are."""

import json
from dataclasses import replace

import pyarrow as pa
import pytest

from semtok.bench import siblings, winoground
from semtok.bench.benchmark import split_data
from semtok.bench.embedding import Model
from semtok.data.index import SIBLINGS
from semtok.data.scenes import official
from semtok.errors import SemtokError
from semtok.tokens.shards import TokenShards
from tests.bench.conftest import image_name


def row(number, images, captions, tag="Noun", collapsed="Object"):
    return {
        "id": number,
        "image_0": images[0],
        "image_1": images[1],
        "caption_0": captions[0],
        "caption_1": captions[1],
        "tag": tag,
        "secondary_tag": "",
        "num_main_preds": 1,
        "collapsed_tag": collapsed,
    }


def lines(rows):
    return {"winoground/examples.jsonl": "\n".join(json.dumps(each) for each in rows) + "\n"}


@pytest.fixture
def known(trained, with_files):
    """Rows on images of test by several names, and three that are not asked."""
    ids = TokenShards(trained.shards["test"]).image_ids.tolist()
    names = [image_name(each).removesuffix(".jpg") for each in ids]
    rows = [
        row(
            7 * n,
            (names[2 * n % 30], (names[(2 * n + 1) % 30] + ".png")),
            (f"{n} on {n % 4}", f"{n % 4} on {n}"),
            tag=f"Tag-{n % 3}",
            collapsed=("Object", "Relation", "Both")[n % 3],
        )
        for n in range(24)
    ]
    rows[20]["image_1"] = image_name(3)  # of train
    rows[21]["image_0"] = "ex_21_img_0"
    rows[22] |= {"image_0": image_name(4), "image_1": image_name(5)}
    return with_files(lines(rows))


def test_cases_are_those_of_a_plain_loop(trained, known):
    model = Model(trained.checkpoint / "seed-1")
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    images = dict(
        zip(data.images.image_ids.tolist(), model.embed_images(data.images).double(), strict=True)
    )
    wanted = {}
    for line in (known.folder / "benchmarks/winoground/examples.jsonl").read_text().splitlines():
        each = json.loads(line)
        if each["id"] // 7 in (20, 21, 22):
            continue
        ids = [int(each[f"image_{n}"].removesuffix(".png")) for n in (0, 1)]
        i0, i1 = (images[number] for number in ids)
        c0, c1 = (model.embed_texts([each[f"caption_{n}"]])[0].double() for n in (0, 1))
        text = c0 @ i0 > c1 @ i0 and c1 @ i1 > c0 @ i1
        image = c0 @ i0 > c0 @ i1 and c1 @ i1 > c1 @ i0
        for part in ("", f"/{each['tag']}", f"/{each['collapsed_tag']}"):
            wanted[f"text{part}", each["id"]] = (ids[0], 1 if text else 4)
            wanted[f"image{part}", each["id"]] = (ids[0], 1 if image else 4)
            wanted[f"group{part}", each["id"]] = (ids[0], 1 if text and image else 6)
    told = []
    found = winoground.score(model, data, told.append).to_pylist()
    assert {(r["task"], r["case_id"]): (r["cluster_id"], r["rank"]) for r in found} == wanted
    assert len(found) == len(wanted)
    ids = winoground.case_ids(data)
    assert {(task, each) for task in ids for each in ids[task].tolist()} == set(wanted)
    assert told[0].text == (
        "winoground: 21 of 24 rows are on images of test; "
        "not asked: no image of the data set 1, train 2"
    )


def test_rows_of_scenes_score_as_their_siblings(trained, with_files):
    ids = sorted(TokenShards(trained.shards["test"]).image_ids.tolist())
    pairs = [
        dict(
            zip(
                SIBLINGS.columns.names,
                (a, b, ("colour", "roles")[n % 2], f"{n} on {a}", f"{a} on {n}"),
                strict=True,
            )
        )
        for n, (a, b) in enumerate(zip(ids[::2], ids[1::2], strict=True))
    ]
    known = replace(
        with_files(lines(official.winoground(pairs))), siblings=pa.Table.from_pylist(pairs)
    )
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    model = Model(trained.checkpoint / "seed-0")
    of_rows, of_pairs = (
        {
            (r["task"], r["cluster_id"]): r["rank"]
            for r in benchmark.score(model, data).to_pylist()
            if r["task"] in winoground.TASKS
        }
        for benchmark in (winoground, siblings)
    )
    assert of_rows == of_pairs
    assert len(of_rows) == 45
    tasks = {task for task in winoground.case_ids(data) if task.startswith("text")}
    tags = ("Adjective-Color", "Noun", "Object", "Relation")
    assert tasks == {"text", *(f"text/{tag}" for tag in tags)}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"id": 0}\n', r"examples.jsonl: \[0\].image_0: missing"),
        ('{"id": 0}\n{"id"', "examples.jsonl: line 2: no JSON"),
        (json.dumps(row("a", "ab", "cd")), r"\[0\].id: 'a' is not an integer"),
    ],
)
def test_a_damaged_file_is_named(trained, with_files, text, fault):
    known = with_files({"winoground/examples.jsonl": text})
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    with pytest.raises(SemtokError, match=fault):
        winoground.case_ids(data)


def test_a_data_set_without_the_file_is_told_where_it_belongs(trained, with_files):
    data = split_data("test", TokenShards(trained.shards["test"]), with_files({}))
    with pytest.raises(SemtokError, match=r"put winoground/examples\.jsonl into the data root"):
        winoground.case_ids(data)
