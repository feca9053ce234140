"""Bad light, blur and noise: they change pixels and nothing else."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from semtok.data.scenes import Settings, write
from semtok.data.scenes.compose import scene
from semtok.data.scenes.disturbances import disturb
from semtok.data.scenes.render import render
from semtok.errors import SemtokError

_SETTINGS = Settings(seed=3, size=64, train=3, val=2)
_WAYS = ("light", "blur", "noise")


def _picture(number: int = 1, size: int = 128) -> NDArray[np.uint8]:
    return render(scene(3, number, size))[0]


def _written(root: Path, settings: Settings) -> dict[str, str]:
    write(root, settings)
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("way", _WAYS)
def test_pixels_change_and_nothing_else(tmp_path: Path, way: str) -> None:
    plain = _written(tmp_path / "plain", _SETTINGS)
    spoilt = _written(tmp_path / "spoilt", replace(_SETTINGS, **{way: 0.8}))
    assert plain.keys() == spoilt.keys()
    changed = {name for name in plain if plain[name] != spoilt[name]}
    assert changed
    assert all(name.endswith(".jpg") for name in changed)


def test_zero_is_off() -> None:
    assert Settings(3, 64, 3, 2) == replace(_SETTINGS, light=0.0, blur=0.0, noise=0.0)
    image = _picture()
    assert disturb(image, _SETTINGS, 1) is image


@pytest.mark.parametrize("way", _WAYS)
def test_each_image_draws_its_own_strength_up_to_the_setting(way: str) -> None:
    image = _picture().astype(float)

    def change(most: float) -> list[float]:
        settings = replace(_SETTINGS, **{way: most})
        spoilt = (disturb(_picture(), settings, number) for number in range(20))
        return [float(np.abs(each - image).mean()) for each in spoilt]

    weak, strong = change(0.2), change(1.0)
    assert len({round(each, 3) for each in strong}) > 10
    assert max(weak) < max(strong)
    assert change(1.0) == strong


def test_blur_takes_detail_and_noise_adds_it() -> None:
    def detail(image: NDArray[np.uint8]) -> float:
        return float(np.abs(np.diff(image.astype(float), axis=0)).mean())

    image = _picture()
    for number in range(5):
        assert detail(disturb(image, replace(_SETTINGS, blur=1.0), number)) <= detail(image)
        assert detail(disturb(image, replace(_SETTINGS, noise=1.0), number)) > detail(image)


def test_light_is_too_bright_or_too_dark() -> None:
    image = _picture()
    lit = [disturb(image, replace(_SETTINGS, light=1.0), number).mean() for number in range(20)]
    assert min(lit) < 0.8 * image.mean()
    assert max(lit) > 1.1 * image.mean()


def test_a_disturbance_draws_from_a_stream_of_its_own() -> None:
    """With the light on as well, the noise is the same noise."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    noise = disturb(grey, replace(_SETTINGS, noise=0.2), 7).astype(float)
    lit = disturb(grey, replace(_SETTINGS, light=0.2), 7).astype(float)
    both = disturb(grey, replace(_SETTINGS, light=0.2, noise=0.2), 7).astype(float)
    assert np.abs((both - lit) - (noise - 128)).max() <= 1


@given(st.integers(8, 80), *(st.floats(0, 1) for _ in _WAYS), st.integers(0, 10**6))
def test_any_strength_gives_a_picture(
    size: int, light: float, blur: float, noise: float, number: int
) -> None:
    image = np.full((size, size, 3), 200, np.uint8)
    settings = replace(_SETTINGS, light=light, blur=blur, noise=noise)
    spoilt = disturb(image, settings, number)
    assert (spoilt.shape, spoilt.dtype) == (image.shape, image.dtype)
    assert np.array_equal(spoilt, disturb(image, settings, number))


@pytest.mark.parametrize("way", _WAYS)
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_strengths_out_of_range_are_named(tmp_path: Path, way: str, value: float) -> None:
    with pytest.raises(SemtokError, match=f"scenes.{way}: {value} is out of range; .* 0 to 1$"):
        write(tmp_path / "root", replace(_SETTINGS, **{way: value}))
    assert not (tmp_path / "root").exists()
