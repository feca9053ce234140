"""Karpathy's protocols against plain loops and torchmetrics, and what perfect and constant get."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from torchmetrics.retrieval import RetrievalHitRate

from semtok.bench import comparison, karpathy, retrieval
from semtok.bench.benchmark import split_data
from semtok.bench.cases import CASES, RECALLS, Task, by_task, metrics
from semtok.bench.scoring import ask
from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH, Annotations

IMAGES, FOLD = 72, 14  # two are in no fold
NAME = "karpathy"
WAYS = ("", "_folds", "_all", "_folds_all")


class Vectors:
    """A model whose vectors are given, by image id and by caption."""

    classes = ()

    def __init__(self, images, captions):
        self.images, self.captions = images, captions

    def embed_images(self, images, emit=None):
        return torch.stack([self.images[each] for each in images.image_ids.tolist()])

    def embed_texts(self, captions, emit=None):
        return torch.stack([self.captions[each] for each in captions])


@pytest.fixture(scope="module")
def data():
    """Images in no order with five to seven captions each; every third caption is true of two."""
    random = np.random.default_rng(0)
    ids = 10 + random.permutation(IMAGES)
    owners = random.permutation(np.concatenate([ids.repeat(5), ids[:20], ids[5:9]]))
    rows = [(n, int(owner), f"caption {n}") for n, owner in enumerate(owners)]
    captions = pa.table([*map(list, zip(*rows, strict=True))], CAPTIONS.columns)
    other = {n: int(random.choice(ids[ids != owner])) for n, owner, _ in rows[::3]}
    pairs = sorted({*((n, owner) for n, owner, _ in rows), *other.items()})
    truth = pa.table([*map(list, zip(*pairs, strict=True))], TRUTH.columns)

    class Files:
        folder, image_ids = None, ids.astype(np.int64)

        def __len__(self):
            return IMAGES

    empty = SIBLINGS.columns.empty_table()
    return split_data("test", Files(), Annotations(captions, truth, empty))


def scored(data, images, captions):
    [table] = ask(Vectors(images, captions), data, {NAME: karpathy}, 0)
    return table


@pytest.fixture(scope="module")
def noisy(data):
    """Vectors of which some captions find their images."""
    torch.manual_seed(0)
    unit = torch.nn.functional.normalize
    images = {each: unit(torch.randn(16), dim=0) for each in data.images.image_ids.tolist()}
    captions = {
        row["caption"]: unit(images[row["image_id"]] + 0.8 * torch.randn(16), dim=0)
        for row in data.captions.to_pylist()
    }
    return images, captions


def folds(data, way):
    """The definition: rows of captions and ids of images, of each fold."""
    rows = data.captions.to_pylist()  # by caption id
    ids = sorted(data.images.image_ids.tolist())
    parts = [ids[FOLD * n : FOLD * (n + 1)] for n in range(5)] if "folds" in way else [ids]
    for part in parts:
        kept = []
        for image in part:
            own = [row for row in rows if row["image_id"] == image]
            kept += own if "all" in way else own[:5]
        yield part, sorted(kept, key=lambda row: row["caption_id"])


def hit_rates(similarities, belongs):
    """torchmetrics: a hit is where anything right is among the first K."""
    queries = torch.arange(len(similarities))[:, None].expand_as(similarities)
    return [
        100 * float(RetrievalHitRate(top_k=limit)(similarities, belongs, indexes=queries))
        for limit in RECALLS.values()
    ]


@pytest.mark.parametrize("way", WAYS)
def test_recalls_are_those_of_torchmetrics_and_rsum_their_sum(data, noisy, way):
    images, captions = noisy
    found = metrics(scored(data, images, captions))[NAME]["test"]
    wanted, ranks = {"image_to_text": [], "text_to_image": []}, []
    for part, rows in folds(data, way):
        similarities = (
            torch.stack([images[each] for each in part])
            @ torch.stack([captions[row["caption"]] for row in rows]).T
        )
        owners = [row["image_id"] for row in rows]
        belongs = torch.tensor(part)[:, None] == torch.tensor(owners)
        wanted["image_to_text"].append(hit_rates(similarities, belongs))
        wanted["text_to_image"].append(hit_rates(similarities.T, belongs.T))
        right = similarities.T[belongs.T]
        ranks += (right[:, None] <= similarities.T).sum(dim=1).tolist()
    total = 0.0
    for task, recalls in wanted.items():
        of_task = found[task + way]
        assert [of_task[name] for name in RECALLS] == pytest.approx(np.mean(recalls, axis=0))
        assert 0 < of_task["R@1"] < of_task["R@5"] < of_task["R@10"] < 100
        total += np.mean(recalls, axis=0).sum()
    assert found["text_to_image" + way]["median_rank"] == np.median(ranks)
    assert found["rsum" + way] == {"mean": pytest.approx(total)}


def test_cases_are_those_that_it_says(data, noisy):
    table = scored(data, *noisy)
    assert table.schema.equals(CASES.columns)
    found = by_task(table)
    for task, ids in karpathy.case_ids(data).items():
        assert sorted(ids) == found[Task(NAME, "test", task)].case_ids.tolist()
    assert len(found) == 12
    of_texts = found[Task(NAME, "test", "text_to_image_folds")]
    assert len(of_texts.case_ids) == 5 * FOLD * 5
    assert set(of_texts.candidates.tolist()) == {FOLD}
    assert max(of_texts.truths) == 2, "what is true of a second image of the fold"


def test_with_all_it_is_retrieval(data, noisy):
    [same] = ask(Vectors(*noisy), data, {"retrieval": retrieval}, 0)
    found, wanted = by_task(scored(data, *noisy)), by_task(same)
    for task in ("image_to_text", "text_to_image"):
        one, other = (
            found[Task(NAME, "test", f"{task}_all")],
            wanted[Task("retrieval", "test", task)],
        )
        assert (one.ranks == other.ranks).all()
        assert (one.truths == other.truths).all()


def test_a_perfect_model_has_600_and_a_constant_one_nothing(data):
    ids = sorted(data.images.image_ids.tolist())
    own = dict(zip(ids, torch.eye(IMAGES), strict=True))
    rows = data.captions.to_pylist()
    perfect = own, {row["caption"]: own[row["image_id"]] for row in rows}
    one = torch.eye(IMAGES)[0]
    constant = dict.fromkeys(ids, one), {row["caption"]: one for row in rows}
    for vectors, wanted in ((perfect, 600.0), (constant, 0.0)):
        found = metrics(scored(data, *vectors))[NAME]["test"]
        assert {task: found[task]["mean"] for task in found if task.startswith("rsum")} == {
            f"rsum{way}": wanted for way in WAYS
        }


def test_the_interval_of_rsum_is_that_of_a_sum(data, noisy):
    """R@K of both ways are drawn together, by image."""
    cases = {name: scored(data, *noisy) for name in ("one", "other")}
    rows = comparison.compare(cases, "one", 100, 0.95).rows
    [row] = [each for each in rows if each.task == "rsum" and each.variant == "other"]
    assert (row.metric, row.points.low, row.points.high) == ("mean", 0, 0)
    assert row.value.low < row.value.estimate < row.value.high


def test_few_images_have_no_folds(data):
    few = type("Few", (), {"folder": None, "image_ids": data.images.image_ids[:4]})
    few.__len__ = lambda self: 4
    some = split_data(
        "test", few(), Annotations(data.captions, TRUTH.columns.empty_table(), data.siblings)
    )
    assert set(karpathy.case_ids(some)) == {
        f"{task}{way}"
        for task in ("image_to_text", "text_to_image", "rsum")
        for way in ("", "_all")
    }
