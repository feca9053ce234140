"""The detector: it learns, repeats itself, and never sees what it is asked about."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from safetensors.torch import load_file, save_file

from semtok.errors import SemtokError
from semtok.events import Metrics, Progress
from semtok.extract import rle
from semtok.extract.backends import Job, find_backend
from semtok.extract.crossfit import folds_of
from semtok.extract.detector import prediction, stage
from semtok.extract.detector.loss import loss
from semtok.extract.detector.network import CELL, MASK_PIXEL, Network, draw
from semtok.extract.detector.samples import Samples
from semtok.extract.detector.training import train
from semtok.extract.extracted import extracted_masks
from semtok.extract.learned import LEARNED, TRAINED_ON
from semtok.extract.trained import size
from semtok.params import DetectorSettings, ExtractorSettings
from semtok.tables import read_table
from tests.extract.little_scenes import ANNOTATED

pytestmark = pytest.mark.slow

PREDICTED = ExtractorSettings("detector", "geometry", {"detector": {"score": 0.05}})
SETTINGS = DetectorSettings(
    folds=2, seed=0, steps=40, batch_size=8, learning_rate=0.01, image_size=64, width=16
)


@pytest.fixture(scope="module")
def trained(little_scenes, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    train(little_scenes.root, little_scenes.images(), little_scenes.masks(), SETTINGS, folder)
    return folder


def weights(folder: Path, fold: int) -> bytes:
    return (folder / f"fold-{fold}.safetensors").read_bytes()


def find(scenes, split: str, folder: Path, model: Path) -> pa.Table:
    return extracted_masks(scenes.partition(split, folder), scenes.listed, PREDICTED, model)


def of_image(masks: pa.Table, image_id: int) -> list[dict]:
    return masks.filter(pc.equal(masks["image_id"], image_id)).to_pylist()


def test_what_is_said_of_an_image_does_not_come_from_its_annotations(
    little_scenes, trained, tmp_path
):
    """The proof against leaks: other annotations of an image change nothing that it is told."""
    before = find(little_scenes, "train", tmp_path / "a", trained)
    masks = little_scenes.masks()
    image_ids = little_scenes.images()["image_id"].to_numpy()
    image_id = int(image_ids[0])
    (own,) = folds_of(image_ids[:1], SETTINGS.folds)
    other = masks.filter(pc.not_equal(masks["image_id"], image_id))
    train(little_scenes.root, little_scenes.images(), other, SETTINGS, tmp_path)
    assert weights(tmp_path, own) == weights(trained, own)
    assert weights(tmp_path, 1 - own) != weights(trained, 1 - own)
    after = find(little_scenes, "train", tmp_path / "b", tmp_path)
    assert of_image(before, image_id)
    assert of_image(after, image_id) == of_image(before, image_id)
    assert after != before


@pytest.mark.parametrize("split", ["train", "val"])
def test_every_image_is_shown_to_the_network_of_its_fold_alone(
    little_scenes, trained, tmp_path, split
):
    """A network that finds nothing leaves its own fold without masks, and no other image."""
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    silent = load_file(trained / "fold-0.safetensors")
    silent["middles.bias"] -= 100
    save_file(silent, tmp_path / "fold-0.safetensors")
    partition = little_scenes.partition(split, tmp_path / "work")
    found = extracted_masks(partition, little_scenes.listed, PREDICTED, tmp_path)
    image_ids = partition.images["image_id"].to_numpy()
    own = folds_of(image_ids, SETTINGS.folds)
    with_masks = set(found["image_id"].to_pylist())
    assert not with_masks & set(image_ids[own == 0].tolist())
    assert len(with_masks) > 0.5 * (own == 1).sum()


def test_the_images_that_were_looked_at_are_of_other_folds_and_of_train(little_scenes, trained):
    seen = read_table(trained / "trained_on.parquet", TRAINED_ON)
    image_ids = little_scenes.images()["image_id"].to_pylist()
    assert (folds_of(seen["image_id"].to_numpy(), 2) != seen["fold"].to_numpy()).all()
    assert set(seen["image_id"].to_pylist()) == set(image_ids)


def test_the_same_inputs_give_the_same_bytes(little_scenes, trained, tmp_path):
    before = torch.get_rng_state()
    train(little_scenes.root, little_scenes.images(), little_scenes.masks(), SETTINGS, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    assert {each.name for each in trained.iterdir()} == {
        *("config.json", "fold-0.safetensors", "fold-1.safetensors"),
        *("history.parquet", "trained_on.parquet"),
    }
    for path in trained.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_it_learns_and_tells(little_scenes, tmp_path):
    events = []
    one = dataclasses.replace(SETTINGS, steps=20)
    images = little_scenes.images()
    train(little_scenes.root, images, little_scenes.masks(), one, tmp_path, events.append)
    history = read_table(tmp_path / "history.parquet", LEARNED).to_pylist()
    losses = [row["value"] for row in history if (row["fold"], row["name"]) == (1, "loss")]
    assert losses[-1] < 0.8 * losses[0]
    progress = [each for each in events if isinstance(each, Progress)]
    assert [each.done for each in progress] == list(range(1, 41))
    assert {each.total for each in progress} == {40}
    assert any(isinstance(each, Metrics) for each in events)


def test_the_stage_says_how_good_and_how_dear_it_is(little_scenes, tmp_path):
    partition = little_scenes.partition("train", tmp_path / "artifact")
    val = little_scenes.partition("val", tmp_path / "artifact")
    found = stage.build(partition, val, little_scenes.listed, ANNOTATED, SETTINGS)
    assert set(found["image_id"].to_pylist()) <= set(val.images["image_id"].to_pylist())
    quality = json.loads((tmp_path / "artifact/quality.json").read_text())
    assert 0 <= quality["AP"] <= quality["AP50"] <= 1
    cost = json.loads((tmp_path / "artifact/cost.json").read_text())
    assert cost["parameters"] == sum(each.numel() for each in Network(16).parameters())
    # Untrained networks find nothing; what is found has to be drawn, and that is paid for.
    fresh = Network(16).eval()
    nothing = size(fresh, lambda: prediction.find(fresh, torch.rand(2, 3, 64, 64)), images=2)
    # The first convolution alone: 32 x 32 places, 27 inputs, 4 outputs, and a multiply-add is two.
    assert cost["flops_per_image"] > nothing["flops_per_image"] > 2 * 32 * 32 * 27 * 4
    assert cost["labels"] == {"images": 24, "masks": little_scenes.masks().num_rows}


def test_a_mask_that_its_image_has_no_pixel_of_is_nothing_found(little_scenes, trained):
    """As an image that is much smaller than what the network looks at has of small masks."""
    backend = find_backend("masks", "detector", PREDICTED.settings)
    images = little_scenes.images("val")
    opened = backend.open(
        Job(little_scenes.root, little_scenes.listed, images, backend.settings, trained)
    )
    small = pa.array([4] * images.num_rows, images.schema.field("width").type)
    for name in ("height", "width"):
        images = images.set_column(images.schema.get_field_index(name), name, small)
    found = opened.find(images)
    assert len(found.masks) == len(rle.areas(found.runs)) > 0
    assert rle.areas(found.runs).min() > 0
    assert not found.rejected
    ranks: dict[int, list[int]] = {}
    for mask in found.masks.to_pylist():
        ranks.setdefault(mask["image_id"], []).append(mask["source_id"])
    assert all(each == list(range(len(each))) for each in ranks.values())


@pytest.mark.parametrize("seed", range(3))
def test_a_cell_draws_what_its_own_network_sums_up(seed):
    """`draw` against the same sums, pixel by pixel in float64."""
    torch.manual_seed(seed)
    network = Network(16).eval()
    with torch.inference_mode():
        features = network(torch.rand(2, 3, 64, 96))
        at = torch.tensor([[0, 1, 2], [1, 7, 11], [1, 0, 0]]).T
        drawn = draw(features, *at)
    assert drawn.shape == (3, 32, 48)
    for number, (image, row, column) in enumerate(at.T.tolist()):
        kernel = features.kernels[image, :, row, column].double()
        parts = kernel.split([128, 16, 8, 8, 1])
        for y, x in [(0, 0), (31, 47), (5, 30)]:
            place = torch.tensor(
                [
                    (y * MASK_PIXEL - (row + 0.5) * CELL) / 32,
                    (x * MASK_PIXEL - (column + 0.5) * CELL) / 32,
                ],
                dtype=torch.float64,
            )
            hidden = parts[0].view(8, 16) @ features.shared[image, :, y, x].double()
            hidden = (hidden + parts[1].view(2, 8).T @ place + parts[2]).relu()
            expected = hidden @ parts[3] + parts[4]
            assert drawn[number, y, x].item() == pytest.approx(expected.item(), abs=1e-4)


def test_middles_lie_inside_their_masks(little_scenes):
    images = little_scenes.images()
    samples = Samples(little_scenes.root, images, little_scenes.masks(), 64)
    sample = samples.take(range(len(samples)), [False] * len(samples))
    assert sample.middles.sum() == len(sample.owner)
    scale = CELL // MASK_PIXEL
    covered = [
        sample.masks[mask, row * scale : (row + 1) * scale, column * scale : (column + 1) * scale]
        for mask, row, column in zip(
            sample.owner.tolist(), sample.row.tolist(), sample.column.tolist(), strict=True
        )
    ]
    assert np.mean([float(each.max()) >= 0.5 for each in covered]) > 0.95


def test_a_mirrored_sample_is_the_mirror_image(little_scenes):
    samples = Samples(little_scenes.root, little_scenes.images(), little_scenes.masks(), 64)
    plain, turned = samples.take([3], [False]), samples.take([3], [True])
    assert torch.equal(turned.pixels, plain.pixels.flip(3))
    assert torch.equal(turned.masks, plain.masks.flip(2))


def test_perfect_masks_cost_next_to_nothing(little_scenes):
    """The loss falls where a network draws what is wanted."""
    samples = Samples(little_scenes.root, little_scenes.images(), little_scenes.masks(), 64)
    sample = samples.take([0], [False])
    features = Network(16)(sample.pixels)
    sure = features._replace(middles=(sample.middles * 2 - 1) * 20)
    everything = torch.arange(len(sample.owner))
    find, _ = loss(sure, sample, everything)
    worse, _ = loss(features, sample, everything)
    assert find < 1e-6 < worse
    find, nothing = loss(features, sample, everything[:0])
    assert find == worse
    assert nothing == 0


def test_a_mask_found_twice_is_told_once(little_scenes, trained):
    config = json.loads((trained / "config.json").read_text())
    network = Network(config["width"])
    network.load_state_dict(load_file(trained / "fold-0.safetensors"))
    samples = Samples(little_scenes.root, little_scenes.images(), little_scenes.masks(), 64)
    pixels = samples.take(range(8), [False] * 8).pixels
    for found in prediction.find(network.eval(), pixels):
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        masks = torch.stack([each.pixels for each in found]) if found else torch.zeros(0, 64, 64)
        assert masks.shape[1:] == (64, 64)
        for a in range(len(found)):
            for b in range(a):
                shared = (masks[a] & masks[b]).sum() / (masks[a] | masks[b]).sum()
                assert shared < 0.6  # 0.5 at half the size


def test_a_backend_without_a_model_says_what_to_do(little_scenes):
    backend = find_backend("masks", "detector", {})
    job = Job(little_scenes.root, little_scenes.listed, little_scenes.images(), backend.settings)
    with pytest.raises(SemtokError, match="masks: detector/NAME"):
        backend.open(job)


def test_a_damaged_network_is_named(little_scenes, trained, tmp_path):
    for path in trained.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "fold-1.safetensors").write_bytes(b"x")
    with pytest.raises(SemtokError, match=r"fold-1\.safetensors: unreadable"):
        extracted_masks(
            little_scenes.partition("val", tmp_path / "w"),
            little_scenes.listed,
            PREDICTED,
            tmp_path,
        )


def test_too_few_images_for_the_folds_is_one_line(little_scenes, tmp_path):
    images = little_scenes.images().slice(0, 1)
    with pytest.raises(SemtokError, match="leaves no training image"):
        train(little_scenes.root, images, little_scenes.masks(), SETTINGS, tmp_path)
