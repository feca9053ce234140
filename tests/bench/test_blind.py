"""The blind control: a bigram model against a plain count, and what it is worth where."""

import json
import math
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.bench import blind, winoground
from semtok.bench.benchmark import split_data
from semtok.bench.cases import by_task
from semtok.bench.guessing import bounds
from semtok.bench.scoring import score
from semtok.data.index import CAPTIONS
from semtok.data.scenes import official
from semtok.data.scenes.captions import captions
from semtok.data.scenes.siblings import pair
from semtok.tables import write_table
from semtok.tokens.shards import TokenShards
from tests.bench.conftest import image_name

words = st.lists(st.sampled_from(["a", "dog", "cat", "runs"]), min_size=1, max_size=5)


@given(st.lists(words, min_size=1, max_size=6), words)
def test_probabilities_are_those_of_a_plain_count(training, text):
    read = [["<", *each, ">"] for each in training]
    first = [word for each in read for word in each[:-1]]
    second = [word for each in read for word in each[1:]]
    wanted = 0.0
    for one, two in zip(["<", *text], [*text, ">"], strict=True):
        alone = (second.count(two) + 1) / (len(second) + len(set(second)) + 1)
        follows = sum(pair == (one, two) for pair in zip(first, second, strict=True))
        seen = first.count(one)
        wanted += math.log(0.75 * follows / seen + 0.25 * alone if seen else alone)
    prior = blind.CaptionPrior([" ".join(each) for each in training])
    assert prior.log_probability(" ".join(text)) == pytest.approx(wanted)


def test_it_prefers_what_reads_like_the_training_captions():
    prior = blind.CaptionPrior(["A dog chases a cat.", "The dog sleeps."])
    assert prior.log_probability("a dog chases a cat") > prior.log_probability("cat a chases dog a")
    assert prior.log_probability("the dog") > prior.log_probability("the unseen dog")


@pytest.fixture(scope="module")
def scenes():
    """The official files of twelve pairs of siblings, and their captions."""
    made = [pair(1, index, 48) for index in range(12)]
    pictures, siblings, said = {}, [], []
    for number, each in enumerate(made):
        ids = 4 * number + 2, 4 * number + 4
        pictures |= dict(zip(ids, (each.first.observation, each.second.observation), strict=True))
        names = {"first_image_id": ids[0], "second_image_id": ids[1], "kind": each.kind}
        texts = {"first_caption": each.first_caption, "second_caption": each.second_caption}
        siblings.append(names | texts)
    for image, seen in pictures.items():
        for caption in captions(seen, random.Random(image)):
            said.append({"image_id": image, "caption": caption.text})
    return official.documents([official.Shown(pictures, siblings, said, "val2017")], 0), [
        row["caption"] for row in said
    ]


def renamed(document, to):
    """The same rows, on images that the hand-made split has."""
    rows = list(document.values()) if isinstance(document, dict) else document
    for row in rows:
        for name in ("filename", "image", "image_0", "image_1", "image_path"):
            if name in row:
                row[name] = to(row[name])
    return {str(n): row for n, row in enumerate(rows)} if isinstance(document, dict) else rows


def test_words_alone_are_worth_what_the_protocol_says(trained, with_files, scenes, tmp_path):
    ids = TokenShards(trained.shards["test"]).image_ids.tolist()

    def to(name):
        return image_name(ids[int(name.split("/")[-1].split(".")[0]) // 2 % len(ids)])

    documents = {name: renamed(document, to) for name, document in scenes[0].items()}
    for name, document in documents.items():
        if name.startswith("aro/visual"):
            for row in document:
                row |= {"bbox_w": 8, "bbox_h": 8}
        if name.endswith(".jsonl"):
            documents[name] = "\n".join(map(json.dumps, document))
    known = with_files(documents)
    read = [
        {"caption_id": n, "image_id": 1, "caption": text} for n, text in enumerate(scenes[1])
    ]  # image 1 is of train
    table = pa.Table.from_pylist(read, schema=CAPTIONS.columns)
    write_table(known.folder / "captions.parquet", table, CAPTIONS)
    (tmp_path / "scores").mkdir()
    folders = {"test": trained.shards["test"]}
    names = ["sugar_crepe", "winoground", "aro", "vsr"]
    table = score(trained.checkpoint, folders, known, names, tmp_path / "scores")
    found = {
        (task.benchmark, task.task): bounds(ranks).blind["R@1"]
        for task, ranks in by_task(table).items()
    }
    for part in ("swap", "swap_att", "swap_obj", "replace", "replace_att", "replace_rel"):
        assert found["sugar_crepe", f"caption/{part}"] == 50
    assert found["sugar_crepe", "caption/add_obj"] == 100
    assert found["sugar_crepe", "caption"] > 50
    for task in winoground.TASKS:
        assert found["winoground", task] == 0
    assert found["aro", "relation_micro"] == found["aro", "attribution_micro"] == 50
    assert found["aro", "order"] > 60
    assert found["vsr", "caption"] == found["vsr", "statement"] == 50


def test_of_equally_probable_captions_the_alphabet_decides(trained, with_files):
    data = split_data("test", TokenShards(trained.shards["test"]), with_files({}))
    found = blind.ranks(data, [["b c", "c b"], ["c b", "b c"], ["a x", "a x", "z z z z"]])
    assert found.tolist() == [1, 2, 2]
