"""What perfect, constant and random scorers get, in the benchmarks that choose among captions.

`test_probing` says that of the probes; `test_saliency` and `test_removal`, whose values have no
chance level, say what a perfect and a constant one get.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy import stats

from semtok.bench.benchmark import find, split_data
from semtok.bench.cases import by_task, metrics
from semtok.bench.scoring import ask
from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH
from semtok.tokens.shards import TokenShards
from tests.bench.conftest import image_name
from tests.bench.test_sugar_crepe import SUBSETS
from tests.bench.test_vsr import lines as vsr_lines
from tests.bench.test_vsr import row as vsr_row
from tests.bench.test_winoground import lines as winoground_lines
from tests.bench.test_winoground import row as winoground_row

CLASSES = ("hen", "ox", "zebra")
BENCHMARKS = (
    *("retrieval", "karpathy", "siblings", "winoground", "aro", "sugar_crepe", "vsr"),
    "classification",
)


class Truth:
    """Captions, and the images that they are true of."""

    def __init__(self, ids):
        self.ids, self.images = ids, {}

    def true(self, caption, *images):
        """Note a caption as true of some images."""
        self.images.setdefault(caption, set()).update(images)
        return caption


def captions_of(truth, name):
    """Five captions an image, the last one true of the next image too; or the names of classes."""
    rows = []
    for place, each in enumerate(truth.ids):
        if name == "classification":
            rows.append((each, truth.true(CLASSES[place % 3], each)))
            continue
        following = truth.ids[(place + 1) % len(truth.ids)]
        for n in range(5):
            others = (following,) if n == 4 else ()
            rows.append((each, truth.true(f"image {each} has {n}", each, *others)))
    captions = [(n, *row) for n, row in enumerate(rows)]
    pairs = [(n, image) for n, (_, text) in enumerate(rows) for image in truth.images[text]]
    return (
        pa.table([*map(list, zip(*captions, strict=True))], CAPTIONS.columns),
        pa.table([*map(list, zip(*pairs, strict=True))], TRUTH.columns),
    )


def siblings_of(truth):
    rows = [
        (a, b, "roles", truth.true(f"{a} chases {b}", a), truth.true(f"{b} chases {a}", b))
        for a, b in zip(truth.ids[::2], truth.ids[1::2], strict=True)
    ]
    return pa.Table.from_pylist(
        [dict(zip(SIBLINGS.columns.names, row, strict=True)) for row in rows]
    )


def files_of(truth):
    """Official files, whose captions are each true of one image, or of none."""
    ids = truth.ids

    def image(n):
        return ids[n % len(ids)]

    def pair(n, task):
        sides = {"bbox_x": 0, "bbox_y": 0, "bbox_w": 8, "bbox_h": 8}
        true = truth.true(f"{task} {n} is right", image(n))
        return {
            "image_path": image_name(image(n)),
            "true_caption": true,
            "false_caption": f"{task} {n} is wrong",
            "relation_name": ("behind", "chasing")[n % 2],
            "attributes": ["red", "blue"],
            **sides,
        }

    def order(n, task):
        words = f"the {task} {n} eats green grass"
        tags = ["DT", "NN", "CD", "VB", "JJ", "NN"]
        return {
            "image": image_name(image(n)),
            "caption": [truth.true(words, image(n))],
            "tags": [tags],
        }

    rows = range(60)
    found = {
        "classification/classes.json": {"classes": CLASSES, "ordered": False},
        "aro/visual_genome_relation.json": [pair(n, "relation") for n in rows],
        "aro/visual_genome_attribution.json": [pair(n, "attribution") for n in rows],
        "aro/coco_order.json": [order(n, "coco") for n in rows],
        "aro/flickr30k_order.json": [order(n, "flickr") for n in rows],
    }
    for name in SUBSETS:
        found[f"sugar_crepe/{name}.json"] = {
            str(n): {
                "filename": image_name(image(n)),
                "caption": truth.true(f"{name} {n} is right", image(n)),
                "negative_caption": f"{name} {n} is wrong",
            }
            for n in range(25)
        }
    statements = [
        vsr_row(image(n // 2), f"the {n} is behind", n % 2, "behind") for n in range(2 * len(ids))
    ]
    for row, n in zip(statements, range(2 * len(ids)), strict=True):
        if row["label"]:
            truth.true(row["caption"], image(n // 2))
    found |= vsr_lines(statements)
    found |= winoground_lines(
        [
            winoground_row(
                n,
                [image_name(image(n + end)).removesuffix(".jpg") for end in range(2)],
                [truth.true(f"word {end} of {n}", image(n + end)) for end in range(2)],
            )
            for n in rows
        ]
    )
    return found


class Perfect:
    """Sees of which images a caption is true: those alone are similar to it."""

    def __init__(self, truth):
        self.place = {each: n for n, each in enumerate(truth.ids)}
        self.truth = truth
        self.classes = ()

    def embed_images(self, images, emit=None):
        return self._axes()[[self.place[each] for each in images.image_ids.tolist()]]

    def embed_texts(self, captions, emit=None):
        return torch.stack([self._text(each) for each in captions])

    def _text(self, caption):
        images = self.truth.images.get(caption, ())
        axes = [self.place[each] for each in images] or [-1]
        return torch.nn.functional.normalize(self._axes()[axes].sum(dim=0), dim=0)

    def _axes(self):
        return torch.eye(len(self.place) + 1)


class Constant(Perfect):
    """Makes the same of everything."""

    def embed_images(self, images, emit=None):
        return self._same(len(images))

    def embed_texts(self, captions, emit=None):
        return self._same(len(captions))

    def _same(self, count):
        vector = torch.nn.functional.normalize(torch.linspace(-1, 2, 24), dim=0)
        return vector.expand(count, -1)


class Random(Perfect):
    """Makes of each image and caption a vector of its own, drawn blindly."""

    def embed_images(self, images, emit=None):
        return self._drawn([[each] for each in images.image_ids.tolist()])

    def embed_texts(self, captions, emit=None):
        return self._drawn([[7, *each.encode()] for each in captions])

    def _drawn(self, keys):
        rows = [np.random.default_rng(key).normal(size=24) for key in keys]
        return torch.nn.functional.normalize(torch.tensor(np.array(rows)), dim=1)


@pytest.fixture
def told(trained, with_files):
    """A function: a benchmark and a scorer -> the cases."""

    def score(name, scorer):
        images = TokenShards(trained.shards["test"])
        truth = Truth(sorted(images.image_ids.tolist()))
        known = with_files(files_of(truth))
        captions, pairs = captions_of(truth, name)
        known = replace(known, captions=captions, truth=pairs, siblings=siblings_of(truth))
        data = split_data("test", images, known)
        (cases,) = ask(scorer(truth), data, {name: find(name)}, 0)
        return cases

    return score


def scores(cases):
    """Task -> R@1, in percent."""
    (of_split,) = metrics(cases).values()
    return {task: each["R@1"] for task, each in of_split["test"].items() if "R@1" in each}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_perfect_scorer_has_everything_and_a_constant_one_nothing(told, name):
    perfect, constant = (scores(told(name, scorer)) for scorer in (Perfect, Constant))
    # Where one answer of several true ones is meant, a perfect observer has to guess.
    meant = {task for task in perfect if task.startswith("text_to_image") and "any" not in task}
    assert {task for task, value in perfect.items() if value != pytest.approx(100)} <= meant
    assert min(perfect.values()) >= 80, "one caption in five is true of two images"
    assert set(constant.values()) == {0}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_random_scorer_is_inside_its_binomial_interval(told, name):
    asked = 0
    for task, each in by_task(told(name, Random)).items():
        if task.is_part or each.values is not None:
            continue
        hits, cases = int((each.ranks[0] == 1).sum()), len(each.case_ids)
        low, high = stats.binom.interval(0.999, cases, np.mean(each.answers / each.candidates))
        assert low <= hits <= high, task
        asked += cases
    assert asked > 25
