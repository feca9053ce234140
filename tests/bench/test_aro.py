"""ARO: against a plain loop, with the published macro averages beside the micro ones."""

import json
import shutil
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semtok.bench import aro
from semtok.bench.aro_relations import LEFT_OUT
from semtok.bench.benchmark import split_data
from semtok.bench.cases import metrics
from semtok.bench.embedding import Model
from semtok.bench.perturbations import perturbed
from semtok.bench.scoring import score
from semtok.data.words import words_of
from semtok.errors import SemtokError
from semtok.events import Message
from semtok.tokens.shards import TokenShards
from tests.bench.conftest import image_name

RELATIONS = ("behind", "chasing", "chasing", "near", "to the left of")


def box(image, width=8):
    sides = {"bbox_x": 0, "bbox_y": 0, "bbox_w": width, "bbox_h": 8}
    return {"image_id": str(image), "image_path": image_name(image), **sides}


def attributes(n):
    return ["red", "blue"] if n < 33 else ["small", "large"] if n < 90 else ["a", "b"]


def files(ids):
    relation = [
        box(ids[n % len(ids)])
        | {
            "relation_name": RELATIONS[n % 5],
            "true_caption": f"the {n} is the {n % 7}",
            "false_caption": f"the {n % 7} is the {n}",
        }
        for n in range(60)
    ]
    attribution = [
        box(ids[n % len(ids)])
        | {
            "attributes": attributes(n),
            "true_caption": f"{n} and {n % 5}",
            "false_caption": f"{n % 5} and {n}",
        }
        for n in range(114)
    ]
    order = [
        {
            "image": f"val2014/COCO_val2014_{image_name(image)}",
            "caption": [f"A dog on the {n} grass.", "dog", f"a {n} red dog"],
            "tags": [["DT", "NN", "IN", "DT", "JJ", "NN"], ["NN"], ["DT", "CD", "JJ", "NN"]],
        }
        for n, image in enumerate(ids)
    ]
    return {
        "aro/visual_genome_relation.json": relation,
        "aro/visual_genome_attribution.json": attribution,
        "aro/coco_order.json": order,
        "aro/flickr30k_order.json": [
            {
                "image": f"flickr30k-images/{image_name(image)}",
                "caption": [f"Two {n} men, a wide field.", f"a {n} dry field"],
                "tags": [["CD", "CD", "NNS", "DT", "JJ", "NN"], ["DT", "CD", "JJ", "NN"]],
            }
            for n, image in enumerate(ids[4:])
        ],
    }


@pytest.fixture
def known(trained, with_files):
    """Rows on twelve images of test, of which some are not asked: of train, and of nothing."""
    ids = TokenShards(trained.shards["test"]).image_ids.tolist()
    return with_files(files([*ids[:12], 4, 999]))


def plainly(trained, known):
    """Task and case -> cluster, rank and candidates, and file -> group -> its outcomes."""
    model = Model(trained.checkpoint / "seed-1")
    shards = TokenShards(trained.shards["test"])
    embedded = model.embed_images(shards).double()
    images = dict(zip(shards.image_ids.tolist(), embedded, strict=True))

    def rank(image, captions):
        texts = [model.embed_texts([text])[0].double() for text in captions]
        similar = [(text @ images[image]).item() for text in texts]
        return sum(each >= similar[0] - 1e-12 for each in similar)

    wanted, right = {}, defaultdict(lambda: defaultdict(list))
    for file, group_of in (
        ("relation", lambda row: row["relation_name"]),
        ("attribution", lambda row: "_".join(row["attributes"])),
    ):
        path = known.folder / f"benchmarks/aro/visual_genome_{file}.json"
        for number, row in enumerate(json.loads(path.read_text())):
            image, group = int(row["image_id"]), group_of(row)
            if image in images:
                place = rank(image, [row["true_caption"], row["false_caption"]])
                right[file][group].append(place == 1)
                wanted[f"{file}_micro", number] = (image, place, 2)
                if group not in (*LEFT_OUT, "a_b"):  # a_b has fewer than 25 cases
                    wanted[file, number] = (image, place, 2)
                if file == "relation" and group not in LEFT_OUT:
                    wanted[f"relation/{group}", number] = (image, place, 2)
    for file, task in (("coco_order", "order"), ("flickr30k_order", "flickr30k_order")):
        number = -1
        for row in json.loads((known.folder / f"benchmarks/aro/{file}.json").read_text()):
            image = int(row["image"][-16:-4])
            for caption, tags in zip(row["caption"], row["tags"], strict=True):
                number += 1
                words = words_of(caption)
                others = perturbed(words, tags, [number])
                if image in images and others:
                    place = rank(image, [" ".join(words), *others])
                    wanted[task, number] = (image, place, 1 + len(others))
    return wanted, right


