"""VSR: against a plain loop, on the rows of scenes, and on the real rows of the COCO sample."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from semtok.bench import missing, question, vsr
from semtok.bench.benchmark import split_data
from semtok.bench.cases import Task, metrics
from semtok.bench.embedding import Model
from semtok.bench.scoring import ask
from semtok.bench.thresholds import halves_of, judged
from semtok.data import files, indexing
from semtok.data.index import annotations, split_images
from semtok.errors import SemtokError
from semtok.params import DataSettings
from semtok.tokens import shards
from semtok.tokens.rows import PixelRows
from semtok.tokens.shards import TokenShards
from tests.bench.conftest import image_name

RELATIONS = ("behind", "left of", "touching")


def row(image, caption, label, relation):
    return {
        "image": image_name(image),
        "image_link": f"http://images.cocodataset.org/val2017/{image_name(image)}",
        "caption": caption,
        "label": label,
        "relation": relation,
        "annotator_id": 2,
        "vote_true_validator_id": "[2, 6]",
        "vote_false_validator_id": "[]",
        "reference_frame": None,
    }


def lines(rows):
    return {vsr.FILE: "".join(json.dumps(each) + "\n" for each in rows)}


def rows_on(ids):
    """Rows on some images, some of which have both answers, and three that are not asked."""
    random = np.random.default_rng(0)
    return [
        *(
            row(
                ids[n * n % len(ids)],
                f"The {'xyz'[n % 3]} is {RELATIONS[n % 3]} number {n}.",
                int(random.random() < 0.6),
                RELATIONS[n % 3],
            )
            for n in range(60)
        ),
        *(row(image, "The a is on the b.", 1, "on") for image in (3, 4, 999)),
    ]


@pytest.fixture
def known(trained, with_files):
    return with_files(lines(rows_on(TokenShards(trained.shards["test"]).image_ids.tolist())))


@pytest.fixture
def data(trained, known):
    return split_data("test", TokenShards(trained.shards["test"]), known)


def asked_of(data):
    """The number and content of each row on an image of the split."""
    text = (data.index / "benchmarks" / vsr.FILE).read_text()
    here = set(data.images.image_ids.tolist())
    rows = [json.loads(line) for line in text.splitlines()]
    return {n: each for n, each in enumerate(rows) if int(each["image"][:12]) in here}


def plainly(model, data):
    """The number of each row -> the similarity of its caption and image."""
    images = model.embed_images(data.images).double()
    vectors = dict(zip(data.images.image_ids.tolist(), images, strict=True))
    return {
        n: float(
            model.embed_texts([each["caption"]])[0].double() @ vectors[int(each["image"][:12])]
        )
        for n, each in asked_of(data).items()
    }


def test_cases_are_those_of_a_plain_loop(trained, data):
    model, rows = Model(trained.checkpoint / "seed-1"), asked_of(data)
    similar = plainly(model, data)
    image_of = {n: int(each["image"][:12]) for n, each in rows.items()}
    true = np.array([each["label"] == 1 for each in rows.values()])
    halves = halves_of(np.array([*image_of.values()]), [each["caption"] for each in rows.values()])
    right = judged(np.array([*similar.values()]), true, halves)
    wanted = {}
    for (n, each), is_right in zip(rows.items(), right, strict=True):
        for task, group in (
            ("statement", str(each["label"] == 1)),
            ("statement_micro", None),
            ("relation", each["relation"]),
            (f"relation/{each['relation']}", None),
        ):
            wanted[task, n] = (image_of[n], 1 if is_right else 2, 2, group)
        rivals = [
            similar[m]
            for m, other in rows.items()
            if other["image"] == each["image"] and not other["label"]
        ]
        if each["label"] and rivals:
            rank = 1 + sum(other >= similar[n] for other in rivals)
            wanted["caption", n] = (image_of[n], rank, 1 + len(rivals), None)
    told = []
    found = vsr.score(model, data, told.append)
    assert {
        (r["task"], r["case_id"]): (r["cluster_id"], r["rank"], r["candidates"], r["group"])
        for r in found.to_pylist()
    } == wanted
    assert found.num_rows == len(wanted)
    assert sum(task == "caption" for task, _ in wanted) > 5
    assert 5 < right.sum() < len(right) - 5
    ids = vsr.case_ids(data)
    assert {(task, each) for task in ids for each in ids[task].tolist()} == set(wanted)
    assert told[0].text == (
        "vsr: 60 of 63 rows are on images of test; not asked: no image of the data set 1, train 2"
    )


def test_means_are_those_of_scikit_learn(trained, data):
    (cases,) = ask(Model(trained.checkpoint / "seed-1"), data, {"vsr": vsr}, 1)
    found = {task: each["R@1"] for task, each in metrics(cases)["vsr"]["test"].items()}
    labels = {n: each["label"] for n, each in asked_of(data).items()}
    told = {
        each["case_id"]: labels[each["case_id"]] ^ (each["rank"] == 2)
        for each in cases.to_pylist()
        if each["task"] == "statement"
    }
    said = [told[n] for n in labels]
    assert found["statement"] == pytest.approx(
        100 * balanced_accuracy_score([*labels.values()], said), abs=1e-9
    )
    micro = 100 * np.mean(np.array([*labels.values()]) == said)
    assert found["statement_micro"] == pytest.approx(micro)
    assert found["statement"] != pytest.approx(micro, abs=0.1)
    of_relations = [found[f"relation/{name}"] for name in RELATIONS]
    assert found["relation"] == pytest.approx(np.mean(of_relations))


class Oracle:
    """Looks the label up, or nothing: all captions alike."""

    classes = ()

    def __init__(self, data, sees):
        self.true = {each["caption"]: each["label"] for each in asked_of(data).values()}
        self.sees = sees

    def embed_images(self, images, emit=None):
        return torch.tensor([[1.0, 0.0]]).expand(len(images), 2)

    def embed_texts(self, captions, emit=None):
        cosines = torch.tensor([float(self.sees and self.true[each]) for each in captions])
        return torch.stack([cosines, (1 - cosines**2).sqrt()], dim=1)


@pytest.mark.parametrize(("sees", "share"), [(True, 100), (False, 0)])
def test_known_answers(data, sees, share):
    (cases,) = ask(Oracle(data, sees), data, {"vsr": vsr}, 0)
    values = {each["R@1"] for each in metrics(cases)["vsr"]["test"].values()}
    assert values == {share}


def test_cases_show_what_they_ask(data):
    asked = asked_of(data)
    ids = vsr.case_ids(data)
    for task in ("statement", "caption"):
        found = question.questions(Task("vsr", "test", task), data.index, ids[task].tolist())
        for n, each in found.items():
            own = asked[n]
            assert each.images == (int(own["image"][:12]),)
            assert each.captions == ((own["caption"],) if own["label"] else (),)
            if task == "statement":
                assert each.wrong == (() if own["label"] else (own["caption"],))
            else:
                rivals = [r["caption"] for r in asked.values() if r["image"] == own["image"]]
                assert set(each.wrong) < set(rivals) and each.wrong


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, r"put vsr/all_vsr_validated_data\.jsonl into the data root"),
        ('{"image": "a.jpg"}', r"all_vsr_validated_data.jsonl: \[0\].caption: missing"),
        (json.dumps(row(7, "a", 1, "on")) + "\n{", "line 2: no JSON"),
        (json.dumps(row(7, "a", 2, "on")), r"\[0\].label: 2 is neither 0 nor 1"),
        (json.dumps(row(7, "a", "True", "on")), r"\[0\].label: 'True' is not an integer"),
    ],
)
def test_a_damaged_file_is_named(trained, with_files, text, fault):
    known = with_files({} if text is None else {vsr.FILE: text})
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    with pytest.raises(SemtokError, match=fault):
        vsr.case_ids(data)


def test_a_split_without_rows_is_asked_nothing(trained, known):
    data = split_data("val", TokenShards(trained.shards["val"]), known)
    assert vsr.score(Model(trained.checkpoint / "seed-0"), data).num_rows == 0
    assert vsr.case_ids(data) == {}


def test_the_real_rows_of_the_sample(trained, coco_sample, tmp_path):
    """30 rows of the benchmark: 23 on training images, the others each asked in its split."""
    root, staging = tmp_path / "root", tmp_path / "index"
    (root / vsr.FILE).parent.mkdir(parents=True)
    staging.mkdir()
    for name in ("annotations", "train2017", "val2017"):
        (root / name).symlink_to(coco_sample / name)
    (root / vsr.FILE).write_bytes((coco_sample / "vsr.jsonl").read_bytes())
    settings = DataSettings("coco", "coco", "", shards=2, rejected_share=1.0)
    indexing.build(root, files.list_files(root), settings, staging)
    missing.hold(staging, {"vsr": vsr}, {}, 0.0, tmp_path)  # rows on training images are there
    known = annotations(staging)
    asked, told = {}, []
    for split in ("val", "test"):
        wanted = split_images(staging, split)["image_id"].to_pylist()
        pixels = np.random.default_rng(0).integers(0, 256, (len(wanted), 8, 8, 3), np.uint8)
        tokens = {"scheme": "grid", "settings": {"image_size": 8}}
        rows = PixelRows(np.array(wanted), pixels)
        path = tmp_path / split / "000.arrow"
        shards.write(path, shards.pixels_schema(8), rows, (), tokens, "f")
        data = split_data(split, TokenShards(path.parent), known)
        table = vsr.score(Model(trained.checkpoint / "seed-0"), data, told.append).to_pylist()
        asked[split] = {each["case_id"] for each in table if each["task"] == "statement"}
    every = [json.loads(line) for line in (root / vsr.FILE).read_text().splitlines()]
    on_val = {n for n, each in enumerate(every) if "val2017" in each["image_link"]}
    assert len(on_val) == 7
    assert asked["val"] | asked["test"] == on_val
    assert not asked["val"] & asked["test"]
    said = [each.text for each in told if "rows are on" in getattr(each, "text", "")]
    assert len(said) == 2
    assert all("of 30 rows" in each and "train 23" in each for each in said)
