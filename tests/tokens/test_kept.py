from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from semtok.extract.rle import Runs
from semtok.tokens.extraction import Extraction
from semtok.tokens.kept import best_masks, best_relations

SCORES = st.sampled_from([0.25, 0.5, 1.0])
MASKS = st.lists(st.tuples(SCORES, st.integers(1, 4)), min_size=1, max_size=8)


def extraction(masks: list[tuple[float, int]]) -> Extraction:
    """Masks of some scores and areas; ids are 10, 11, ..."""
    found = Extraction.of(Runs.of([[0, area, 9 - area] for _, area in masks]), 3, 3)
    scores = np.array([score for score, _ in masks], np.float32)
    return replace(found, mask_id=10 + np.arange(len(masks)), mask_scores=scores)


@given(MASKS, st.integers(1, 9))
def test_masks_are_kept_by_score_then_area_then_id(masks, most):
    ranked = sorted(range(len(masks)), key=lambda n: (-masks[n][0], -masks[n][1], n))
    wanted = sorted(ranked[:most], key=lambda n: (-masks[n][1], n))
    assert best_masks(extraction(masks), most).tolist() == wanted


@given(MASKS, st.integers(1, 9), st.randoms())
def test_the_order_in_which_masks_are_listed_says_nothing(masks, most, random):
    found = extraction(masks)
    order = np.array(random.sample(range(len(masks)), len(masks)))
    listed = replace(
        found,
        mask_id=found.mask_id[order],
        areas=found.areas[order],
        mask_scores=found.mask_scores[order],
    )
    assert (
        listed.mask_id[best_masks(listed, most)].tolist()
        == found.mask_id[best_masks(found, most)].tolist()
    )


@given(
    st.lists(st.tuples(st.integers(10, 14), st.integers(10, 14), SCORES), max_size=12, unique=True),
    st.integers(1, 6),
)
def test_relations_are_kept_by_score_then_as_they_are_listed(relations, most):
    found = replace(
        extraction([(1.0, area) for area in (4, 3, 2)]),
        relations=np.array([each[:2] for each in relations], np.int64).reshape(-1, 2),
        predicates=np.array([str(n) for n in range(len(relations))], object),
        scores=np.array([each[2] for each in relations], np.float32),
    )
    # Ids 13 and 14 are no masks; 11 is one that is not kept.
    kept = {10: 0, 12: 1}
    ends, names = best_relations(found, np.array([0, 2]), most)
    whole = [n for n, (s, o, _) in enumerate(relations) if s in kept and o in kept]
    wanted = sorted(whole, key=lambda n: -relations[n][2])[:most]
    assert names == tuple(str(n) for n in wanted)
    assert ends.tolist() == [[kept[relations[n][0]], kept[relations[n][1]]] for n in wanted]
