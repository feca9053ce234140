"""The artifact report: does a vision transformer store things of its own in some tokens?

Darcet et al. (arXiv 2309.16588) found output tokens of about ten times the norm of others, on
patches that repeat their neighbours; they say little of their place and pixels, and registers take
them over. One report for any model says whether it has such tokens, where, and what they hold;
superpixels and regions are asked the same, of their own places.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench import patch_models, placed_tokens
from semtok.bench.device import device
from semtok.bench.outliers import cutoff
from semtok.bench.placed_tokens import POINTS, PlacedTokens, Shown
from semtok.bench.probes import Probed, nearest_cosines, neighbour_cosines, probe, probe_placed
from semtok.errors import SemtokError
from semtok.models.clip_vision import ClipVisionEncoder
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.patch_tokens import PatchTokens
from semtok.tokens.rows import RegionRows, Rows, SuperpixelRows
from semtok.train import checkpoint

#: Images of a report: enough for 16,384 tokens of 64 patches each.
IMAGES = 256

_BINS = 60

#: Cells a side of the map of outliers, where tokens are no whole grid.
_CELLS = 16

Tokens = Literal["patches", "superpixels", "regions"]


@dataclass(frozen=True)
class Looked:
    """The first images of a report on tokens that are no whole grid of patches.

    Attributes:
        rows: B images.
        patch_size: of patches.
        norms: [N+1] of the tokens of each image, by their number; NaN for those that gates dropped,
            and behind all for what is no token's.
    """

    rows: Rows
    patch_size: int | None
    norms: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True)
class Artifacts:
    """What was found in the output tokens of some images.

    Attributes:
        images: how many.
        tokens: what they are.
        an_image: how many an image has, the mean.
        rows, columns: of a whole grid of patches; else of the cells of the map of outliers.
        cutoff: the norm from which on a token is an outlier; None: the histogram has one mode.
        share: of the tokens that are outliers, 0..1.
        norms: quantiles of the norm: 0, 0.01, 0.5, 0.99, 1.
        edges: [61] of the bins of the histogram, evenly spaced in ln(norm).
        counts: [60], tokens in each bin.
        where: [rows][columns], the share of images whose token there is an outlier.
        shows: what `Probed.pixel_l2` compares.
        probes: of "normal" and of "outlier" tokens; None where there is none.
        looked: the first images, for pictures alone; None where patches are a whole grid.
    """

    images: int
    tokens: Tokens
    an_image: float
    rows: int
    columns: int
    cutoff: float | None
    share: float
    norms: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    where: tuple[tuple[float, ...], ...]
    shows: Shown
    probes: dict[str, Probed | None]
    looked: Looked | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `json.dumps`, without `looked`."""
        found = asdict(replace(self, looked=None))
        del found["looked"]
        return found


def of_training(folder: Path, shards: Path, images: int = IMAGES) -> Artifacts:
    """Report on one training of a variant, on the first images of some token shards.

    Args:
        folder: `seed-S` of a checkpoint artifact.
        shards: of the variant's tokenizer.
        images: how many, at most.

    Raises:
        SemtokError: the checkpoint cannot be read, or its encoder is none that `reads` names.
    """
    trained = checkpoint.load(folder, device())
    if not reads(trained):
        raise SemtokError(
            f"{folder}: its encoder does not tell what becomes of each token; name a variant with "
            "encoder: tokens or clip_vision"
        )
    opened = trained.open_shards(shards)
    vision = trained.model.config.vision
    if vision.patches and vision.gates is None:
        return examine(patch_models.of_variant(trained, opened, images))
    return examine_placed(placed_tokens.read(trained, opened, images))


