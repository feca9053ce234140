"""Patches of regions, and edges among patches, against the rule spelt out patch by patch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tokens.links import covered_patches, edges_of_patches, patches_of_regions
from semtok.tokens.rows import Regions, pack

COUNTS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, 4)), min_size=1, max_size=4)
LEVELS = st.sampled_from([0, 1, 100, 127, 128, 255])


def patches(cells: list[list[int]], side: int) -> set[int]:
    """The rule: all patches covered by half, else the first of those covered most."""
    step = len(cells) // side
    covered = []
    for y in range(side):
        for x in range(side):
            inside = [cells[y * step + i][x * step + j] for i in range(step) for j in range(step)]
            covered.append(sum(inside) / len(inside) / 255)
    half = {number for number, share in enumerate(covered) if share >= 0.5}
    return half or {covered.index(max(covered))}


@given(st.sampled_from([(4, 4), (4, 2), (4, 1), (6, 3)]), st.data())
def test_patches_are_those_covered_by_half_or_else_the_one_covered_most(sizes, data):
    across, side = sizes
    row = st.lists(LEVELS, min_size=across, max_size=across)
    cells = data.draw(st.lists(st.lists(row, min_size=across, max_size=across), max_size=4))
    flat = np.array(cells, np.uint8).reshape(-1, across**2)
    found = patches_of_regions(flat, side)
    assert [set(np.flatnonzero(each)) for each in found] == [patches(each, side) for each in cells]


@given(st.sampled_from([(4, 4), (4, 2), (4, 1), (6, 3)]), st.data())
def test_the_foreground_is_what_any_mask_covers_anything_of(sizes, data):
    across, side = sizes
    row = st.lists(st.sampled_from([0, 0, 0, 1, 255]), min_size=across, max_size=across)
    masks = st.lists(st.lists(row, min_size=across, max_size=across), min_size=1, max_size=3)
    images, step = data.draw(st.lists(masks, min_size=1, max_size=3)), across // side
    nothing = np.empty((0, 2), np.int16)
    sets = [
        Regions(
            np.array(each, np.uint8).reshape(len(each), -1),
            np.zeros((len(each), 5), np.float32),
            np.empty((len(each), 0), np.int16),
            nothing,
            (),
        )
        for each in (np.reshape(image, (-1, across**2)) for image in images)
    ]
    found = covered_patches(pack(range(len(sets)), sets, ()), side)
    for of_image, kept in zip(sets, found, strict=True):
        wanted = set()
        for cells in of_image.features.reshape(-1, across, across):
            for y, x in zip(*np.nonzero(cells), strict=True):
                wanted.add(int(y // step * side + x // step))
        assert set(np.flatnonzero(kept).tolist()) == wanted


def test_patches_of_half_a_cell_are_refused():
    with pytest.raises(SemtokError, match=r"patch_size: 3 patches a side .* multiple of cell_size"):
        patches_of_regions(np.zeros((1, 16), np.uint8), 3)


@given(COUNTS, st.booleans(), st.integers(0, 99))
def test_edges_are_all_pairs_of_patches_and_each_patch_with_the_token_once(
    random_related, counts, tokens, seed
):
    rng = np.random.default_rng(seed)
    sets = [random_related(rng, *each) for each in counts]
    names = sorted({name for each in sets for name in each.regions.edge_predicate})
    rows = pack(range(len(sets)), sets, names).regions
    own = np.concatenate([4 + np.arange(relations) for _, relations in counts]) if tokens else None
    of_image, found = edges_of_patches(rows, 2, own)
    assert of_image.sum() == len(found)
    for image, edges in zip(sets, np.split(found, np.cumsum(of_image)[:-1]), strict=True):
        regions = image.regions
        wanted = []
        for number, (subject, target) in enumerate(regions.edge_ends):
            predicate = 1 + names.index(regions.edge_predicate[number])
            of_subject, of_target = (
                patches(regions.features[end].reshape(4, 4).tolist(), 2)
                for end in (subject, target)
            )
            wanted += [(s, o, predicate, -1) for s in of_subject for o in of_target]
            if tokens:
                wanted += [(s, -1, predicate, 4 + number) for s in of_subject]
                wanted += [(-1, o, predicate, 4 + number) for o in of_target]
        assert sorted(map(tuple, edges.tolist())) == sorted(wanted)
