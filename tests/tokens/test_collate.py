import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semtok.errors import SemtokError
from semtok.tokens.batch import INTANGIBLE, PATCH, TANGIBLE, TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.links import covered_patches, edges_of_patches
from semtok.tokens.permutation import permute
from semtok.tokens.rows import PixelRows, pack
from tests.tokens.conftest import NAMES

COUNTS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=5)
FIELDS = ("features", "geometry", "kind", "valid", "edges", "neighbours")


def slow(sets, names, intangible: bool) -> TokenBatch:
    """A batch, filled token by token."""
    longest = max(len(s.features) + (len(s.edge_ends) if intangible else 0) for s in sets)
    most = max(len(s.edge_ends) for s in sets)
    width, near = sets[0].features.shape[1], sets[0].neighbours.shape[1]
    batch = TokenBatch(
        features=torch.zeros(len(sets), longest, width, dtype=torch.uint8),
        geometry=torch.zeros(len(sets), longest, 5),
        kind=torch.zeros(len(sets), longest, dtype=torch.int64),
        valid=torch.zeros(len(sets), longest, dtype=torch.bool),
        edges=torch.full((len(sets), most, 4), -1),
        neighbours=torch.full((len(sets), longest, near), -1),
    )
    for image, tokens in enumerate(sets):
        count = len(tokens.features)
        for number in range(count):
            batch.features[image, number] = torch.from_numpy(tokens.features[number])
            batch.geometry[image, number] = torch.from_numpy(tokens.geometry[number])
            batch.neighbours[image, number] = torch.from_numpy(tokens.neighbours[number])
            batch.kind[image, number] = TANGIBLE
            batch.valid[image, number] = True
        for number, (subject, other) in enumerate(tokens.edge_ends.tolist()):
            predicate = 1 + names.index(tokens.edge_predicate[number])
            own = count + number if intangible else -1
            batch.edges[image, number] = torch.tensor([subject, other, predicate, own])
            if intangible:
                boxes = tokens.geometry[[subject, other]].astype(np.float64)
                low = (boxes[:, :2] - boxes[:, 2:4] / 2).min(axis=0)
                high = (boxes[:, :2] + boxes[:, 2:4] / 2).max(axis=0)
                box = [*(low + high) / 2, *(high - low), np.prod(high - low)]
                batch.geometry[image, own] = torch.tensor(box)
                batch.kind[image, own] = INTANGIBLE
                batch.valid[image, own] = True
    return batch


@given(COUNTS, st.booleans(), st.integers(0, 3), st.integers(0, 99))
def test_regions_agree_with_a_batch_filled_token_by_token(
    random_regions, counts, intangible, neighbours, seed
):
    rng = np.random.default_rng(seed)
    sets = [random_regions(rng, *each, neighbours=neighbours) for each in counts]
    names = sorted({name for each in sets for name in each.edge_predicate})
    found = Collate(intangible=intangible)(pack(range(len(sets)), sets, names))
    wanted = slow(sets, names, intangible)
    for name in FIELDS:
        left, right = getattr(found, name), getattr(wanted, name)
        assert left.dtype == right.dtype, name
        torch.testing.assert_close(left, right, msg=name)


@given(COUNTS, st.booleans(), st.integers(0, 99))
def test_relations_come_to_patches(random_related, counts, intangible, seed):
    rng = np.random.default_rng(seed)
    sets = [random_related(rng, *each) for each in counts]
    names = sorted({name for each in sets for name in each.regions.edge_predicate})
    rows = pack(range(len(sets)), sets, names)
    found = Collate(patch_size=4, intangible=intangible)(rows)
    plain = Collate(patch_size=4)(PixelRows(rows.image_ids, rows.pixels))
    regions = Collate(intangible=intangible)(rows.regions)

    for name in ("features", "geometry", "kind", "valid"):
        torch.testing.assert_close(getattr(found, name)[:, :4], getattr(plain, name), msg=name)
    assert found.neighbours.shape == (*found.kind.shape, 0)
    # Behind the patches comes what comes behind the tangible tokens of the same masks.
    for image, (count, relations) in enumerate(counts):
        own = relations * intangible
        assert found.valid[image].sum() == 4 + own
        assert found.valid[image, : 4 + own].all()
        for name in ("geometry", "kind"):
            behind = getattr(found, name)[image, 4:][:own]
            torch.testing.assert_close(behind, getattr(regions, name)[image, count:][:own])
        assert not found.features[image, 4:].any()
        assert found.foreground[image, 4:].equal(found.valid[image, 4:])
    wanted = torch.from_numpy(covered_patches(rows.regions, 2))
    torch.testing.assert_close(found.foreground[:, :4], wanted)
    of_image, edges = edges_of_patches(
        rows.regions,
        2,
        np.concatenate([4 + np.arange(each) for _, each in counts]) if intangible else None,
    )
    assert found.edges.shape == (len(sets), of_image.max(), 4)
    for padded, own in zip(found.edges, np.split(edges, np.cumsum(of_image)[:-1]), strict=True):
        np.testing.assert_array_equal(padded[: len(own)], own)
        assert (padded[len(own) :] == -1).all()


