"""Folds depend on an image's id alone, and are about equally large."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract.crossfit import folds_of
from semtok.sharding import shard_of


@given(
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20), st.integers(2, 7), st.integers(0, 19)
)
def test_a_fold_depends_on_the_id_alone(ids, folds, cut):
    together = folds_of(np.array(ids, np.int64), folds)
    assert together.tolist() == [folds_of(np.array([each]), folds)[0] for each in ids]
    assert folds_of(np.array(ids[cut:], np.int64), folds).tolist() == together[cut:].tolist()
    assert set(together.tolist()) <= set(range(folds))


def test_folds_are_even_and_independent_of_shards():
    ids = np.arange(4000)
    own = folds_of(ids, 2)
    for shard in range(4):
        share = own[[shard_of(each, 4) == shard for each in ids.tolist()]].mean()
        assert 0.45 < share < 0.55
