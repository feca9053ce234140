"""Multinomial logistic regression, penalised by the weights' squares, fitted by L-BFGS in float64.

L-BFGS (Liu and Nocedal 1989) with line searches by the strong Wolfe conditions, from zero: nothing
is random. The optimum is that of scikit-learn's `LogisticRegression` at C = 1 / (penalty * N); of
two classes at twice that, as scikit-learn has one vector for both.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

#: Where the fit ends: at a gradient so small, or after so many steps.
GRADIENT, STEPS = 1e-6, 500


class Linear(NamedTuple):
    """A linear classifier.

    Attributes:
        weights: [P, C] float64.
        bias: [C] float64.
    """

    weights: Tensor
    bias: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """What it says of each class: [N, P] -> [N, C] logits, float64."""
        return features.double() @ self.weights + self.bias


def fit(
    features: Tensor, labels: Tensor, classes: int, penalty: float, start: Linear | None = None
) -> Linear:
    """Minimise the mean cross entropy + `penalty` / 2 * the sum of squared weights; bias is free.

    Args:
        features: [N, P] float.
        labels: [N] int64, 0..C-1.
        classes: C.
        penalty: above 0.
        start: where to start from; default: zero. The minimum does not depend on it.

    Returns:
        The classifier, on the features' device.
    """
    # About their mean features are better conditioned, and the bias makes up for it.
    mean = features.double().mean(dim=0)
    centred = features.double() - mean
    weights = torch.zeros(features.shape[1], classes, dtype=torch.float64, device=features.device)
    bias = torch.zeros(classes, dtype=torch.float64, device=features.device)
    if start is not None:
        weights, bias = start.weights.clone(), start.bias + mean @ start.weights
    weights.requires_grad_(), bias.requires_grad_()
    search = torch.optim.LBFGS(
        [weights, bias],
        max_iter=STEPS,
        max_eval=2 * STEPS,
        tolerance_grad=GRADIENT,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        search.zero_grad()
        found = F.cross_entropy(centred @ weights + bias, labels)
        found = found + penalty / 2 * weights.square().sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found

    search.step(loss)  # type: ignore[no-untyped-call]
    weights, bias = weights.detach(), bias.detach()
    return Linear(weights, bias - mean @ weights)
