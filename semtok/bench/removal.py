"""What a model says of images of which tokens are removed, the most telling first or last.

Comprehensiveness and sufficiency of ERASER (DeYoung et al. 2020, arXiv 1911.03429) rest on it. A
token is removed as a token: the encoder reads a shorter set. No pixel is painted over.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from semtok.bench.lime import lime
from semtok.bench.orders import drawn, first
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
#: What attributions are held against where it is asked: `lime.lime`, which only removes tokens.
LIME = "lime"

#: Token sets of a variant that are encoded at once: each has maps of its attention in every block
#: and head.
BATCH = 16

Floats = npt.NDArray[np.float64]


class Removable(Protocol):
    """The N tokens of B images, and a model that reads all of them or some."""

    @property
    def readable(self) -> Tensor:
        """Which tokens there are, [B, N] bool, on the model's device."""
        ...

    @property
    def scale(self) -> Tensor:
        """The factor on cosine similarities that the model has learned."""
        ...

    def whole(self) -> Tensor:
        """The images' embeddings, [B, P] of unit length."""
        ...

    def left(self, among: Tensor) -> Tensor:
        """The same, of the tokens `among` alone, [B, N] bool."""
        ...

    def attributions(
        self, score: Callable[[Tensor], Tensor], prototypes: Tensor
    ) -> Mapping[str, Tensor]:
        """What each token counts for, by each of `ATTRIBUTIONS`, as `attributions`."""
        ...


@dataclass(frozen=True)
class TokensOfVariant:
    """As `Removable`, of a variant whose tokens meet in one stack of blocks, all of them in each.

    Attributes:
        model: the variant's.
        batch: B token sets, on its device.
    """

    model: ImageTextModel
    batch: TokenBatch

    @property
    def readable(self) -> Tensor:
        """As of `Removable`, as all that follows."""
        return self._encoder.keys(self.batch)

    @property
    def scale(self) -> Tensor:
        """Without gradients."""
        return self.model.logit_scale.detach()

    def whole(self) -> Tensor:
        """As in all other benchmarks."""
        return self.model.encode_image(self.batch)

    def left(self, among: Tensor) -> Tensor:
        """The encoder reads a shorter set."""
        return run(self._encoder, self.batch, among=among).embedding

    def attributions(
        self, score: Callable[[Tensor], Tensor], prototypes: Tensor
    ) -> Mapping[str, Tensor]:
        """By the function of this name."""
        return attributions(self._encoder, self.batch, score, prototypes)

    @property
    def _encoder(self) -> VisualTokenEncoder:
        encoder = self.model.vision
        assert isinstance(encoder, VisualTokenEncoder), "others are not asked"
        return encoder


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
    batches: Iterable[tuple[npt.NDArray[np.int64], Removable]],
    candidates: Tensor,
    lime_draws: int = 0,
) -> Removal:
    """Remove the tokens that each of `ATTRIBUTIONS` puts first, then all others, then random ones.

    Args:
        batches: ids of B images and their tokens.
        candidates: [C, P] float, unit rows, what the model chooses from. Its probability of each is
            the softmax of scaled cosine similarities, by the scale that it learned.
        lime_draws: of how many sets of tokens `LIME` learns; 0: it is not asked.
    """
    parts = []
    for image_ids, tokens in batches:
        vectors = candidates.to(tokens.readable.device)
        told = merits(image_ids, tokens, vectors, lime_draws)
        orders = {name: [merit] for name, merit in told.items()}
        orders[RANDOM] = drawn(image_ids, tokens.readable, DRAWS, stream=0)
        parts.append(_of_batch(tokens, orders, choice(tokens, vectors)))
    return Removal(
        np.concatenate([each.whole for each in parts]),
        *(
            {name: np.concatenate([each[name] for each in found], axis=1) for name in found[0]}
            for found in ([each.without for each in parts], [each.alone for each in parts])
        ),
    )


def merits(
    image_ids: npt.NDArray[np.int64], tokens: Removable, candidates: Tensor, lime_draws: int
) -> dict[str, Tensor]:
    """What each token counts for, [B, N], by `ATTRIBUTIONS` and, where it is asked, by `LIME`.

    Args:
        image_ids: [B].
        tokens: of these images.
        candidates: as of `measure`, on the model's device.
        lime_draws: likewise.
    """
    log_probability = choice(tokens, candidates)
    found = {**tokens.attributions(log_probability, candidates)}
    if lime_draws:
        found[LIME] = lime(
            image_ids,
            tokens.readable,
            lambda among: log_probability(tokens.left(among)).exp(),
            lime_draws,
        )
    return found


def choice(tokens: Removable, candidates: Tensor) -> Callable[[Tensor], Tensor]:
    """The logarithm of the probability, [B], that embeddings give what whole images are taken for.

    Args:
        tokens: of the whole images.
        candidates: as of `measure`.
    """
    scale, vectors = tokens.scale.double(), candidates.double()

    def logs(embedding: Tensor) -> Tensor:
        return (scale * (embedding.double() @ vectors.T)).log_softmax(dim=1)

    with torch.no_grad():
        chosen = logs(tokens.whole()).argmax(dim=1, keepdim=True)
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


@torch.no_grad()
def _of_batch(
    tokens: Removable,
    orders: Mapping[str, Sequence[Tensor]],
    log_probability: Callable[[Tensor], Tensor],
) -> Removal:
    readable = tokens.readable

    def probability(among: Tensor) -> Floats:
        return np.asarray(log_probability(tokens.left(among)).exp().cpu().numpy())

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
