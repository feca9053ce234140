"""Kept vectors are those that were computed, or are computed again."""

import resource
import signal

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semtok.bench.kept_vectors import KeptVectors
from semtok.bench.outside import OutsideModel, Source
from semtok.errors import SemtokError

VECTORS = torch.eye(6)[:4]


def never() -> torch.Tensor:
    raise AssertionError("they are kept")


@given(data=st.data())
def test_damaged_vectors_are_computed_again(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("kept")
    kept = KeptVectors(folder)
    assert kept.get("batch", lambda: VECTORS).equal(VECTORS)
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(place + 1, len(whole)))
    with_hole = whole[:place] + bytes(end - place) + whole[end:]
    path.write_bytes(data.draw(st.sampled_from([with_hole, whole[:place]])))
    assert kept.get("batch", lambda: VECTORS).equal(VECTORS)
    assert kept.get("batch", never).equal(VECTORS)
    assert path.read_bytes() == whole


def test_a_disk_that_is_full_is_told_in_one_line_and_leaves_nothing(tmp_path):
    """A limit on the size of files fails the write as a full disk does, in its midst."""
    folder, handler = tmp_path / "kept", signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        with pytest.raises(
            SemtokError, match=f"^{folder}: File too large; [^\n]*make room"
        ) as told:
            KeptVectors(folder).get("batch", lambda: torch.ones(100, 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "\n" not in str(told.value)
    assert list(folder.iterdir()) == []


class OnDevice:
    """A model whose vectors tell where it is, as rounding does."""

    def __init__(self, name: str) -> None:
        self.device = torch.device(name)

    def embed_captions(self, captions):
        return torch.eye(2)[[int(self.device.index is not None)] * len(captions)]


def test_vectors_of_another_device_are_computed_again(tmp_path):
    def embedded(name: str) -> torch.Tensor:
        return OutsideModel(Source("m", {}, lambda: OnDevice(name)), tmp_path).embed_texts(["a"])

    for _ in range(2):
        for row, name in enumerate(("cpu", "cpu:0")):
            assert embedded(name).equal(torch.eye(2)[[row]])
