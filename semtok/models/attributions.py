"""What each token of an image counts for: by the flow of attention, and by prototypes.

Both are SPiT's (arXiv 2408.07680), whose released code names them and lacks what they call.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from semtok.models.attention_maps import attention_maps, rollout
from semtok.models.encoder import VisualTokenEncoder
from semtok.tokens.batch import TokenBatch

#: The share of attention beside the residual stream.
_ATTENTION = 0.9


@torch.no_grad()
def attention_flow(encoder: VisualTokenEncoder, batch: TokenBatch) -> Tensor:
    """How much of each token flows into [CLS]: the logarithm of attention rollout, standardised.

    Args:
        encoder: ours, of any variant that keeps all tokens.
        batch: B images of N tokens, on the encoder's device.

    Returns:
        [B, N] float64, of mean 0 and standard deviation 1 over an image's tokens; 0 for padding.
    """
    return flow_of(attention_maps(encoder, batch), batch.valid)


def flow_of(maps: Tensor, valid: Tensor) -> Tensor:
    """As `attention_flow`, from what `attention_maps` gave of a batch with such `valid` tokens."""
    to_tokens = rollout(maps.double(), _ATTENTION, "max")[:, 0, -valid.shape[1] :]
    return _standardised(to_tokens.clamp(min=torch.finfo(torch.float64).tiny).log(), valid)


@torch.no_grad()
def prototype_component(
    encoder: VisualTokenEncoder, batch: TokenBatch, prototypes: Tensor
) -> Tensor:
    """Where each token lies along the first principal component of tokens and prototypes.

    Tokens are read as [CLS] is: behind the last block, projected into the joint space, of unit
    length. The component is found for each image alone, and its sign is such that prototypes lie
    above the mean.

    Args:
        encoder: ours, of any variant that keeps all tokens.
        batch: B images of N tokens, on the encoder's device.
        prototypes: [P, embedding] unit vectors of the joint space: what the text side makes of
            captions, or of the names of classes.

    Returns:
        [B, N] float64, standardised as `attention_flow`; 0 for padding.
    """
    x = encoder.blocks[-1](*encoder.contextualise(batch))
    tokens = F.normalize(encoder.projection(encoder.norm(x)), dim=-1)
    return component(tokens, batch.valid, prototypes)


def component(tokens: Tensor, valid: Tensor, prototypes: Tensor) -> Tensor:
    """As `prototype_component`, of tokens [B, C+N, embedding] in the joint space."""
    tokens = tokens.double()
    values = torch.zeros(valid.shape, dtype=torch.float64, device=tokens.device)
    for image, there in enumerate(valid):
        own = tokens[image, -len(there) :][there]
        together = torch.cat([own, prototypes.double()])
        centred = together - together.mean(dim=0)
        # The last eigenvector is that of the largest eigenvalue.
        along = centred @ torch.linalg.eigh(centred.T @ centred).eigenvectors[:, -1]
        sign = 1 if along[len(own) :].mean() >= 0 else -1
        values[image, there] = sign * along[: len(own)]
    return _standardised(values, valid)


def _standardised(values: Tensor, valid: Tensor) -> Tensor:
    count = valid.sum(dim=1, keepdim=True)
    apart = torch.where(valid, values, 0)
    apart = torch.where(valid, values - apart.sum(dim=1, keepdim=True) / count, 0)
    deviation = (apart.square().sum(dim=1, keepdim=True) / count).sqrt()
    return apart / deviation.clamp(min=1e-12)
