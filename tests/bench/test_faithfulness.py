"""Comprehensiveness and sufficiency, against plain loops in float64 over masked tokens."""

import itertools
import json
import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
import torch

from semtok.bench import benchmark, faithfulness
from semtok.bench.cases import CASES, by_task, metrics
from semtok.bench.embedding import Model
from semtok.bench.intervals import resample
from semtok.bench.removal import ATTRIBUTIONS, LIME, RANDOM, SHARES, attributions
from semtok.bench.scoring import score
from semtok.tables import read_table

WHOLE = (True,) * 4
MEASURES = ("comprehensiveness", "sufficiency")


@dataclass
class Ids:
    """Images of which the ids alone are read."""

    image_ids: np.ndarray


@pytest.fixture(scope="module")
def scored(trained):
    """A training of random weights on images of four patches: it, its data and its cases."""
    model = Model(trained.checkpoint / "seed-0")
    data = benchmark.split_data(
        "test", model.open_shards(trained.shards["test"]), trained.annotations
    )
    return model, data, faithfulness.score(model, data).to_pylist()


@pytest.fixture(scope="module")
def by_hand(scored):
    """Which patches of an image there are -> the probability of its choice; and attributions."""
    model, data, _ = scored
    first = {}
    for row in data.captions.to_pylist():
        first.setdefault(row["image_id"], row["caption"])
    texts = sorted(set(first.values()))
    assert len(texts) < faithfulness.CAPTIONS  # all of them are asked
    vectors = model.embed_texts(texts).clone()
    scale = model.trained.model.logit_scale.item()
    batches = {}
    for place, image_id in enumerate(data.images.image_ids.tolist()):
        batches[image_id] = model.trained.collate(data.images.rows(np.array([place])))

    @cache
    def shares(image_id, there):
        batch = batches[image_id]
        masked = replace(batch, valid=torch.tensor([there]))  # and not cut out
        with torch.no_grad():
            image = model.trained.model.vision(masked)[0].double().tolist()
        logits = [
            scale * sum(a * b for a, b in zip(image, text, strict=True))
            for text in vectors.double().tolist()
        ]
        powers = [math.exp(each - max(logits)) for each in logits]
        return [each / sum(powers) for each in powers]

    def probability(image_id, there):
        whole = shares(image_id, WHOLE)
        return shares(image_id, tuple(there))[whole.index(max(whole))]

    def told(image_id):
        whole = shares(image_id, WHOLE)
        chosen = whole.index(max(whole))
        return attributions(
            model.trained.model.vision,
            batches[image_id],
            lambda image: (scale * image @ vectors.T).log_softmax(1)[:, chosen],
            vectors,
        )

    return probability, told


def aopc(probability, image_id, order):
    """Both measures of one image, in percent: `order` has the most telling patch first."""
    whole, lost, missing = probability(image_id, WHOLE), 0.0, 0.0
    for share in SHARES:
        told = order[: math.ceil(share * 4)]
        lost += whole - probability(image_id, [each not in told for each in range(4)])
        missing += whole - probability(image_id, [each in told for each in range(4)])
    return 100 * lost / len(SHARES), 100 * missing / len(SHARES)


def orders_by(merit):
    """Places, the most telling first: all orders that rounding may bring about."""
    for order in itertools.permutations(range(len(merit))):
        told = [merit[place] for place in order]
        if all(one >= other - 1e-6 for one, other in itertools.pairwise(told)):
            yield order


