"""The patches of images that another library's model reads, to be attributed and removed.

As of a variant, but that SigLIP has no [CLS]: what reads its patches is the one token of its head,
which stands for [CLS] here, and its head for the last block.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from semtok.bench.image_files import opened
from semtok.models.attention_maps import rollout
from semtok.models.attributions import component, flow_of
from semtok.models.outside_watching import Embed, Seen, Side, only, watch
from semtok.models.relevance import attention_gradient
from semtok.remote import AnyPath

if TYPE_CHECKING:
    from PIL import Image

#: Images that are attributed at once: their attention is held in every block and head.
BATCH = 4


@dataclass(frozen=True)
class Patches:
    """As `removal.Removable`.

    Attributes:
        side: the vision side.
        embed: image features by it, of pixels.
        project: what it makes of tokens behind the last block, [B, T, width], were each of them
            what reads the image: [B, T, P].
        pixels: [B, 3, H, W], on its device.
        patches: N, of an image.
        scale: as of `Removable`.
    """

    side: Side
    embed: Embed
    project: Callable[[Tensor], Tensor]
    pixels: Tensor
    patches: int
    scale: Tensor

    @property
    def readable(self) -> Tensor:
        """As of `Removable`, as all that follows."""
        shape = len(self.pixels), self.patches
        return torch.ones(shape, dtype=torch.bool, device=self.pixels.device)

    def whole(self) -> Tensor:
        """As in all other benchmarks."""
        return _unit(self.embed(self.pixels))

    def left(self, among: Tensor) -> Tensor:
        """Of each image as many patches are left, as all have equally many."""
        with only(self.side, among):
            return self.whole()

    def attributions(
        self, score: Callable[[Tensor], Tensor], prototypes: Tensor
    ) -> dict[str, Tensor]:
        """From what its layers are given, and their own parameters."""
        seen = watch(self.side, self.embed, self.pixels)
        total = score(_unit(seen.features)).sum()
        wanted = [seen.embedded, *(each.given for each in seen.layers)]
        of_input, *of_layers = torch.autograd.grad(total, wanted)
        with torch.no_grad():
            maps, readable = _maps(seen), self.readable
            projected = _unit(self.project(seen.final))
            found = {
                "attention": maps[:, -1, :, 0].mean(dim=1),
                "rollout": rollout(maps)[:, 0],
                "attention_flow": flow_of(maps, readable),
                "prototype_component": component(projected, readable, prototypes),
                "gradient_input": (seen.embedded * of_input).sum(dim=-1),
                "attention_gradient": _relevance(seen, of_layers),
            }
            return {name: each[:, -self.patches :] for name, each in found.items()}


def in_batches(
    paths: Sequence[AnyPath], pixels: Callable[["Image.Image"], Tensor]
) -> Iterator[Tensor]:
    """What a model sees of image files, [B, 3, H, W], a few at a time.

    Args:
        paths: of the files.
        pixels: what it sees of one, [1, 3, H, W].
    """
    for start in range(0, len(paths), BATCH):
        yield torch.cat([pixels(opened(each)) for each in paths[start : start + BATCH]])


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.float(), dim=-1)


def _maps(seen: Seen) -> Tensor:
    """As of `attention_maps`, the token that reads the image first: [B, layers, heads, T, T]."""
    *blocks, last = (each.weights for each in seen.layers)
    if last.shape[2] > 1:
        return torch.stack([*blocks, last], dim=1)
    # The head's own token: no block reads it, and it reads none of them but the head.
    apart = [F.pad(each, (1, 0, 1, 0)) for each in blocks]
    for each in apart:
        each[..., 0, 0] = 1
    tokens = last.shape[-1]
    head = torch.eye(1 + tokens).to(last).repeat(*last.shape[:2], 1, 1)
    head[:, :, 0] = F.pad(last[:, :, 0], (1, 0))
    return torch.stack([*apart, head], dim=1)


def _relevance(seen: Seen, gradients: list[Tensor]) -> Tensor:
    """As `Relevance.attention_gradient`, of all T tokens."""
    flow: Tensor | None = None
    for layer, gradient in zip(reversed(seen.layers), reversed(gradients), strict=True):
        through = attention_gradient(layer.weights, layer.values, layer.out, gradient)
        if flow is None:
            flow = through[:, 0]
            if through.shape[1] > 1:
                flow = flow + F.one_hot(torch.zeros_like(flow[:, 0]).long(), flow.shape[1])
            continue
        flow = flow + (flow[:, None] @ through)[:, 0]
    assert flow is not None, "there is a block"
    return flow
