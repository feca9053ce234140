"""The tokenizer `superpixel`: token sets, their shards and batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from semtok.models.geometry import centres
from semtok.tokens import shards, superpixel
from semtok.tokens.batch import SUPERPIXEL
from semtok.tokens.collate import Collate
from semtok.tokens.rows import HISTOGRAM_UNIT, Superpixels, pack
from semtok.tokens.shards import TokenShards
from semtok.tokens.superpixel.hierarchy import superpixels
from semtok.tokens.superpixel.regions import gradient_histograms, position_histograms

SETTINGS = superpixel.Settings(image_size=24, crop_size=4, levels=3)


def cut(count: int, seed: int = 0, settings: superpixel.Settings = SETTINGS) -> list[Superpixels]:
    random = np.random.default_rng(seed)
    size = settings.image_size
    images = random.integers(0, 256, (count, size, size, 4), dtype=np.uint8)
    return superpixel.tokenize(list(images), [], settings)


def test_a_token_set_is_what_its_regions_hold():
    random = np.random.default_rng(3)
    image = random.integers(0, 256, (24, 24, 4), dtype=np.uint8)
    (found,) = superpixel.tokenize([image], [], SETTINGS)
    partition = superpixels(torch.from_numpy(image[None, ..., :3].copy()), 3)
    np.testing.assert_array_equal(found.owners, partition.labels[0])
    assert found.features.shape == (len(found.geometry), 64)
    np.testing.assert_allclose(
        found.geometry * HISTOGRAM_UNIT, position_histograms(partition), atol=HISTOGRAM_UNIT / 2
    )


def test_gradients_lie_behind_positions_and_tell_no_place():
    image = np.random.default_rng(3).integers(0, 256, (24, 24, 4), dtype=np.uint8)
    settings = replace(SETTINGS, gradients=True)
    (found,), (plain,) = (superpixel.tokenize([image], [], each) for each in (settings, SETTINGS))
    np.testing.assert_array_equal(found.owners, plain.owners)
    np.testing.assert_array_equal(found.features, plain.features)
    pixels = torch.from_numpy(image[None, ..., :3].copy())
    partition = superpixels(pixels, 3)
    histograms = position_histograms(partition, 0.05), gradient_histograms(pixels, partition, 0.05)
    np.testing.assert_allclose(
        found.geometry * HISTOGRAM_UNIT, torch.cat(histograms, dim=1), atol=HISTOGRAM_UNIT / 2
    )
    field = superpixel.schema(settings).columns.field("geometry")
    assert field.type.value_type.list_size == found.geometry.shape[1] == 512
    rows = pack([0], [found], ())
    batch, bare = Collate()(rows), Collate(features="none")(rows)
    assert batch.geometry[..., 256:].any() and not bare.geometry[..., 256:].any()
    assert torch.equal(bare.geometry[..., :256], batch.geometry[..., :256])
    assert torch.equal(centres(batch.geometry), centres(batch.geometry[..., :256]))


@pytest.mark.parametrize("partition", ["hierarchy", "voronoi"])
def test_an_image_alone_has_the_tokens_that_it_has_among_others(partition):
    settings = superpixel.Settings(24, 4, 2, 0.1, partition, gradients=True)
    images = list(np.random.default_rng(0).integers(0, 256, (3, 24, 24, 4), dtype=np.uint8))
    together = superpixel.tokenize(images, [], settings)
    for image, found in zip(images, together, strict=True):
        (alone,) = superpixel.tokenize([image], [], settings)
        for name in ("owners", "features", "geometry"):
            np.testing.assert_array_equal(getattr(alone, name), getattr(found, name))


def test_cells_are_as_many_as_superpixels():
    settings = superpixel.Settings(24, 4, 3, partition="voronoi")
    for found, control in zip(cut(3), cut(3, settings=settings), strict=True):
        assert len(found.features) == len(control.features)
        assert not np.array_equal(found.owners, control.owners)
        assert sum(ndimage.label(control.owners == n)[1] for n in range(len(control.features))) == (
            len(control.features)
        )


@pytest.mark.parametrize("partition", ["hierarchy", "voronoi"])
def test_a_final_threshold_leaves_fewer_tokens(partition):
    settings = replace(SETTINGS, partition=partition, final_threshold=0.6)
    for merged, plain in zip(cut(3, settings=settings), cut(3), strict=True):
        assert 1 < len(merged.features) < len(plain.features)
        assert len(np.unique(merged.owners)) == len(merged.features)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=3).filter(any), st.data())
def test_shards_give_back_what_was_written(tmp_path_factory, counts, data):
    folder = tmp_path_factory.mktemp("shards")
    sets = [cut(count, seed) if count else [] for seed, count in enumerate(counts)]
    flat = [each for group in sets for each in group]
    schema, first = superpixel.schema(SETTINGS), 0
    for number, group in enumerate(sets):
        ids = list(range(first, first + len(group)))
        rows = pack(ids, group, ()) if group else None
        shards.write(folder / f"{number}.arrow", schema, rows, (), {"scheme": "superpixel"}, "f")
        first += len(group)
    wanted = data.draw(st.lists(st.integers(0, len(flat) - 1), min_size=1, max_size=5))
    rows = TokenShards(folder).rows(np.array(wanted))
    assert rows.image_ids.tolist() == wanted
    made = pack(wanted, [flat[index] for index in wanted], ())
    for name in ("owners", "region_counts", "features", "geometry"):
        left, right = getattr(rows, name), getattr(made, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)


def test_a_batch_holds_the_tokens_of_each_image():
    sets = cut(4)
    batch = Collate()(pack(range(4), sets, ()))
    assert batch.valid.sum(1).tolist() == [len(each.features) for each in sets]
    for image, made in enumerate(sets):
        own = batch.valid[image]
        assert own[: len(made.features)].all()
        np.testing.assert_array_equal(batch.features[image, own], made.features)
        np.testing.assert_array_equal(batch.geometry[image, own], made.geometry * HISTOGRAM_UNIT)
        assert (batch.kind[image, own] == SUPERPIXEL).all()
        assert not batch.features[image, ~own].any() and not batch.geometry[image, ~own].any()
    shapes = Collate(features="shape")(pack(range(4), sets, ()))
    assert torch.equal(shapes.features[..., 3::4], batch.features[..., 3::4])
    assert not shapes.features[..., 0::4].any()


def test_a_rerun_gives_the_same_bytes(line):
    line.tokenizer = {"scheme": "superpixel", "image_size": 16, "crop_size": 4, "levels": 2}
    line.severities = (3,)
    target, other = line.root / "superpixel-train", line.root / "again"
    assert line.build(target) == line.build(other)
    assert line.build(target) == 0
    names = {path.relative_to(target) for path in target.rglob("*.arrow")}
    assert len(names) > 3
    assert all((target / name).read_bytes() == (other / name).read_bytes() for name in names)
