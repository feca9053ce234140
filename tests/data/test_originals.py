"""Formats read from parts of the original data sets, where these are at hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from semtok.data import salient, voc

_SAMPLES = Path(__file__).parents[2] / ".." / "shared" / "samples"


@pytest.fixture
def original(request: pytest.FixtureRequest) -> Path:
    """The folder of a part of a data set, by its name."""
    folder = (_SAMPLES / request.param).resolve()
    if not folder.is_dir():
        pytest.skip(f"no sample of {request.param} at {folder}")
    return folder


@pytest.mark.parametrize("original", ["ecssd"], indirect=True)
def test_ecssd(original: Path) -> None:
    found = salient.find(original)
    assert len(found) == len(list((original / "images").iterdir())) > 0
    for each in found:
        mask = salient.salient(each)
        drawn = cv2.imread(str(each.mask), cv2.IMREAD_GRAYSCALE)
        assert mask.shape == cv2.imread(str(each.image)).shape[:2]
        assert np.array_equal(mask, drawn > 0)


@pytest.mark.parametrize("original", ["voc"], indirect=True)
def test_voc(original: Path) -> None:
    """Each box is that of an object, which others have drawn in a colour of its own."""
    found = voc.read(original)
    assert len(found) == len(list((original / "JPEGImages").iterdir())) > 0
    for image in found:
        drawn = cv2.imread(str(original / f"SegmentationObject/{image.path.stem}.png"))
        assert drawn.shape[:2] == (image.height, image.width)
        colours, of_pixel = np.unique(drawn.reshape(-1, 3), axis=0, return_inverse=True)
        tight = []
        for number in range(len(colours)):
            y, x = np.nonzero(of_pixel.reshape(drawn.shape[:2]) == number)
            tight.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
        assert (_iou(image.boxes, np.array(tight)).max(axis=1) > 0.75).all()


def _iou(boxes: NDArray[np.float64], others: NDArray[np.int64]) -> NDArray[np.float64]:
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (boxes, others)]
    return shared / (areas[0][:, None] + areas[1] - shared)