def test_values_are_those_of_plain_loops(scored, by_hand):
    _, data, rows = scored
    values = {(row["task"], row["case_id"]): row["value"] for row in rows}
    count = len(ATTRIBUTIONS)
    assert len(values) == len(rows) == 30 * 2 * (4 * count + 1)
    probability, told = by_hand
    for image_id in data.images.image_ids.tolist():
        for number, (name, merit) in enumerate(told(image_id).items()):
            case = image_id * count + number
            found = tuple(values[measure, case] for measure in MEASURES)
            assert found == tuple(values[f"{measure}/{name}", case] for measure in MEASURES)
            wanted = [aopc(probability, image_id, order) for order in orders_by(merit[0].tolist())]
            assert any(found == pytest.approx(each, abs=1e-4) for each in wanted)
    for row in rows:
        per_image = 1 if row["task"].endswith(f"_{RANDOM}") else count
        assert row["cluster_id"] == row["case_id"] // per_image
    assert np.std([row["value"] for row in rows]) > 0.1


def test_a_gain_is_how_much_better_than_random_an_attribution_is_on_each_image(scored):
    _, data, rows = scored
    values = {(row["task"], row["case_id"]): row["value"] for row in rows}
    losses = {row["task"]: row["loss"] for row in rows}
    count = len(ATTRIBUTIONS)
    for measure, sign in (("comprehensiveness", 1), ("sufficiency", -1)):
        assert losses[measure] == (sign < 0) and not losses[f"{measure}_gain"]
        for image_id in data.images.image_ids.tolist():
            for number, name in enumerate(ATTRIBUTIONS):
                case = image_id * count + number
                found = values[f"{measure}_gain/{name}", case]
                own, floor = values[measure, case], values[f"{measure}_{RANDOM}", image_id]
                assert found == values[f"{measure}_gain", case] == sign * (own - floor)
                assert not losses[f"{measure}_gain/{name}"]


@pytest.fixture(scope="module")
def with_lime(scored):
    """The same, of whose tokens LIME is asked, too: its cases alone, and those of the others."""
    model, data, _ = scored
    asked = replace(data, settings={"faithfulness": {"lime_draws": 50}})
    rows = faithfulness.score(model, asked).to_pylist()
    assert {row["task"] for row in rows} == {*faithfulness.case_ids(asked)}
    return [[row for row in rows if (LIME in row["task"]) == of_lime] for of_lime in (True, False)]


def test_lime_changes_no_value_of_the_others(scored, with_lime):
    _, data, rows = scored
    assert with_lime[1] == rows
    assert not any(LIME in task for task in faithfulness.case_ids(data))


def test_lime_is_judged_as_attributions_are(scored, with_lime, by_hand):
    """Of four patches there are few sets: those that LIME was asked are the first of random orders.

    Its weights are fitted here by least squares with rows for the penalty.
    """
    _, data, _ = scored
    probability, _ = by_hand
    values = {(row["task"], row["case_id"]): row["value"] for row in with_lime[0]}
    for image_id in data.images.image_ids.tolist():
        random = np.random.default_rng([1, image_id]).random((4, 50))
        sets = np.zeros((50, 4))
        for row, merit in enumerate(random.T):
            sets[row, np.argsort(-merit)[: math.ceil((row + 1) / 50 * 4)]] = 1
        told = np.array([probability(image_id, [bool(each) for each in row]) for row in sets])
        weight = np.exp(-(((1 - np.sqrt(sets.mean(axis=1))) / 0.25) ** 2))
        inputs = np.sqrt(weight)[:, None] * np.column_stack([sets, np.ones(50)])
        penalty = np.eye(4, 5)
        outputs = np.concatenate([np.sqrt(weight) * told, np.zeros(4)])
        merit = np.linalg.lstsq(np.concatenate([inputs, penalty]), outputs, rcond=None)[0][:4]
        found = tuple(values[f"{measure}_{LIME}", image_id] for measure in MEASURES)
        wanted = [aopc(probability, image_id, order) for order in orders_by(merit.tolist())]
        assert any(found == pytest.approx(each, abs=1e-4) for each in wanted)


