"""How the images that a model looks at are put together."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from semtok.data.index import split_images
from semtok.extract import predicted
from semtok.extract.backends import Job
from semtok.extract.predicted import Predicted, Seen
from tests.extract.conftest import Extraction


class Counts:
    """A segmenter that finds nothing and notes how many images it is shown at once."""

    network = nn.Identity()
    identity = b""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def prepare(self, image: np.ndarray) -> Tensor:
        return torch.zeros(3, 2, 2)

    def segment(self, pixels: Tensor, sizes: Sequence[tuple[int, int]]) -> list[list[Seen]]:
        self.shown.append(len(sizes))
        return [[] for _ in sizes]


@pytest.mark.parametrize("waiting", [1, 64])
@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_batches_are_as_large_as_asked_for(tiny: Extraction, monkeypatch, waiting, batch_size):
    """However few images may wait for others."""
    monkeypatch.setattr(predicted, "_WAITING", waiting)
    listed, index = tiny.index()
    images = split_images(index, "train")
    whole, rest = divmod(images.num_rows, batch_size)
    model = Counts()
    settings = SimpleNamespace(batch_size=batch_size, masks=1, same=1.0)
    Predicted(Job(tiny.root, listed, images, settings), model).find(images)
    assert images.num_rows >= batch_size
    assert model.shown == [batch_size] * whole + [rest] * (rest > 0)
