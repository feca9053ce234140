"""Superpixels of a batch on a device, beside SLIC of scikit-image on one core."""

import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from benchmarks import turns
from benchmarks.result import Result
from semtok.tokens import superpixel
from semtok.tokens.superpixel.hierarchy import superpixels

GOAL = 0.1
PATCH = 16  # pixels a side, of which there are as many as SLIC is asked for
PEERS = 8  # images that SLIC is timed on


def beside_slic(
    device: torch.device, side: int, images: int, repetitions: int, clock: Callable[[], float]
) -> Result:
    """The partition of superpixel tokens; both ways of the pixels and labels are counted.

    Args:
        device: where.
        side: of the images, pixels.
        images: of a batch.
        repetitions: of what is timed.
        clock: seconds on the wall, when the device is done.
    """
    name, command = "gpu: superpixels in batches", "python -m benchmarks.gpu"
    try:
        from skimage.segmentation import slic
    except ImportError:
        note = "scikit-image is not installed"
        return Result(name, None, None, "ms/image", command, ("torch",), note, at_most=GOAL)
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (images, side, side, 3), np.uint8)
    blurred = np.stack([cv2.GaussianBlur(each, (0, 0), side / 28) for each in noise])
    batch, levels = torch.from_numpy(blurred), superpixel.Settings(side).levels
    ours = turns.seconds(
        {"ours": lambda: superpixels(batch.to(device), levels).labels.cpu()}, repetitions, clock
    )["ours"]
    asked, began = (side // PATCH) ** 2, time.process_time()
    for each in blurred[:PEERS]:
        slic(each, n_segments=asked)
    theirs = (time.process_time() - began) / min(PEERS, images)
    return Result(
        name,
        1e3 * ours / images,
        1e3 * theirs,
        "ms/image",
        command,
        ("torch", "scikit-image"),
        f"SLIC of scikit-image on one core, {asked} regions; ours in batches of {images}",
        at_most=GOAL,
    )
