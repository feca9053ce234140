"""What cases ask, found again by their ids: against the files, read plainly."""

import json

import pyarrow.parquet as pq
import pytest

from semtok.bench import question
from semtok.bench.cases import Task
from semtok.bench.question import Question
from semtok.bench.removal import ATTRIBUTIONS
from semtok.errors import SemtokError
from tests import small_line


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The index of little scenes, with the official files of benchmarks."""
    root = tmp_path_factory.mktemp("scenes") / "line"
    workspace = small_line.start(root)
    for stage in ("images", "index"):
        small_line.run(root, stage, None)
    return workspace.input("index")


@pytest.fixture(scope="module")
def id_of(index):
    rows = pq.read_table(index / "images.parquet").to_pylist()
    return {row["path"].rpartition("/")[2]: row["image_id"] for row in rows}


def official(index, name):
    return json.loads((index / "benchmarks" / name).read_text())


def asked(index, benchmark, task, *case_ids):
    return question.questions(Task(benchmark, "test", task), index, case_ids)


def test_retrieval_asks_for_an_image_or_for_its_captions(index):
    rows = pq.read_table(index / "captions.parquet").to_pylist()
    row = rows[7]
    own = tuple(each["caption"] for each in rows if each["image_id"] == row["image_id"])
    for way in ("", "_any_true"):
        found = asked(index, "retrieval", f"text_to_image{way}", row["caption_id"])
        assert found == {row["caption_id"]: Question((row["image_id"],), ((row["caption"],),))}
        found = asked(index, "retrieval", f"image_to_text{way}", row["image_id"])
        assert found == {row["image_id"]: Question((row["image_id"],), (own,))}


def test_karpathy_asks_what_retrieval_does_of_five_captions(index):
    rows = pq.read_table(index / "captions.parquet").sort_by("caption_id").to_pylist()
    image_id = rows[7]["image_id"]
    own = tuple(each["caption"] for each in rows if each["image_id"] == image_id)
    few, every = Question((image_id,), (own[:5],)), Question((image_id,), (own,))
    for way in ("", "_folds"):
        found = asked(index, "karpathy", f"image_to_text{way}", image_id)
        assert found == {image_id: few}
        assert asked(index, "karpathy", f"image_to_text{way}_all", image_id) == {image_id: every}
        text = rows[7]["caption_id"]
        one = Question((image_id,), ((rows[7]["caption"],),))
        found = asked(index, "karpathy", f"rsum{way}", 2 * image_id, 2 * text + 1)
        assert found == {2 * image_id: few, 2 * text + 1: one}


@pytest.mark.parametrize(
    "benchmark, task, case_id",
    [
        ("saliency", "f", 9),
        ("corloc", "lost", 9),
        ("faithfulness", "comprehensiveness", 9 * len(ATTRIBUTIONS) + 1),
        ("faithfulness", "sufficiency_gain/rollout", 9 * len(ATTRIBUTIONS) + 1),
        ("faithfulness", "comprehensiveness_over_lime/rollout", 9 * len(ATTRIBUTIONS) + 1),
        *(("faithfulness", f"sufficiency_{each}", 9) for each in ("random", "lime", "lime_gain")),
    ],
)
def test_what_is_asked_of_an_image_alone_shows_it(index, benchmark, task, case_id):
    assert asked(index, benchmark, task, case_id) == {case_id: Question((9,), ((),))}


def test_siblings_ask_of_an_image_or_of_a_pair(index):
    row = pq.read_table(index / "siblings.parquet").to_pylist()[1]
    first, second = row["first_image_id"], row["second_image_id"]
    said = row["first_caption"], row["second_caption"]
    found = asked(index, "siblings", "caption/whatever", first, second)
    assert found[first] == Question((first,), (said[:1],), said[1:])
    assert found[second] == Question((second,), (said[1:],), said[:1])
    found = asked(index, "siblings", "group", first)
    assert found == {first: Question((first, second), (said[:1], said[1:]))}


def test_sugar_crepe_asks_a_row_of_a_subset(index, id_of):
    key, row = next(iter(official(index, "sugar_crepe/replace_att.json").items()))
    case_id = 8 * int(key) + 2  # the third of the subsets
    found = asked(index, "sugar_crepe", "caption/replace", case_id)
    wanted = Question((id_of[row["filename"]],), ((row["caption"],),), (row["negative_caption"],))
    assert found == {case_id: wanted}


def test_winoground_asks_which_caption_is_whose(index, id_of):
    lines = (index / "benchmarks/winoground/examples.jsonl").read_text().splitlines()
    row = json.loads(lines[2])
    images = tuple(
        next(id_ for name, id_ in id_of.items() if name.partition(".")[0] in row[f"image_{n}"])
        for n in (0, 1)
    )
    wanted = Question(images, ((row["caption_0"],), (row["caption_1"],)))
    assert asked(index, "winoground", "text", row["id"]) == {row["id"]: wanted}


@pytest.mark.parametrize(
    ("task", "file"),
    [
        ("relation", "visual_genome_relation"),
        ("relation_micro", "visual_genome_relation"),
        ("attribution_micro", "visual_genome_attribution"),
    ],
)
def test_aro_asks_a_row_of_the_file_of_the_task(index, id_of, task, file):
    row = official(index, f"aro/{file}.json")[3]
    wanted = Question(
        (id_of[row["image_path"]],), ((row["true_caption"],),), (row["false_caption"],)
    )
    assert asked(index, "aro", task, 3) == {3: wanted}


@pytest.mark.parametrize(
    ("task", "file"), [("order", "coco_order"), ("flickr30k_order", "flickr30k_order")]
)
def test_order_asks_for_a_caption_among_its_own_words(index, id_of, task, file):
    row = official(index, f"aro/{file}.json")[0]
    found = asked(index, "aro", task, 0)[0]
    assert found.images == (id_of[row["image"].rpartition("/")[2]],)
    (true,) = found.captions[0]
    assert true.split() == row["caption"][0].lower().rstrip(".").replace(",", "").split()
    assert found.wrong and all(sorted(each.split()) == sorted(true.split()) for each in found.wrong)


def test_a_case_of_another_index_is_refused(index):
    for benchmark, task in (("retrieval", "text_to_image"), ("siblings", "group")):
        with pytest.raises(SemtokError, match=f"nothing of case {10**12} of {benchmark} test"):
            asked(index, benchmark, task, 10**12)


def test_a_control_shows_no_cases():
    assert question.can_show("siblings")
    assert not question.can_show("siblings_permuted")
    assert all(map(question.can_show, ("retrieval", "sugar_crepe", "winoground", "aro")))
