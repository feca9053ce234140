"""TokenCut over folders of images, by models of transformers and by variants."""

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import ViTImageProcessorPil

from semtok.bench.image_tokens import reader
from semtok.bench.overlap import overlap
from semtok.bench.patch_models import HubModel
from semtok.bench.segmentation import look, reader_of_hub, segment
from semtok.bench.token_cut import token_cut
from semtok.bench.token_maps import TokenMap
from semtok.data import salient
from semtok.errors import SemtokError
from tests.models.test_patch_tokens import MODELS

SIDES = ((22, 18), (16, 25))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two images as ECSSD has them, of other sizes than whole patches of 4 pixels."""
    root = tmp_path_factory.mktemp("ecssd")
    random = np.random.default_rng(0)
    for name in ("images", "ground_truth_mask"):
        (root / name).mkdir()
    for name, (width, height) in zip("ab", SIDES, strict=True):
        pixels = random.integers(0, 256, (height, width, 3), np.uint8)
        truth = np.zeros((height, width), np.uint8)
        truth[3:9, 2:11] = 255
        Image.fromarray(pixels).save(root / f"images/{name}.jpg")
        Image.fromarray(truth).save(root / f"ground_truth_mask/{name}.png")
    return root


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    torch.manual_seed(0)
    made = tmp_path_factory.mktemp("model")
    MODELS["registers"]().save_pretrained(made)
    ViTImageProcessorPil(size={"height": 12, "width": 12}).save_pretrained(made)
    return HubModel(str(made))


@pytest.mark.parametrize("features", ["keys", "queries", "values"])
def test_images_of_a_hub_model_are_resampled_to_whole_patches(folder, hub, features) -> None:
    images = salient.find(folder)
    read = reader_of_hub(hub, features)
    found = segment(read, images, 0.1)
    overlaps = []
    for each, (width, height) in zip(images, SIDES, strict=True):
        columns, rows = (round(length / 4) for length in (width, height))
        tokens = hub.whole(each.image, stretch=True)
        assert (tokens.rows, tokens.columns) == (rows, columns)
        owners = np.arange(rows * columns).reshape(rows, columns)
        cut = token_cut(getattr(tokens, features)[0], owners, 0.1)
        seen = look(read, each, 0.1)
        assert seen.pixels.shape == (height, width, 3)
        y, x = np.arange(height) * rows // height, np.arange(width) * columns // width
        assert (seen.mask == cut.mask.reshape(rows, columns)[np.ix_(y, x)]).all()
        truth = np.asarray(Image.open(each.mask)) > 0
        overlaps.append(overlap(seen.mask, truth))
    assert [*found.of_image.values()] == overlaps
    assert (found.f, found.iou, found.accuracy) == pytest.approx(np.mean(overlaps, axis=0))
    assert found.images == 2
    assert 0 < found.max_f <= 1


def test_a_perfect_and_a_constant_reader(folder) -> None:
    """Tokens that are pixels, told apart by the true mask, and tokens that are all the same."""
    images = salient.find(folder)
    truths = {each.image: salient.salient(each) for each in images}

    def perfect(path):
        truth = truths[path]
        ends = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        return TokenMap(ends[truth.ravel().astype(int)], np.arange(truth.size).reshape(truth.shape))

    def constant(path):
        return TokenMap(torch.ones(4, 3), np.arange(4).reshape(2, 2))

    right = segment(perfect, images, 0.2)
    assert (right.f, right.iou, right.accuracy, right.max_f) == pytest.approx((1, 1, 1, 1))
    share = np.mean([truth.mean() for truth in truths.values()])
    whole = segment(constant, images, 0.2)
    assert (whole.iou, whole.accuracy) == pytest.approx((share, share))
    assert right.floor == whole.floor == (whole.f, whole.iou, whole.accuracy)


def test_a_variant_of_patches_reads_images_at_its_training_size(folder, trained) -> None:
    read = reader(trained.checkpoint / "seed-0", "keys")
    tokens = read(folder / "images/a.jpg")
    assert tokens.features.shape == (4, 8)
    assert tokens.owners.tolist() == [[0, 1], [2, 3]]
    again = segment(read, salient.find(folder), 0.2)
    assert again == segment(read, salient.find(folder), 0.2)


def test_what_is_no_image_is_refused(folder, hub, tmp_path) -> None:
    for name in ("images", "ground_truth_mask"):
        (tmp_path / name).mkdir()
    mask = salient.find(folder)[0].mask.read_bytes()
    (tmp_path / "ground_truth_mask/a.png").write_bytes(mask)
    (tmp_path / "images/a.jpg").write_bytes(b"no picture")
    with pytest.raises(SemtokError, match=r"a\.jpg: unreadable image \(.*\); replace or remove it"):
        segment(reader_of_hub(hub, "keys"), salient.find(tmp_path), 0.2)
