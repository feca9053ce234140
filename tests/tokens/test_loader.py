from collections import Counter
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tokens.loader import batches, epoch_order, in_order


@pytest.fixture(scope="module")
def opened(tmp_path_factory, random_regions, write_shards):
    """23 images in three shards, one of them empty."""
    rng = np.random.default_rng(0)
    made = [random_regions(rng, int(rng.integers(1, 5)), 2) for _ in range(23)]
    return write_shards(tmp_path_factory.mktemp("shards"), [made[:9], [], made[9:]])


def seen(opened, steps, seed=0, first_step=0, batch_size=4):
    found = islice(batches(opened, batch_size, seed, first_step), steps)
    return [(step, rows.image_ids.tolist()) for step, rows in found]


@given(st.integers(0, 40), st.integers(1, 9), st.integers(0, 9))
def test_resuming_goes_on_as_if_never_stopped(opened, first_step, batch_size, seed):
    whole = seen(opened, first_step + 3, seed, batch_size=batch_size)
    assert seen(opened, 3, seed, first_step, batch_size) == whole[first_step:]
    assert [step for step, _ in whole] == list(range(first_step + 3))


@given(st.integers(1, 23), st.integers(0, 3))
def test_an_epoch_repeats_no_image_and_drops_what_fills_no_batch(opened, batch_size, epoch):
    per_epoch = 23 // batch_size
    found = seen(opened, per_epoch, first_step=epoch * per_epoch, batch_size=batch_size)
    counts = Counter(image for _, ids in found for image in ids)
    assert len(counts) == per_epoch * batch_size
    assert set(counts.values()) == {1}


def test_epochs_and_seeds_differ():
    orders = {tuple(epoch_order(50, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_the_rows_are_those_of_the_order(opened):
    order = epoch_order(23, seed=5, epoch=0)
    (_, rows), *_ = islice(batches(opened, 4, seed=5), 1)
    wanted = opened.rows(np.sort(order[:4]))
    np.testing.assert_array_equal(rows.features, wanted.features)


def test_too_few_images_are_refused(opened):
    with pytest.raises(SemtokError, match="23 images cannot fill a batch of 24"):
        next(batches(opened, 24, seed=0))


@pytest.mark.parametrize("batch_size", [1, 4, 23, 99])
def test_in_order_is_every_image_once(opened, batch_size):
    ids = [rows.image_ids for rows in in_order(opened, batch_size)]
    np.testing.assert_array_equal(np.concatenate(ids), opened.image_ids)
    assert all(len(each) == batch_size for each in ids[:-1])


@pytest.mark.parametrize("images", [0, 1, 8, 9, 23, 99])
def test_in_order_stops_at_the_image_that_was_asked_for(opened, images):
    ids = [each for rows in in_order(opened, 4, images) for each in rows.image_ids]
    assert ids == opened.image_ids[:images].tolist()
