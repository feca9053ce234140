"""Artifacts that were planted are found, with their places and what they say; others are not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import ViTImageProcessorPil

from semtok.bench import patch_models
from semtok.bench.artifacts import examine
from semtok.bench.outliers import cutoff
from semtok.bench.probes import neighbour_cosines
from semtok.errors import SemtokError
from semtok.models.patch_tokens import PatchTokens
from semtok.report.artifacts import draw, lines
from tests.models.test_patch_tokens import MODELS

ROWS, COLUMNS, WIDTH, PIXELS = 4, 5, 40, 6


@given(seed=st.integers(0, 2**20), spread=st.floats(0.02, 0.25))
@settings(max_examples=30, deadline=None)
def test_one_mode_has_no_cutoff(seed, spread) -> None:
    norms = np.exp(np.random.default_rng(seed).normal(2, spread, 8000))
    assert cutoff(norms) is None


@given(
    seed=st.integers(0, 2**20),
    times=st.floats(4, 30),
    share=st.floats(0.005, 0.3),
    spread=st.floats(0.02, 0.2),
)
@settings(max_examples=30, deadline=None)
def test_a_second_mode_is_cut_off_in_the_valley(seed, times, share, spread) -> None:
    random = np.random.default_rng(seed)
    norms = np.exp(random.normal(2, spread, 8000))
    planted = random.random(8000) < share
    norms[planted] *= times
    found = cutoff(norms)
    assert found is not None
    assert np.mean((norms >= found) == planted) > 0.995


def test_a_handful_of_tokens_is_no_mode() -> None:
    norms = np.exp(np.random.default_rng(0).normal(2, 0.1, 10000))
    norms[:5] *= 20
    assert cutoff(norms) is None
    norms[:20] *= 20
    assert cutoff(norms) is not None


def made(seed: int, planted: bool) -> tuple[PatchTokens, torch.Tensor, np.ndarray]:
    """Tokens that tell their place and pixels, but for outliers, which tell nothing."""
    random = torch.Generator().manual_seed(seed)
    images, patches = 120, ROWS * COLUMNS
    pixels = torch.rand(images, patches, PIXELS, generator=random)
    output = torch.randn(images, patches, WIDTH, generator=random) * 0.1
    output[..., :PIXELS] += pixels
    output[..., PIXELS : PIXELS + patches] += torch.eye(patches)
    outlier = torch.zeros(images, patches, dtype=torch.bool)
    if planted:
        # At the first and the last place, in a third and in half of the images.
        outlier[::3, 0] = True
        outlier[::2, -1] = True
        norm = 10 * output.norm(dim=-1).mean()
        noise = torch.randn(images, patches, WIDTH, generator=random)
        noise = norm * noise / noise.norm(dim=-1, keepdim=True)
        output = torch.where(outlier[..., None], noise, output)
    embedded = torch.randn(images, patches, 8, generator=random)
    parts = dict.fromkeys(("queries", "keys", "values"), output)
    return PatchTokens(ROWS, COLUMNS, embedded, output, **parts), pixels, outlier.numpy()


def test_planted_artifacts_are_found_where_they_are() -> None:
    tokens, pixels, outlier = made(0, planted=True)
    halves = [
        (replace(tokens, **{name: getattr(tokens, name)[part] for name in
                            ("embedded", "output", "queries", "keys", "values")}), pixels[part])
        for part in (slice(0, 50), slice(50, 120))
    ]  # fmt: skip
    found = examine(halves)
    assert found.images == 120
    assert found.share == pytest.approx(outlier.mean())
    wanted = np.zeros((ROWS, COLUMNS))
    wanted[0, 0], wanted[-1, -1] = 1 / 3, 1 / 2
    np.testing.assert_allclose(found.where, wanted, atol=0.01)
    assert sum(found.counts) == outlier.size
    normal, strange = found.probes["normal"], found.probes["outlier"]
    assert normal is not None
    assert strange is not None
    assert normal.tokens + strange.tokens == 60 * ROWS * COLUMNS
    assert strange.tokens == outlier[60:].sum()
    assert normal.position_top1 > 0.95 > 0.5 > strange.position_top1
    assert normal.position_distance < 0.2 < 1 < strange.position_distance
    assert normal.pixel_l2 < 0.7 * strange.pixel_l2
    assert json.dumps(found.as_dict())


def test_without_artifacts_none_are_found() -> None:
    tokens, pixels, _ = made(1, planted=False)
    found = examine([(tokens, pixels)])
    assert found.cutoff is None
    assert found.share == 0
    assert not np.any(found.where)
    assert found.probes["outlier"] is None
    assert "no outliers found (one mode)" in lines(found)


def test_probes_are_the_least_squares_of_scipy_where_ridge_does_not_matter() -> None:
    """With many images the tiny ridge is no matter."""
    tokens, pixels, _ = made(2, planted=False)
    found = examine([(tokens, pixels)]).probes["normal"]
    centred = tokens.output.double().numpy()
    centred = centred - centred.mean(-1, keepdims=True)
    inputs = centred / np.sqrt(centred.var(-1, keepdims=True) + 1e-5)
    inputs = np.concatenate([inputs, np.ones((*inputs.shape[:2], 1))], axis=-1)
    fitted = inputs[:60].reshape(-1, WIDTH + 1)
    shown = pixels.double().numpy()
    weights = np.linalg.lstsq(fitted, shown[:60].reshape(-1, PIXELS), rcond=None)[0]
    wanted = np.linalg.norm(inputs[60:] @ weights - shown[60:], axis=-1).mean()
    assert found is not None
    assert found.pixel_l2 == pytest.approx(wanted, rel=2e-3)


def test_cosines_to_neighbours_one_by_one() -> None:
    embedded = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    found = neighbour_cosines(embedded, 2, 3)
    for image in range(2):
        for y in range(2):
            for x in range(3):
                around = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
                inside = [3 * a + b for a, b in around if 0 <= a < 2 and 0 <= b < 3]
                own = embedded[image, 3 * y + x]
                each = [torch.cosine_similarity(own, embedded[image, at], dim=0) for at in inside]
                torch.testing.assert_close(found[image, 3 * y + x], torch.stack(each).mean())


@pytest.fixture
def files(tmp_path):
    """Three images, as benchmarks list them."""

    class Files:
        folder = tmp_path
        paths = ("0.png", "1.png", "2.png")

    random = np.random.default_rng(0)
    for path in Files.paths:
        Image.fromarray(random.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / path)
    return Files()


@pytest.mark.parametrize("name", ["registers", "clip"])
def test_a_models_folder_is_enough(name, tmp_path, files) -> None:
    folder = tmp_path / "model"
    MODELS[name]().save_pretrained(folder)
    ViTImageProcessorPil(
        size={"height": 12, "width": 12}, image_mean=[0.5] * 3, image_std=[0.25] * 3
    ).save_pretrained(folder)
    model = patch_models.HubModel(str(folder))
    [(tokens, pixels)] = list(model.read(files, 9))
    assert tokens.output.shape == (3, 9, 16)
    assert pixels.shape == (3, 9, 48)
    with Image.open(tmp_path / "1.png") as image:
        small = np.asarray(image.resize((12, 12), Image.Resampling.BILINEAR)) / 255
    torch.testing.assert_close(
        pixels[1, 5].reshape(4, 4, 3).double(),
        torch.from_numpy(small[4:8, 8:12]),
        rtol=0,
        atol=0.02,
    )
    found = examine(model.read(files, 2))
    assert (found.images, found.rows, found.columns) == (2, 3, 3)
    draw(found, "a model", tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 10_000


def test_what_is_no_model_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SemtokError, match="neither a variant, nor a model's folder") as caught:
        patch_models.HubModel(str(tmp_path / "nothing"))
    assert "\n" not in str(caught.value)
