"""A batch in parts of similar size: all of it, and as little padding as can be."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.tokens.batch import TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.rows import PixelRows, RegionRows
from semtok.tokens.sizes import by_size


def batch_of(seed: int, regions: list[int], relations: list[int]) -> TokenBatch:
    random = np.random.default_rng(seed)
    total, edges = sum(regions), sum(relations)
    limits = np.repeat(regions, relations)
    rows = RegionRows(
        image_ids=np.arange(len(regions)),
        region_counts=np.array(regions),
        features=random.integers(0, 256, (total, 16), np.uint8),
        geometry=random.random((total, 5), np.float32),
        neighbours=np.full((total, 2), -1, np.int16),
        edge_counts=np.array(relations),
        edge_ends=random.integers(0, limits[:, None], (edges, 2)).astype(np.int16),
        edge_predicate=random.integers(0, 4, edges),
    )
    return Collate(intangible=True)(rows)


def computed(lengths: list[int], cuts: tuple[int, ...]) -> int:
    parts = np.split(np.sort(lengths), cuts)
    return sum(len(each) * each.max() for each in parts)


counts = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6)), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), counts=counts, parts=st.integers(1, 4))
def test_no_other_cuts_leave_less_to_compute(seed, counts, parts) -> None:
    batch = batch_of(seed, *map(list, zip(*counts, strict=True)))
    found = by_size(batch, parts)
    assert len(found) <= parts
    lengths = [sum(each) for each in counts]
    least = min(
        computed(lengths, cuts)
        for number in range(min(parts, len(lengths)))
        for cuts in combinations(range(1, len(lengths)), number)
    )
    assert sum(each.tokens.valid.numel() for each in found) == least


def cuts_by_image(lengths: list[int], parts: int) -> list[int]:
    """The best cuts with each image as a start; of equally good ones, the first."""
    ends = range(1, len(lengths) + 1)
    least, chosen = [lengths[end - 1] * end for end in ends], []
    for _ in range(min(parts, len(lengths)) - 1):
        ways = [
            [
                lengths[end - 1] * (end - start) + (least[start - 1] if start else 0)
                for start in range(end)
            ]
            for end in ends
        ]
        least = [min(each) for each in ways]
        chosen.append([each.index(min(each)) for each in ways])
    cuts = [len(lengths)]
    for starts in reversed(chosen):
        cuts.append(starts[cuts[-1] - 1])
    return sorted({*cuts} - {0, len(lengths)})


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=40), parts=st.integers(1, 6))
def test_cuts_are_those_of_trying_every_image_as_a_start(lengths, parts) -> None:
    found = by_size(batch_of(0, lengths, [0] * len(lengths)), parts)
    order = np.argsort(lengths, kind="stable")
    wanted = np.split(order, cuts_by_image(sorted(lengths), parts))
    assert [each.rows.tolist() for each in found] == [each.tolist() for each in wanted]


def test_a_large_batch_needs_no_table_of_all_pairs_of_images() -> None:
    random = np.random.default_rng(0)
    batch = batch_of(0, random.integers(4, 30, 4096).tolist(), [0] * 4096)
    tracemalloc.start()
    by_size(batch)
    assert tracemalloc.get_traced_memory()[1] < len(batch) ** 2
    tracemalloc.stop()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**20), counts=counts)
def test_every_image_is_in_one_part_with_all_that_it_has(seed, counts) -> None:
    batch = batch_of(seed, *map(list, zip(*counts, strict=True)))
    found = by_size(batch)
    assert torch.cat([each.rows for each in found]).sort().values.tolist() == [*range(len(batch))]
    for part in found:
        for place, row in enumerate(part.rows.tolist()):
            regions, relations = counts[row]
            for name, most in (
                ("edges", relations),
                *((n, regions + relations) for n in OF_TOKENS),
            ):
                own, whole = getattr(part.tokens, name)[place], getattr(batch, name)[row]
                assert torch.equal(own[:most], whole[:most]), name
            assert int(part.tokens.valid[place].sum()) == regions + relations
            assert bool((part.tokens.edges[place, relations:] == -1).all())


OF_TOKENS = ("features", "geometry", "kind", "valid", "neighbours")


def test_images_of_one_size_stay_the_batch_that_they_are() -> None:
    pixels = np.zeros((3, 8, 8, 3), np.uint8)
    batch = Collate(patch_size=4)(PixelRows(np.arange(3), pixels))
    [part] = by_size(batch)
    assert part.tokens is batch
    assert part.rows.tolist() == [0, 1, 2]


@pytest.mark.parametrize("images", [64, 256])
def test_of_many_images_a_tenth_is_padding_where_half_was(images) -> None:
    """Sizes as those of `scenes`: 4 to 28 tokens, 14 on average."""
    random = np.random.default_rng(0)
    regions = random.integers(4, 13, images)
    relations = np.minimum(random.poisson(6, images), 16)
    batch = batch_of(0, regions.tolist(), relations.tolist())
    used = int(batch.valid.sum())
    parts = sum(each.tokens.valid.numel() for each in by_size(batch))
    assert 1 - used / parts < 0.15 < 1 - used / batch.valid.numel()
