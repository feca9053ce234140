"""What a device computes beside what the CPU does: embeddings of every attention, superpixels.

Embeddings in float64 must agree but for rounding; those in bfloat16 may differ from them as much as
so few bits make them. Superpixels are the same on every device, pixel by pixel.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from benchmarks.result import Result
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import EncoderSettings
from semtok.tokens.batch import TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.rows import RegionRows
from semtok.tokens.superpixel.hierarchy import superpixels

EXACT, HALF = 1e-9, 0.02  # largest differences of a coordinate of unit vectors

_CLUSTERS, _REGIONS, _RELATIONS, _NEIGHBOURS, _CROP, _PREDICATES = 7, 12, 16, 5, 16, 8


def run(
    device: torch.device, settings: EncoderSettings, patches: TokenBatch, vision: VisionConfig
) -> Iterator[Result]:
    """Compare all.

    Args:
        device: beside the CPU; the smoke test takes the CPU itself.
        settings: of the encoder.
        patches: a few pictures, on the CPU.
        vision: of these.
    """
    regions, of_regions = semantic(len(patches))
    compared = {
        "dense": (patches, vision),
        f"{_CLUSTERS} clusters": (patches, replace(vision, clusters=_CLUSTERS)),
        "additive bias": (regions, of_regions),
    }
    for name, (batch, config) in compared.items():
        if config.clusters and (vision.patches or 0) % config.clusters:
            continue
        yield from _embeddings(name, device, settings, batch, config)
    yield _superpixels(device)


def semantic(images: int) -> tuple[TokenBatch, VisionConfig]:
    """Random token sets with relations and neighbours, and what an encoder has to know of them."""
    random = np.random.default_rng(0)
    counts = random.integers(1, _REGIONS + 1, images)
    edges = random.integers(0, _RELATIONS + 1, images)
    total = int(counts.sum())
    rows = RegionRows(
        image_ids=np.arange(images),
        region_counts=counts,
        features=random.integers(0, 256, (total, 4 * _CROP**2), np.uint8),
        geometry=random.random((total, 5), np.float32),
        neighbours=random.integers(
            -1, np.repeat(counts, counts)[:, None], (total, _NEIGHBOURS)
        ).astype(np.int16),
        edge_counts=edges,
        edge_ends=random.integers(
            0, np.repeat(counts, edges)[:, None], (int(edges.sum()), 2)
        ).astype(np.int16),
        edge_predicate=random.integers(0, _PREDICATES + 1, int(edges.sum())),
    )
    names = tuple(f"predicate {number}" for number in range(_PREDICATES))
    config = VisionConfig(4 * _CROP**2, None, True, names, True, True, True)
    return Collate(intangible=True)(rows), config


def _embeddings(
    name: str,
    device: torch.device,
    settings: EncoderSettings,
    batch: TokenBatch,
    config: VisionConfig,
) -> Iterator[Result]:
    torch.manual_seed(0)
    model = VisualTokenEncoder(config, settings).double()
    for table in model.bias.parameters():
        torch.nn.init.normal_(table)
    with torch.inference_mode():
        expected = model(batch)
        found = model.to(device)(batch.to(device)).cpu()
        single = model.float()
        with torch.autocast(device.type, torch.bfloat16):
            half = single(batch.to(device)).double().cpu()
    for what, each, most in (("float64", found, EXACT), ("bfloat16", half, HALF)):
        yield _result(
            f"{name}, {what}",
            float((each - expected).abs().max()),
            most,
            "largest difference",
            "the most that is allowed beside the CPU in float64",
        )


def _superpixels(device: torch.device) -> Result:
    """Of pictures of noise and of plain areas, where many edges score the same."""
    random = np.random.default_rng(0)
    plain = np.kron(random.integers(0, 256, (4, 8, 8, 3)), np.ones((1, 14, 14, 1), int))
    noise = random.integers(0, 256, plain.shape)
    images = torch.from_numpy(np.concatenate([plain, noise, (plain + noise) // 2]).astype(np.uint8))
    expected, found = (superpixels(each, 4).labels.cpu() for each in (images, images.to(device)))
    return _result(
        "superpixels",
        float((found != expected).sum()),
        1.0,
        "pixels",
        "of other regions than on the CPU, of which there may be none",
        most=0.0,
    )


def _result(name: str, ours: float, peer: float, unit: str, note: str, most: float = 1.0) -> Result:
    return Result(
        name=f"gpu: numerics, {name}",
        ours=ours,
        peer=peer,
        unit=unit,
        at_most=most,
        command="python -m benchmarks.gpu",
        packages=("torch",),
        note=note,
    )