def test_the_control_permutes_the_relations_of_patches(random_related):
    rows = pack([7], [random_related(np.random.default_rng(0), 5, 4)], list(NAMES))
    true, control = (Collate(2, permute_relations=each)(rows) for each in (False, True))
    permuted = permute(rows.regions, 0)
    torch.testing.assert_close(Collate(2)(replace(rows, regions=permuted)).edges, control.edges)
    assert true.edges.tolist() != control.edges.tolist()
    torch.testing.assert_close(true.features, control.features)


@pytest.mark.parametrize("features", ["all", "shape", "none"])
def test_features_are_left_out_channel_by_channel(random_regions, features):
    rows = pack([0, 1], [random_regions(np.random.default_rng(0), n, 2) for n in (3, 5)], [])
    pixels = np.random.default_rng(0).integers(1, 256, (2, 8, 8, 4), np.uint8)
    kept = {"all": (0, 1, 2, 3), "shape": (3,), "none": ()}[features]
    for given_rows in (rows, PixelRows(np.arange(2), pixels)):
        whole = Collate(4, intangible=True)(given_rows)
        found = Collate(4, intangible=True, features=features)(given_rows)
        shape = (*found.features.shape[:2], -1, 4)
        for channel in range(4):
            wanted = whole.features.reshape(shape)[..., channel] * (channel in kept)
            assert torch.equal(found.features.reshape(shape)[..., channel], wanted)
        for name in FIELDS[1:]:
            assert torch.equal(getattr(found, name), getattr(whole, name)), name


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5), st.sampled_from([3, 4]))
def test_patches_tile_the_image(images, side, patch, channels):
    size = side * patch
    pixels = np.random.default_rng(0).integers(0, 256, (images, size, size, channels), np.uint8)
    batch = Collate(patch_size=patch)(PixelRows(np.arange(images), pixels))
    assert batch.features.shape == (images, side**2, patch**2 * channels)
    for number in range(side**2):
        y, x = (patch * n for n in divmod(number, side))
        tile = pixels[:, y : y + patch, x : x + patch].reshape(images, -1)
        np.testing.assert_array_equal(batch.features[:, number], tile)
        wanted = [(x + patch / 2) / size, (y + patch / 2) / size, 1 / side, 1 / side, 1 / side**2]
        np.testing.assert_allclose(batch.geometry[0, number], wanted, rtol=1e-6)
    assert batch.valid.all()
    assert (batch.kind == PATCH).all()
    assert batch.edges.shape == (images, 0, 4)
    assert batch.neighbours.shape == (images, side**2, 0)


@pytest.mark.parametrize("patch_size", [None, 0, 5])
def test_a_patch_that_does_not_divide_the_image_is_refused(patch_size):
    rows = PixelRows(np.arange(1), np.zeros((1, 16, 16, 3), np.uint8))
    with pytest.raises(SemtokError, match="does not divide the image's 16 pixels"):
        Collate(patch_size=patch_size)(rows)


def test_the_control_permutes_before_collating(random_regions):
    rng = np.random.default_rng(0)
    rows = pack([7], [random_regions(rng, 5, 4)], ["beside", "in front of", "on", "wearing"])
    true, control = Collate(intangible=True)(rows), Collate(permute_relations=True)(rows)
    assert true.edges.shape == control.edges.shape
    assert not torch.equal(true.edges[..., :2], control.edges[..., :2])
    torch.testing.assert_close(true.features[:, :5], control.features)


def test_a_batch_moves_as_a_whole():
    rows = PixelRows(np.arange(2), np.zeros((2, 4, 4, 3), np.uint8))
    batch = Collate(patch_size=2)(rows).to("meta")
    assert len(batch) == 2
    assert all(getattr(batch, name).device.type == "meta" for name in FIELDS)


def test_what_trains_imports_neither_a_tokenizer_nor_a_decoder():
    program = (
        "import sys; from semtok.tokens import collate, loader, shards; "
        "print(*{'cv2', 'simplejpeg', 'polars', 'pycocotools', 'semtok.tokens.semantic', "
        "'semtok.tokens.grid', 'semtok.tokens.tokenize'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
