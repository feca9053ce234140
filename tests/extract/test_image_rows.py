"""The rows of an image against comparing each, up to the last id of 64 bits."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract.image_rows import rows_of

ENDS = (-(2**63), -1, 0, 2**53, 2**63 - 2, 2**63 - 1)
IDS = st.sampled_from(ENDS) | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(IDS), IDS)
def test_they_are_the_equal_ones(image_ids, image_id):
    ordered = np.array(sorted(image_ids), np.int64)
    for each in (*image_ids, image_id):
        found = rows_of(ordered, each)
        assert np.arange(len(ordered))[found].tolist() == np.flatnonzero(ordered == each).tolist()
