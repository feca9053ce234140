"""Superpixels through the training loop."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tokens.batch import SUPERPIXEL, TokenBatch
from semtok.tokens.dropping import drop
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.train.train import train


def run(given, folder) -> checkpoint.Checkpoint:
    train(**given, staging=folder, resume=folder / "resume")
    return checkpoint.load(folder)


def test_superpixels_train_and_come_back_to_the_bit(arguments, tmp_path) -> None:
    given = arguments("superpixel", steps=4)
    once, again = run(given, tmp_path / "once"), run(given, tmp_path / "again")
    shards = TokenShards(given["val_shards"])
    batch = once.collate(shards.rows(np.arange(5)))
    assert set(batch.kind[batch.valid].tolist()) == {SUPERPIXEL}
    assert once.model.config.vision.geometry_dim == 256
    with torch.inference_mode():
        assert torch.equal(once.model.encode_image(batch), again.model.encode_image(batch))


def test_tokens_that_are_dropped_make_another_training(arguments, tmp_path) -> None:
    given = arguments("superpixel", steps=4)
    whole = given | {"variant": replace(given["variant"], keep_tokens=None)}
    weights = [
        run(each, tmp_path / name).model.state_dict()["vision.embedding.cls"]
        for name, each in {"some": given, "all": whole}.items()
    ]
    assert not torch.equal(*weights)


def test_blocks_are_those_of_every_variant(arguments, tmp_path) -> None:
    roles = [
        run(
            arguments(name, steps=1, warmup=0, save_every=1), tmp_path / name
        ).model.parameters_by_role()
        for name in ("superpixel", "grid")
    ]
    assert roles[0]["blocks"] == roles[1]["blocks"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("superpixel", {"relation_bias": True}, "holds superpixels, which have no relations"),
        ("superpixel", {"neighbour_bias": True}, "holds superpixels, which have no"),
        ("grid", {"keep_tokens": 3}, "holds no superpixels, of which keep_tokens"),
    ],
)
def test_what_tokens_cannot_have_is_refused(arguments, tmp_path, name, changes, message) -> None:
    given = arguments(name)
    wrong = given | {"variant": replace(given["variant"], **changes)}
    with pytest.raises(SemtokError, match=message):
        train(**wrong, staging=tmp_path, resume=tmp_path / "resume")


def tokens(counts: list[int]) -> TokenBatch:
    """Tokens that hold their own number, from 1."""
    number = torch.arange(1, max(counts) + 1).repeat(len(counts), 1)
    valid = number <= torch.tensor(counts)[:, None]
    number = number * valid
    return TokenBatch(
        features=number[..., None].to(torch.uint8),
        geometry=number[..., None].float(),
        kind=valid * SUPERPIXEL,
        valid=valid,
        edges=torch.empty((len(counts), 0, 4), dtype=torch.int64),
        neighbours=torch.empty((*number.shape, 0), dtype=torch.int64),
    )


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=4),
    st.integers(1, 14),
    st.integers(0, 9),
    st.integers(0, 99),
)
def test_some_tokens_of_each_image_stay_in_order(counts, most, seed, step) -> None:
    batch = tokens(counts)
    left = drop(batch, np.arange(len(counts)), most, seed, step)
    for image, count in enumerate(counts):
        numbers = left.features[image, left.valid[image], 0].tolist()
        assert len(numbers) == min(count, most)
        assert numbers == sorted(set(numbers)) and set(numbers) <= set(range(1, count + 1))
        assert left.geometry[image, left.valid[image], 0].tolist() == numbers
        assert not left.features[image, ~left.valid[image]].any()
        assert not left.kind[image, ~left.valid[image]].any()


@given(
    st.lists(st.integers(1, 12), min_size=1, max_size=6, unique=True), st.integers(1, 6), st.data()
)
def test_what_stays_of_an_image_depends_on_no_other(counts, most, data) -> None:
    ids = np.array(counts) * 7
    whole = drop(tokens(counts), ids, most, 3, 5)
    part = data.draw(st.lists(st.sampled_from(range(len(counts))), min_size=1, unique=True))
    alone = drop(tokens([counts[n] for n in part]), ids[part], most, 3, 5)
    for row, n in enumerate(part):
        one, other = alone.features[row, alone.valid[row]], whole.features[n, whole.valid[n]]
        assert torch.equal(one, other)


def test_every_image_step_and_seed_draws_its_own() -> None:
    left = [
        drop(tokens([40]), np.array([image]), 20, seed, step).features[0, :, 0].tolist()
        for image, seed, step in ((1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1))
    ]
    assert len(set(map(tuple, left))) == 4
    # The order of an epoch's images is drawn from [seed, epoch].
    shuffled = np.random.default_rng([0, 0]).random(40).argsort()[:20]
    assert left[0] != sorted((1 + shuffled).tolist())


def test_every_token_stays_as_often_as_any_other() -> None:
    batch, times = tokens([10]), torch.zeros(11)
    for step in range(2000):
        times[drop(batch, np.zeros(1, np.int64), 3, 0, step).features[0, :, 0].long()] += 1
    assert times[1:].min() > 530 and times[1:].max() < 670