def test_others_are_held_against_lime_and_lime_against_random_orders(scored, with_lime):
    _, data, rows = scored
    values = {(row["task"], row["case_id"]): row["value"] for row in rows + with_lime[0]}
    losses = {row["task"]: row["loss"] for row in with_lime[0]}
    for measure, sign in (("comprehensiveness", 1), ("sufficiency", -1)):
        assert losses[f"{measure}_{LIME}"] == (sign < 0)
        assert not losses[f"{measure}_{LIME}_gain"] and not losses[f"{measure}_over_{LIME}"]
        for image_id in data.images.image_ids.tolist():
            own = values[f"{measure}_{LIME}", image_id]
            gain = sign * (own - values[f"{measure}_{RANDOM}", image_id])
            assert values[f"{measure}_{LIME}_gain", image_id] == gain
            for number, name in enumerate(ATTRIBUTIONS):
                case = image_id * len(ATTRIBUTIONS) + number
                over = sign * (values[measure, case] - own)
                assert values[f"{measure}_over_{LIME}/{name}", case] == over
                assert values[f"{measure}_over_{LIME}", case] == over


def test_the_floor_is_what_all_random_orders_come_to(scored, by_hand):
    """Of four patches all orders are counted; the floor's draws must lie around their mean."""
    _, data, rows = scored
    probability, _ = by_hand
    orders = [list(each) for each in itertools.permutations(range(4))]
    exact = {}
    for image_id in data.images.image_ids.tolist():
        exact[image_id] = np.mean([aopc(probability, image_id, each) for each in orders], axis=0)
    for place, measure in enumerate(MEASURES):
        off = [
            row["value"] - exact[row["case_id"]][place]
            for row in rows
            if row["task"] == f"{measure}_{RANDOM}"
        ]
        mean, error = np.mean(off), np.std(off, ddof=1) / math.sqrt(len(off))
        assert abs(mean) < 3 * error
        assert error > 0


def test_it_is_scored_as_every_benchmark_is(trained, tmp_path):
    table = score(
        trained.checkpoint, trained.shards, trained.annotations, ["faithfulness"], tmp_path
    )
    assert table.equals(read_table(tmp_path / "cases.parquet", CASES))
    numbers = metrics(table)["faithfulness"]["test"]
    assert set(numbers) == set(
        faithfulness.case_ids(
            benchmark.split_data(
                "test",
                Model(trained.checkpoint / "seed-0").open_shards(trained.shards["test"]),
                trained.annotations,
            )
        )
    )
    assert set(numbers["comprehensiveness_random"]) == {"mean"}
    assert set(numbers["sufficiency/rollout"]) == {"mean_loss"}
    parts = [numbers[f"comprehensiveness/{each}"]["mean"] for each in ATTRIBUTIONS]
    assert numbers["comprehensiveness"]["mean"] == pytest.approx(np.mean(parts))
    (floor,) = (
        each
        for task, each in by_task(table).items()
        if (task.split, task.task) == ("test", "comprehensiveness_random")
    )
    (drawn,) = (each["mean"] for each in resample([floor], 200))
    interval = drawn.interval(0.95)
    assert interval.low < interval.estimate < interval.high


def test_of_many_images_a_sample_is_asked_whatever_their_order(scored):
    _, data, _ = scored
    ids = np.arange(2000)
    many = replace(data, images=Ids(ids))
    shuffled = replace(data, images=Ids(np.random.default_rng(1).permutation(ids)))
    one, other = (faithfulness.sample(each) for each in (many, shuffled))
    assert one.tolist() == other.tolist()
    assert len(set(one.tolist())) == faithfulness.IMAGES
    assert one.tolist() != ids[: faithfulness.IMAGES].tolist()


def test_where_there_are_classes_they_are_what_is_chosen_from(scored, tmp_path):
    model, data, _ = scored
    path = tmp_path / "benchmarks" / "classification" / "classes.json"
    path.parent.mkdir(parents=True)
    names = ["a caption of x", "a caption of y"]
    path.write_text(json.dumps({"classes": names, "ordered": False}))
    found = faithfulness.candidates(model, replace(data, index=tmp_path))
    torch.testing.assert_close(found.float(), model.embed_texts(names))
