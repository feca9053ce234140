"""Retrieval at COCO's size: ranks beside a bare product with top-k, and the bootstrap.

5,000 images and 25,000 captions as unit vectors of 512 float32 numbers, a caption by its image and
noise. Both sides work in blocks of captions of the same size. The peer keeps less: for each caption
its ten best images (`torch.topk`), and for each image its ten best captions so far, merged block by
block; ours finds the exact place of the best right answer, whatever it is.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks import turns
from benchmarks.result import Result
from semtok.bench.cases import Ranks
from semtok.bench.intervals import resample
from semtok.bench.ranking import ranks

IMAGES, CAPTIONS, WIDTH, BEST = 5000, 25_000, 512, 10
GOAL = 1.3
#: Bytes of similarities that the peer makes at once: with ours it takes half as long again.
_BLOCK = 32 * 2**20
RESAMPLES, SECONDS = 10_000, 5.0

COMMAND = "python -m benchmarks --only retrieval"


def run(scale: float) -> Iterator[Result]:
    """Measure ranks beside the peer in turns, then the bootstrap against its budget."""
    repetitions = max(3, round(7 * scale))
    random = torch.Generator().manual_seed(0)
    images = F.normalize(torch.randn(IMAGES, WIDTH, generator=random), dim=1)
    owners = torch.arange(IMAGES).repeat_interleave(CAPTIONS // IMAGES)
    noise = torch.randn(CAPTIONS, WIDTH, generator=random) * 6 / WIDTH**0.5
    texts = F.normalize(images[owners] + noise, dim=1)
    right = torch.stack([torch.arange(CAPTIONS), owners], dim=1)
    seconds = turns.seconds(
        {"ranks": lambda: ranks(images, texts, right), "best": lambda: best(images, texts)},
        repetitions,
    )
    yield Result(
        name=f"ranks, {IMAGES:,} images x {CAPTIONS:,} captions",
        ours=seconds["ranks"],
        peer=seconds["best"],
        unit="s",
        at_most=GOAL,
        command=COMMAND,
        packages=("torch",),
        note=f"float32 product in blocks and torch.topk({BEST}) both ways",
    )
    tasks = [
        _cases(found, clusters)
        for found, clusters in zip(
            ranks(images, texts, right), (np.arange(IMAGES), owners.numpy()), strict=True
        )
    ]
    ways = {"bootstrap": lambda: [resample([each], RESAMPLES) for each in tasks]}
    yield Result(
        name=f"bootstrap, {RESAMPLES:,} replicates, all metrics both ways",
        ours=turns.seconds(ways, repetitions)["bootstrap"],
        peer=SECONDS,
        unit="s",
        at_most=1.0,
        command=COMMAND,
        packages=("numpy",),
        note="the budget",
    )


def best(images: torch.Tensor, texts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The places of the ten best texts of each image, and of the ten best images of each text."""
    rows, of_texts = _BLOCK // (8 * len(images)), []
    values = images.new_full((len(images), BEST), -torch.inf)
    places = torch.zeros(len(images), BEST, dtype=torch.int64)
    for start in range(0, len(texts), rows):
        similarities = texts[start : start + rows] @ images.T
        of_texts.append(similarities.topk(BEST, dim=1).indices)
        found = similarities.T.topk(BEST, dim=1)
        values, kept = torch.cat([values, found.values], dim=1).topk(BEST, dim=1)
        places = torch.cat([places, found.indices + start], dim=1).gather(1, kept)
    return places, torch.cat(of_texts)


def _cases(found: torch.Tensor, clusters: np.ndarray) -> Ranks:
    ones = np.ones(len(found), np.int64)
    return Ranks(
        ranks=found.numpy()[None],
        case_ids=np.arange(len(found)),
        clusters=clusters,
        candidates=ones * (IMAGES + CAPTIONS - len(found)),
        answers=ones,
        truths=None,
        seeds=(0,),
    )
