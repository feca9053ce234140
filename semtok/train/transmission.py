"""Train a link to draw pictures from the patches that come through (arXiv 2405.01521)."""

import itertools
from collections.abc import Callable
from math import ceil

import numpy as np
import torch
from torch import Tensor

from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.models.attention_maps import attention_maps
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.transmission import Choice, Link, LinkConfig, attention_weighted_error, choose
from semtok.params import TransmissionSettings
from semtok.tokens import loader
from semtok.tokens.batch import TokenBatch
from semtok.tokens.rows import Rows
from semtok.tokens.shards import TokenShards

#: Rates and signal-to-noise ratios (dB) that training draws between, uniformly, for each step.
_RATES, _SNRS = (0.05, 1.0), (-5.0, 25.0)


def train_link(
    shards: TokenShards,
    collate: Callable[[Rows], TokenBatch],
    encoder: VisualTokenEncoder,
    choice: Choice,
    recipe: TransmissionSettings,
    emit: Emit = ignore,
) -> Link:
    """Train a link for one way of choosing patches.

    Args:
        shards: of the training split, patches of RGB.
        collate: of the variant whose attention says what is important.
        encoder: of that variant; it stays as it is.
        choice: what is sent in training.
        recipe: the same for every choice; the seed decides batches, rates, SNRs and noise.
        emit: told of progress.

    Returns:
        The link, in evaluation mode, on the encoder's device.

    Raises:
        SemtokError: the training diverged.
    """
    device = encoder.projection.weight.device
    random = torch.Generator().manual_seed(recipe.seed)
    _, patches, feature_dim = collate(shards.rows(np.arange(1))).features.shape
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(recipe.seed)
        link = Link(LinkConfig(patches, feature_dim)).to(device)
    optimizer = torch.optim.AdamW(link.parameters(), recipe.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps
    )
    batches = loader.batches(shards, recipe.batch_size, recipe.seed)
    for step, rows in itertools.islice(batches, recipe.steps):
        batch = collate(rows).to(device)
        images = len(batch)
        rate, snr = (
            low + (high - low) * float(torch.rand((), generator=random))
            for low, high in (_RATES, _SNRS)
        )
        attention = cls_attention(encoder, batch)
        merit = torch.rand(images, patches, generator=random).to(device)
        noise = torch.randn(images, patches, link.config.symbols, generator=random).to(device)
        sent = choose(choice, ceil(rate * patches), attention, merit)
        drawn = link(batch.features, sent, noise, torch.full((images,), snr, device=device))
        loss = attention_weighted_error(drawn, batch.features, attention)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(link.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        emit(Progress(f"training the link ({choice})", step + 1, recipe.steps))
    if not all(bool(each.isfinite().all()) for each in link.parameters()):
        raise SemtokError(f"link ({choice}): its training diverged; lower its learning rate")
    return link.eval()


def cls_attention(encoder: VisualTokenEncoder, batch: TokenBatch) -> Tensor:
    """The attention of [CLS] to each of N tokens in the last block, [B, N], the mean over heads."""
    last = attention_maps(encoder, batch)[:, -1].mean(dim=1)
    return last[:, 0, encoder.leading :]
