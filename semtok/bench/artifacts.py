"""The artifact report: does a vision transformer store things of its own in some patches?

Darcet et al. (arXiv 2309.16588) found output tokens of about ten times the norm of others, on
patches that repeat their neighbours; they say little of their place and pixels, and registers take
them over. One report for any model says whether it has such tokens, where, and what they hold.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench.outliers import cutoff
from semtok.bench.probes import Probed, neighbour_cosines, probe
from semtok.models.patch_tokens import PatchTokens

#: Images of a report: enough for 16,384 tokens of 64 patches each.
IMAGES = 256

_BINS = 60


@dataclass(frozen=True)
class Artifacts:
    """What was found in the output tokens of some images.

    Attributes:
        images: how many.
        rows, columns: of patches.
        cutoff: the norm from which on a token is an outlier; None: the histogram has one mode.
        share: of the tokens that are outliers, 0..1.
        norms: quantiles of the norm: 0, 0.01, 0.5, 0.99, 1.
        edges: [61] of the bins of the histogram, evenly spaced in ln(norm).
        counts: [60], tokens in each bin.
        where: [rows][columns], the share of images whose token there is an outlier.
        probes: of "normal" and of "outlier" tokens; None where there is none.
    """

    images: int
    rows: int
    columns: int
    cutoff: float | None
    share: float
    norms: tuple[float, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    where: tuple[tuple[float, ...], ...]
    probes: dict[str, Probed | None]

    def as_dict(self) -> dict[str, Any]:
        """For `json.dumps`."""
        return asdict(self)


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
    edges = np.geomspace(norms.min(), norms.max() * (1 + 1e-6), _BINS + 1)
    where = outlier.mean(axis=0).reshape(rows, columns)
    return Artifacts(
        images=len(output),
        rows=rows,
        columns=columns,
        cutoff=found,
        share=float(outlier.mean()),
        norms=tuple(np.quantile(norms, (0, 0.01, 0.5, 0.99, 1)).tolist()),
        edges=tuple(edges.tolist()),
        counts=tuple(np.histogram(norms, edges)[0].tolist()),
        where=tuple(tuple(row) for row in where.tolist()),
        probes=probe(output, torch.cat(pixels), torch.cat(cosines), outlier, columns),
    )


def outliers(norms: NDArray[np.floating], found: float | None) -> NDArray[np.bool_]:
    """Which tokens are outliers, in the shape of their norms, by the `cutoff` of these."""
    return np.zeros(norms.shape, bool) if found is None else np.asarray(norms >= found)