def test_cases_are_those_of_a_plain_loop(trained, known):
    wanted, _ = plainly(trained, known)
    told = []
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    found = aro.score(Model(trained.checkpoint / "seed-1"), data, told.append).to_pylist()
    assert {
        (r["task"], r["case_id"]): (r["cluster_id"], r["rank"], r["candidates"]) for r in found
    } == wanted
    assert len(found) == len(wanted)
    ids = aro.case_ids(data)
    assert {(task, each) for task in ids for each in ids[task].tolist()} == set(wanted)
    orders = {"order", "flickr30k_order"}
    assert {r["truths"] for r in found if r["task"] in orders} == {None}
    assert {r["truths"] for r in found if r["task"] not in orders} == {1}
    assert {r["blind"] is None for r in found} == {False}
    texts = [each.text for each in told if isinstance(each, Message)]
    assert "aro/visual_genome_relation: 52 of 60 rows are on images of test; " in texts[0]
    assert "aro/coco_order: 24 of 28 rows" in texts[2]
    assert "aro/flickr30k_order: 16 of 20 rows" in texts[3]


def test_macro_averages_are_the_published_ones(trained, known, tmp_path):
    _, right = plainly(trained, known)
    (tmp_path / "scores").mkdir()
    shutil.copytree(trained.checkpoint / "seed-1", tmp_path / "one/seed-1")
    folders = {"test": trained.shards["test"]}
    table = score(tmp_path / "one", folders, known, ["aro"], tmp_path / "scores")
    values = {task: each["R@1"] for task, each in metrics(table)["aro"]["test"].items()}
    shares = {
        task: {name: 100 * np.mean(each) for name, each in groups.items()}
        for task, groups in right.items()
    }
    counts = {name: len(each) for name, each in right["attribution"].items()}
    assert counts["a_b"] < 25 <= min(counts["red_blue"], counts["small_large"])
    for task, left_out in (("relation", "near"), ("attribution", "a_b")):
        kept = [share for name, share in shares[task].items() if name != left_out]
        assert values[task] == pytest.approx(np.mean(kept))
        every = [hit for hits in right[task].values() for hit in hits]
        assert values[f"{task}_micro"] == pytest.approx(100 * np.mean(every))
    for name, share in shares["relation"].items():
        assert values.get(f"relation/{name}", share) == pytest.approx(share)
    assert "relation/near" not in values


def test_the_relations_left_out_are_as_many_as_published():
    assert len(LEFT_OUT) == 157
    assert {"near", "next to", "with", "on the other side of", "parked near"} <= LEFT_OUT
    assert not {"to the left of", "holding", "riding", "on"} & LEFT_OUT
    assert all(name == name.strip() and name for name in LEFT_OUT)


def test_a_file_that_is_not_there_is_not_asked(trained, known):
    (known.folder / "benchmarks/aro/visual_genome_relation.json").unlink()
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    there = {"attribution", "attribution_micro", "order", "flickr30k_order"}
    assert set(aro.case_ids(data)) == there


def test_a_data_set_without_any_is_told_where_they_belong(trained, with_files):
    data = split_data("test", TokenShards(trained.shards["test"]), with_files({}))
    with pytest.raises(SemtokError, match=r"put aro/visual_genome_relation\.json into the data"):
        aro.case_ids(data)


def test_a_box_that_is_a_part_of_its_image_is_refused(trained, with_files):
    image = TokenShards(trained.shards["test"]).image_ids[0].item()
    rows = files([image])["aro/visual_genome_relation.json"]
    rows[2] |= box(image, width=7)
    known = with_files({"aro/visual_genome_relation.json": rows})
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    with pytest.raises(SemtokError, match=r"\[2\]\.bbox: is a part of 0+\d+\.jpg"):
        aro.case_ids(data)


@pytest.mark.parametrize("tags", [[], [["DT"]], [["DT", "NN", "NN"]]])
def test_a_caption_without_the_tags_of_its_words_is_refused(trained, with_files, tags):
    row = {"image": image_name(1), "caption": ["a dog"], "tags": tags}
    known = with_files({"aro/coco_order.json": [row]})
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    with pytest.raises(SemtokError, match=r"\[0\]\.tags: 'a dog' has 2 words"):
        aro.case_ids(data)


def test_the_documented_crops_are_whole_images(tmp_path, monkeypatch):
    """The code of docs/benchmarks.md, on one row."""
    text = (Path(__file__).parents[2] / "docs/benchmarks.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    for folder in ("vg/images", "root/val2017", "root/annotations"):
        (tmp_path / folder).mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "vg/images/7.jpg", quality=95)
    row = {"image_path": "7.jpg", "bbox_x": 4, "bbox_y": 5, "bbox_w": 16, "bbox_h": 8}
    row |= {"relation_name": "on", "true_caption": "a on b", "false_caption": "b on a"}
    (tmp_path / "vg/visual_genome_relation.json").write_text(json.dumps([row]))
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    (cut,) = json.loads((tmp_path / "root/aro/visual_genome_relation.json").read_text())
    document = json.loads((tmp_path / "root/annotations/captions_val2017.json").read_text())
    assert Image.open(tmp_path / "root/val2017" / cut["image_path"]).size == (16, 8)
    assert [cut[f"bbox_{side}"] for side in "xywh"] == [0, 0, 16, 8]
    (image,) = document["images"]
    assert (image["file_name"], image["width"], image["height"]) == (cut["image_path"], 16, 8)
    assert document["annotations"] == [{"id": 0, "image_id": 0, "caption": "a on b"}]
