"""The benchmarks `saliency` and `corloc`: known answers, and a variant through all of scoring."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import (
    accuracy_score,
    fbeta_score,
    jaccard_score,
    precision_recall_curve,
)

from semtok.bench import corloc, saliency
from semtok.bench.benchmark import split_data
from semtok.bench.cases import metrics
from semtok.bench.embedding import Model
from semtok.bench.lost import gram_bias, hits, lost
from semtok.bench.overlap import Overlap, f_curve, overlap
from semtok.bench.scoring import score
from semtok.bench.token_cut import token_cut
from semtok.bench.token_maps import TokenMap
from semtok.data import voc
from semtok.errors import SemtokError
from semtok.tokens.shards import TokenShards


def truth_of(image_id: int) -> np.ndarray:
    """A rectangle in 8 x 8 pixels, another one for each image."""
    truth = np.zeros((8, 8), bool)
    truth[image_id % 3 : 4 + image_id % 3, 1 : 4 + image_id % 4] = True
    return truth


def png(mask: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).save(stream, "png")
    return stream.getvalue()


def xml(mask: np.ndarray) -> str:
    (top, bottom), (left, right) = (np.flatnonzero(mask.any(axis))[[0, -1]] + 1 for axis in (1, 0))
    ends = {"xmin": left, "ymin": top, "xmax": right, "ymax": bottom}
    box = "".join(f"<{name}>{at}</{name}>" for name, at in ends.items())
    return (
        "<annotation><filename>x.jpg</filename><size><width>8</width><height>8</height></size>"
        f"<object><bndbox>{box}</bndbox></object></annotation>"
    )


@pytest.fixture
def asked(trained) -> list[int]:
    """Images of test that have files; the others are not asked."""
    return sorted(TokenShards(trained.shards["test"]).image_ids.tolist())[:20]


@pytest.fixture
def known(with_files, asked):
    """Files of images of test, of train (image 3), and of none."""
    files = {}
    for each in (*asked, 3, 999):
        files[f"saliency/ground_truth_mask/{each:012d}.png"] = png(truth_of(each))
        files[f"corloc/Annotations/{each:012d}.xml"] = xml(truth_of(each))
    return with_files(files)


class Drawn:
    """A model whose tokens are pixels, told apart by what a function says of each image."""

    def __init__(self, side_of) -> None:
        self._side_of = side_of

    def token_maps(self, images, places, features, emit):
        ends = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        for image_id in images.image_ids[places].tolist():
            side = self._side_of(image_id).astype(int)
            yield TokenMap(ends[side.ravel()], np.arange(side.size).reshape(side.shape))


def noisy(image_id: int) -> TokenMap:
    """A token a pixel, of random features that lean to one side where the object is."""
    features = np.random.default_rng(image_id).normal(size=(64, 3))
    features[:, 0] += truth_of(image_id).ravel()
    return TokenMap(torch.from_numpy(features), np.arange(64).reshape(8, 8))


class Noisy:
    """A model of such tokens."""

    def token_maps(self, images, places, features, emit):
        return map(noisy, images.image_ids[places].tolist())


def maps_of(model: Model, images: Any, features: Any) -> dict[int, TokenMap]:
    """The token maps of all images, by their ids."""
    found = model.token_maps(images, np.arange(len(images)), features)
    return dict(zip(images.image_ids.tolist(), found, strict=True))


def values(table) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in table.sort_by([("task", "ascending"), ("case_id", "ascending")]).to_pylist():
        found.setdefault(row["task"], []).append(row["value"])
    return found


def test_a_perfect_model_has_everything_and_a_constant_one_the_floor(trained, known, asked) -> None:
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    perfect, constant = Drawn(truth_of), Drawn(lambda image_id: np.zeros((2, 2), bool))
    best, floor = (values(saliency.score(each, data)) for each in (perfect, constant))
    for task in ("f", "iou", "accuracy", "max_f"):
        assert best[task] == pytest.approx([100] * len(asked))
    assert values(corloc.score(perfect, data))["lost"] == [100] * len(asked)
    shares = [100 * truth_of(each).mean() for each in asked]
    assert floor["iou"] == floor["accuracy"] == pytest.approx(shares)
    assert floor["max_f"] == pytest.approx(floor["f"])
    # Floors are of no model.
    for task in ("f", "iou", "accuracy"):
        assert floor[task] == best[f"{task}_whole"] == floor[f"{task}_whole"]
        assert best[f"{task}_centre"] == floor[f"{task}_centre"]
    # Without a bias all products are positive: the whole image, which no object half fills.
    unbiased = replace(data, settings={"corloc": {"bias": "none"}})
    nothing = {"lost": [0] * len(asked), "whole": [0] * len(asked)}
    assert values(corloc.score(constant, unbiased)) == nothing
    floors = {f"{task}_{name}" for task in Overlap._fields for name in ("whole", "centre")}
    ids = {task: each.tolist() for task, each in saliency.case_ids(data).items()}
    assert ids == dict.fromkeys({*Overlap._fields, "max_f", *floors}, asked)
    assert {*best} == {*ids}
    ids = {task: each.tolist() for task, each in corloc.case_ids(data).items()}
    assert ids == dict.fromkeys(("lost", "whole"), asked)


def test_floors_are_scikit_learns(trained, known, asked) -> None:
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    found = values(saliency.score(Drawn(truth_of), data))
    centre = np.zeros((8, 8), bool)
    centre[2:6, 2:6] = True
    for name, answer in (("whole", np.ones((8, 8), bool)), ("centre", centre)):
        for place, each in enumerate(asked):
            both = truth_of(each).ravel(), answer.ravel()
            wanted = {
                "f": fbeta_score(*both, beta=0.3**0.5),
                "iou": jaccard_score(*both),
                "accuracy": accuracy_score(*both),
            }
            for task, value in wanted.items():
                assert found[f"{task}_{name}"][place] == pytest.approx(100 * value)
            # At every threshold alike: a floor of max F, too.
            curve = f_curve(answer.astype(float), truth_of(each))
            assert curve == pytest.approx(wanted["f"])


def test_the_whole_image_finds_what_fills_half_of_it(trained, with_files, asked) -> None:
    """Of each second image the object fills 5 of 8 rows, of the others 3."""
    truth = {each: np.zeros((8, 8), bool) for each in asked}
    for place, each in enumerate(asked):
        truth[each][: 3 + 2 * (place % 2)] = True
    files = {f"corloc/Annotations/{each:012d}.xml": xml(truth[each]) for each in asked}
    data = split_data("test", TokenShards(trained.shards["test"]), with_files(files))
    found = values(corloc.score(Drawn(truth_of), data))
    assert found["whole"] == [100.0 * (place % 2) for place in range(len(asked))]


def sklearn_curve(heat: np.ndarray, truth: np.ndarray) -> list[float]:
    """F (beta^2 = 0.3) of the pixels above each of 0/255, 1/255, ..., 254/255."""
    precision, recall, levels = precision_recall_curve(truth.ravel(), heat.ravel())
    curve = []
    for each in range(255):
        place = np.searchsorted(levels, each / 255, side="right")  # its pixels are at or above
        both = 0.3 * precision[place] + recall[place]
        curve.append(1.3 * precision[place] * recall[place] / both if both else 0.0)
    return curve


def test_max_f_is_at_the_best_of_all_thresholds(trained, known, asked) -> None:
    data = split_data("test", TokenShards(trained.shards["test"]), known)
    found = values(saliency.score(Noisy(), data))["max_f"]
    curves = []
    for each in asked:
        tokens = noisy(each)
        heat = token_cut(tokens.features, tokens.owners, 0.2).heat.reshape(8, 8)
        curves.append(sklearn_curve(heat, truth_of(each)))
    mean = np.mean(curves, axis=0)
    assert np.mean(found) == pytest.approx(100 * mean.max())
    assert found == pytest.approx([100 * curve[int(mean.argmax())] for curve in curves])
    assert len({*mean.round(6).tolist()}) > 50  # thresholds differ
    # One threshold for all images is not the best one of each.
    assert np.mean(found) < 100 * np.max(curves, axis=1).mean()


def test_a_variant_is_scored_by_its_settings(trained, known, asked, tmp_path) -> None:
    settings = {
        "saliency": {"tau": 0.5, "features": "values"},
        "corloc": {"features": "queries", "bias": "none"},
    }
    folders = {"test": trained.shards["test"]}
    names = ["saliency", "corloc"]
    table = score(trained.checkpoint, folders, known, names, tmp_path, settings=settings)
    images = TokenShards(trained.shards["test"])
    for seed in (0, 1):
        model = Model(trained.checkpoint / f"seed-{seed}")
        of_seed = values(table.filter([each == seed for each in table["seed"].to_pylist()]))
        by_values, by_queries = (maps_of(model, images, name) for name in ("values", "queries"))
        right = []
        for place, each in enumerate(asked):
            mask = token_cut(by_values[each].features, by_values[each].owners, 0.5).mask
            painted = np.kron(mask.reshape(2, 2), np.ones((4, 4), bool))
            wanted = overlap(painted, truth_of(each))
            for task, value in wanted._asdict().items():
                assert of_seed[task][place] == pytest.approx(100 * value)
            box = lost(by_queries[each].features, by_queries[each].owners)
            file = known.folder / f"benchmarks/corloc/Annotations/{each:012d}.xml"
            right.append(100.0 * hits(tuple(4.0 * end for end in box), voc.parse(file)[2]))
        assert of_seed["lost"] == right
    told = metrics(table)
    assert told["corloc"]["test"]["lost"].keys() == {"mean"}
    assert told["saliency"]["test"].keys() == {
        *saliency.case_ids(split_data("test", images, known))
    }


def test_the_bias_is_of_images_that_have_boxes(trained, known, asked) -> None:
    model = Model(trained.checkpoint / "seed-0")
    images = TokenShards(trained.shards["test"])
    data = split_data("test", images, known)
    maps = maps_of(model, images, "keys")
    bias = gram_bias([maps[each].features for each in asked], "centre")
    boxes = [lost(maps[each].features, maps[each].owners, bias) for each in asked]
    folder = known.folder / "benchmarks/corloc/Annotations"
    truths = [voc.parse(folder / f"{each:012d}.xml")[2] for each in asked]
    right = [
        100.0 * hits(tuple(4.0 * end for end in box), truth)
        for box, truth in zip(boxes, truths, strict=True)
    ]
    assert values(corloc.score(model, data))["lost"] == right


def test_images_that_are_not_asked_are_not_encoded(trained, known, asked, monkeypatch) -> None:
    """Those of the bias are, once more."""
    images = TokenShards(trained.shards["test"])
    data = split_data("test", images, known)
    for module, bias in ((saliency, 0), (corloc, 7)):
        monkeypatch.setattr("semtok.bench.lost._OF_BIAS", 7)
        encoded: list[int] = []
        model = Drawn(lambda each, encoded=encoded: encoded.append(each) or truth_of(each))
        module.score(model, data)
        assert sorted(encoded[bias:]) == asked
        assert len(encoded[:bias]) == bias and {*encoded[:bias]} < {*asked}


def test_what_cannot_be_asked_is_refused(trained, known, with_files, asked) -> None:
    model = Model(trained.checkpoint / "seed-0")
    images = TokenShards(trained.shards["test"])
    data = split_data("test", images, known)
    for settings, told in (
        ({"saliency": {"tau": 2}}, r"bench\.settings\.saliency: tau: input should be less than or"),
        ({"saliency": {"tua": 0.2}}, r"bench\.settings\.saliency: tua: unknown key"),
        ({"corloc": {"bias": "mean"}}, "give none, centre, or a percentile"),
    ):
        with pytest.raises(SemtokError, match=told):
            for module in (saliency, corloc):
                module.score(model, replace(data, settings=settings))
    mask = known.folder / f"benchmarks/{saliency.FOLDER}/{asked[0]:012d}.png"
    mask.write_bytes(png(np.ones((8, 9), bool)))
    with pytest.raises(SemtokError, match="is 9 x 8 pixels, its image 8 x 8; replace it"):
        saliency.score(model, data)
    for module, folder in ((saliency, "ground_truth_mask"), (corloc, "Annotations")):
        nothing = split_data("test", images, trained.annotations)
        with pytest.raises(SemtokError, match=rf"{folder}: missing; put .*{folder} into the data"):
            module.case_ids(nothing)