def examine(batches: Iterable[tuple[PatchTokens, Tensor]]) -> Artifacts:
    """Report on the patches of at least two images.

    Args:
        batches: of B images each, their tokens and their patches as shown, [B, P, D], 0..1.
    """
    rows = columns = 0
    outputs, cosines, pixels = [], [], []
    for tokens, shown in batches:
        rows, columns = tokens.rows, tokens.columns
        outputs.append(tokens.output.float().cpu())
        cosines.append(neighbour_cosines(tokens.embedded.float().cpu(), rows, columns))
        pixels.append(shown.float().cpu())
    output = torch.cat(outputs)
    norms = output.double().norm(dim=-1).numpy()
    found = cutoff(norms)
    outlier = outliers(norms, found)
    where = outlier.mean(axis=0).reshape(rows, columns)
    return Artifacts(
        images=len(output),
        tokens="patches",
        an_image=float(rows * columns),
        rows=rows,
        columns=columns,
        **_of_norms(norms, found, outlier),
        where=tuple(tuple(row) for row in where.tolist()),
        shows="pixels",
        probes=probe(output, torch.cat(pixels), torch.cat(cosines), outlier, columns),
    )


def examine_placed(batches: Iterable[PlacedTokens]) -> Artifacts:
    """As `examine`, of tokens that are no whole grid of patches.

    Raises:
        SemtokError: gates drop all of them.
    """
    outputs, cosines, middles, shown = [], [], [], []
    owners: list[NDArray[np.int64]] = []
    kept: list[NDArray[np.bool_]] = []
    first: PlacedTokens | None = None
    for batch in batches:
        first = first or batch
        owners.extend(batch.owners)
        kept.extend(batch.there.numpy())
        for image, there in enumerate(batch.there):
            outputs.append(batch.output[image, there].float())
            middles.append(batch.middles[image, there])
            shown.append(batch.shown[image, there])
            embedded = batch.embedded[image, there].float()
            cosines.append(nearest_cosines(embedded, middles[-1]))
    assert first is not None, "a split has images"
    output, counts = torch.cat(outputs), [int(each.sum()) for each in kept]
    if not len(output):
        raise SemtokError("gates drop all tokens of these images before the last block")
    norms = output.double().norm(dim=-1).numpy()
    found = cutoff(norms)
    outlier = outliers(norms, found)
    by_number = []
    for own, there in zip(np.split(norms, np.cumsum(counts)[:-1]), kept, strict=True):
        by_number.append(np.full(len(there) + 1, np.nan))
        by_number[-1][:-1][there] = own
    painted = [outliers(own[at], found) for own, at in zip(by_number, owners, strict=True)]
    points = POINTS // _CELLS
    where = np.mean(painted, axis=0).reshape(_CELLS, points, _CELLS, points).mean(axis=(1, 3))
    return Artifacts(
        images=len(counts),
        tokens=_kind(first.rows),
        an_image=float(np.mean(counts)),
        rows=_CELLS,
        columns=_CELLS,
        **_of_norms(norms, found, outlier),
        where=tuple(tuple(row) for row in where.tolist()),
        shows=first.shows,
        probes=probe_placed(
            output,
            torch.cat(middles),
            torch.cat(shown),
            torch.cat(cosines),
            outlier,
            torch.from_numpy(np.repeat(np.arange(len(counts)), counts)),
        ),
        looked=Looked(first.rows, first.patch_size, tuple(by_number[: len(first.there)])),
    )


def _kind(rows: Rows) -> Tokens:
    if isinstance(rows, SuperpixelRows):
        return "superpixels"
    return "regions" if isinstance(rows, RegionRows) else "patches"


def _of_norms(
    norms: NDArray[np.float64], found: float | None, outlier: NDArray[np.bool_]
) -> dict[str, Any]:
    edges = np.geomspace(norms.min(), norms.max() * (1 + 1e-6), _BINS + 1)
    return {
        "cutoff": found,
        "share": float(outlier.mean()),
        "norms": tuple(np.quantile(norms, (0, 0.01, 0.5, 0.99, 1)).tolist()),
        "edges": tuple(edges.tolist()),
        "counts": tuple(np.histogram(norms, edges)[0].tolist()),
    }


def reads(trained: checkpoint.Checkpoint) -> bool:
    """Whether a training's encoder tells what becomes of each of its tokens."""
    encoder = trained.model.vision
    return isinstance(encoder, VisualTokenEncoder | ClipVisionEncoder)


def outliers(norms: NDArray[np.floating], found: float | None) -> NDArray[np.bool_]:
    """Which tokens are outliers, in the shape of their norms, by the `cutoff` of these."""
    return np.zeros(norms.shape, bool) if found is None else np.asarray(norms >= found)
