"""What a model says of images of which tokens are removed, the most telling first or last.

Comprehensiveness and sufficiency of ERASER (DeYoung et al. 2020, arXiv 1911.03429) rest on it. A
token is removed as a token: the encoder reads a shorter set. No pixel is painted over.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from semtok.models.adaptive import run
from semtok.models.attention_maps import attention_maps, rollout
from semtok.models.attributions import flow_of, prototype_component
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.image_text import ImageTextModel
from semtok.models.relevance import relevance
from semtok.tokens.batch import TokenBatch

#: Shares of an image's tokens that count as telling, as in ERASER; of N tokens ceil(share N).
SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)

#: What says which tokens tell most: the attention of [CLS] in the last block, the mean over heads;
#: `attention_maps.rollout`; two of `models.attributions`; and two of `models.relevance`.
ATTRIBUTIONS = (
    "attention",
    "rollout",
    "attention_flow",
    "prototype_component",
    "gradient_input",
    "attention_gradient",
)
#: The floor: tokens in random order, the mean over so many draws.
RANDOM, DRAWS = "random", 5

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Removal:
    """The probability, 0..1, of what the model chose for each of I whole images.

    Attributes:
        whole: [I], of the whole image.
        without: attribution -> [K, I], without the first tokens, for each of `SHARES`.
        alone: attribution -> [K, I], of the first tokens alone.
    """

    whole: Floats
    without: Mapping[str, Floats]
    alone: Mapping[str, Floats]


def measure(
    model: ImageTextModel,
    batches: Iterable[tuple[npt.NDArray[np.int64], TokenBatch]],
    candidates: Tensor,
) -> Removal:
    """Remove the tokens that each of `ATTRIBUTIONS` puts first, then all others, then random ones.

    Args:
        model: of a variant whose tokens meet in one stack of blocks, all of them in each.
        batches: ids of B images and their token sets, on the model's device.
        candidates: [C, P] float, unit rows, what the model chooses from. Its probability of each is
            the softmax of scaled cosine similarities, by the scale that it learned.
    """
    encoder, parts = model.vision, []
    assert isinstance(encoder, VisualTokenEncoder), "params.yaml was checked for it"
    for image_ids, batch in batches:
        log_probability = choice(model, batch, candidates)
        merits = attributions(encoder, batch, log_probability, candidates)
        orders = {name: [merit] for name, merit in merits.items()}
        orders[RANDOM] = _random(image_ids, batch)
        parts.append(_of_batch(encoder, batch, orders, log_probability))
    return Removal(
        np.concatenate([each.whole for each in parts]),
        *(
            {name: np.concatenate([each[name] for each in found], axis=1) for name in found[0]}
            for found in ([each.without for each in parts], [each.alone for each in parts])
        ),
    )


def choice(
    model: ImageTextModel, batch: TokenBatch, candidates: Tensor
) -> Callable[[Tensor], Tensor]:
    """The logarithm of the probability, [B], that embeddings give what whole images are taken for.

    Args:
        model, candidates: as of `measure`.
        batch: the whole images.
    """
    scale, vectors = model.logit_scale.detach().double(), candidates.double()

    def logs(embedding: Tensor) -> Tensor:
        return (scale * (embedding.double() @ vectors.T)).log_softmax(dim=1)

    with torch.no_grad():
        chosen = logs(model.encode_image(batch)).argmax(dim=1, keepdim=True)
    return lambda embedding: logs(embedding).gather(1, chosen)[:, 0]


def attributions(
    encoder: VisualTokenEncoder,
    batch: TokenBatch,
    score: Callable[[Tensor], Tensor],
    prototypes: Tensor,
) -> dict[str, Tensor]:
    """What each token counts for, by each of `ATTRIBUTIONS`, [B, N]; the higher, the more.

    Args:
        encoder: ours, of any variant without gates.
        batch: B images of N tokens.
        score: what gradients are of, as of `relevance`.
        prototypes: as of `prototype_component`.
    """
    maps = attention_maps(encoder, batch)
    by_gradients = relevance(encoder, batch, score)
    tokens = batch.valid.shape[1]
    found = (
        maps[:, -1, :, 0, -tokens:].mean(dim=1),
        rollout(maps)[:, 0, -tokens:],
        flow_of(maps, batch.valid),
        prototype_component(encoder, batch, prototypes),
        *by_gradients,
    )
    return dict(zip(ATTRIBUTIONS, found, strict=True))


def first(merit: Tensor, readable: Tensor, share: float) -> Tensor:
    """The tokens of the highest merit, [B, N] bool: of n readable ones ceil(share n).

    Args:
        merit: [B, N]; of equal ones the token that stands first counts for more.
        readable: [B, N] bool, which tokens there are.
        share: 0..1.
    """
    # A product such as 0.2 x 15 may lie a little above the whole number that it is.
    count = (share * readable.sum(dim=1).double() - 1e-9).ceil()
    order = merit.masked_fill(~readable, float("-inf")).argsort(dim=1, descending=True, stable=True)
    rank = order.argsort(dim=1)
    return readable & (rank < count[:, None])


@torch.no_grad()
def _of_batch(
    encoder: VisualTokenEncoder,
    batch: TokenBatch,
    orders: Mapping[str, Sequence[Tensor]],
    log_probability: Callable[[Tensor], Tensor],
) -> Removal:
    readable = encoder.keys(batch)

    def probability(among: Tensor) -> Floats:
        embedding = run(encoder, batch, among=among).embedding
        return np.asarray(log_probability(embedding).exp().cpu().numpy())

    def curve(merits: Sequence[Tensor], *, alone: bool) -> Floats:
        found = [
            [probability(each if alone else readable & ~each) for each in told]
            for told in ([first(merit, readable, share) for merit in merits] for share in SHARES)
        ]
        return np.asarray(np.mean(found, axis=1), np.float64)

    return Removal(
        probability(readable),
        {name: curve(merits, alone=False) for name, merits in orders.items()},
        {name: curve(merits, alone=True) for name, merits in orders.items()},
    )


def _random(image_ids: npt.NDArray[np.int64], batch: TokenBatch) -> list[Tensor]:
    """Draws of merits, which depend on an image alone, and not on the batch that it is in."""
    tokens = batch.valid.shape[1]
    drawn = np.stack(
        [np.random.default_rng([0, each]).random((tokens, DRAWS)) for each in image_ids.tolist()]
    )
    return [torch.from_numpy(drawn[..., draw]).to(batch.valid.device) for draw in range(DRAWS)]
