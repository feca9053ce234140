"""What pictures are worth that come through a channel: rate, distortion, and a classifier's eye."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import ceil, isqrt

import pyarrow as pa
import torch
from torch import Tensor

from semtok.bench import image_quality, jpeg
from semtok.events import Emit, Progress, ignore
from semtok.models.channel import index_bits, link_bits
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.transmission import Choice, Link, choose
from semtok.tables import TableSchema
from semtok.tokens.batch import TokenBatch
from semtok.tokens.loader import in_order
from semtok.tokens.shards import TokenShards
from semtok.train.checkpoint import Checkpoint
from semtok.train.transmission import cls_attention

#: The table's file in the artifact.
NAME = "rate_distortion.parquet"

RATES = (1.0, 0.75, 0.5, 0.25, 0.1)
SNRS = (0.0, 10.0, 20.0)

JPEG = "jpeg"

#: Columns that say how much of a picture arrived: the more, the better.
MEASURES = ("psnr", "ssim", "accuracy")

#: What a receiver shows that got nothing.
_GREY = 128

_BATCH = 64

RATE_DISTORTION = TableSchema(
    "rate_distortion",
    2,
    pa.schema(
        [
            ("choice", pa.string()),  # attention, random, uniform, jpeg
            ("rate", pa.float64()),  # share of the patches that are sent
            ("snr", pa.float64()),  # dB
            ("symbols", pa.int64()),  # real ones, of an image
            ("index_bits", pa.int64()),  # that say which patches they are
            (
                "bits",
                pa.float64(),
            ),  # of the link: symbols at capacity, and the index; jpeg's budget
            ("mse", pa.float64()),  # square grey levels, mean over images
            ("psnr", pa.float64()),  # dB, of that mean
            ("ssim", pa.float64()),
            ("accuracy", pa.float64()),  # of the classifier, in percent; null without one
            ("fitting", pa.float64()),  # share of images that a JPEG of so many bits exists of
            ("images", pa.int64()),
        ]
    ),
)


@dataclass(frozen=True)
class Drawn:
    """One way of sending B images: what it was, the pictures [B, H, W, 3] and what fitted."""

    choice: str
    rate: float
    snr: float
    pictures: Tensor
    fitting: float = 1.0


@torch.inference_mode()
def measure(
    links: Mapping[Choice, Link],
    ranker: Checkpoint,
    shards: TokenShards,
    right: Callable[[TokenBatch, slice], Tensor] | None = None,
    emit: Emit = ignore,
) -> pa.Table:
    """Send all images of a split at every rate and SNR by every choice, and as JPEG.

    Args:
        links: trained ones, by what they choose.
        ranker: the variant whose attention ranks patches.
        shards: of the split to measure on, patches of RGB.
        right: of a batch of the split's images, whatever they show, and their places, which of
            them a fixed classifier gets right, [B] bool; None: there is no classifier.
        emit: told of progress.

    Returns:
        Schema `RATE_DISTORTION`.
    """
    sums: dict[tuple[str, float, float], list[Tensor]] = {}
    done = 0
    for number, rows in enumerate(in_order(shards, _BATCH)):
        batch = ranker.collate(rows).to(ranker.model.log_scale.device)
        here, whole = slice(done, done + len(batch)), pictures(batch.features)
        for drawn in send(links, ranker, batch, number):
            columns = [
                image_quality.mean_square_error(drawn.pictures, whole),
                image_quality.ssim(drawn.pictures, whole),
            ]
            if right is not None:
                seen = replace(batch, features=_patches(drawn.pictures, batch.features))
                columns.append(right(seen, here).double())
            columns.append(torch.full((len(batch),), drawn.fitting, dtype=torch.float64))
            key = (drawn.choice, drawn.rate, drawn.snr)
            sums.setdefault(key, []).append(torch.stack([each.cpu() for each in columns]))
        done += len(batch)
        emit(Progress("sending images", done, len(shards)))
    link = next(iter(links.values())).config
    found = []
    for (choice, rate, snr), parts in sums.items():
        means = torch.cat(parts, dim=1).mean(dim=1)
        mse, ssim, *accuracy, fitting = means.tolist()
        count = ceil(rate * link.patches)
        found.append(
            {
                "choice": choice,
                "rate": rate,
                "snr": snr,
                "symbols": None if choice == JPEG else count * link.symbols,
                "index_bits": None if choice == JPEG else index_bits(link.patches, count),
                "bits": link_bits(link.patches, count, link.symbols, snr),
                "mse": mse,
                # Of the mean: one picture that arrives as it was has no finite one of its own.
                "psnr": image_quality.psnr(means[0]).item(),
                "ssim": ssim,
                "accuracy": 100 * accuracy[0] if accuracy else None,
                "fitting": fitting,
                "images": done,
            }
        )
    return pa.Table.from_pylist(found, schema=RATE_DISTORTION.columns)


@torch.inference_mode()
def send(
    links: Mapping[Choice, Link], ranker: Checkpoint, batch: TokenBatch, seed: int
) -> Iterator[Drawn]:
    """Draw what arrives of B images, at every SNR, rate and by every choice, and as JPEG.

    Args:
        links: as of `measure`.
        ranker: likewise.
        batch: the images as patches.
        seed: of noise and of random patches: the same for all links.
    """
    random = torch.Generator().manual_seed(seed)
    vision = ranker.model.vision
    assert isinstance(vision, VisualTokenEncoder), "whoever trained the links has seen to it"
    attention = cls_attention(vision, batch)
    merit = torch.rand(attention.shape, generator=random).to(attention)
    link = next(iter(links.values())).config
    noise = torch.randn(*attention.shape, link.symbols, generator=random).to(attention)
    files = [jpeg.Files.of(each) for each in pictures(batch.features).cpu().numpy()]
    for snr in SNRS:
        ratios = torch.full((len(batch),), snr, device=attention.device)
        for rate in RATES:
            count = ceil(rate * link.patches)
            for name, each in links.items():
                sent = choose(name, count, attention, merit)
                arrived = each(batch.features, sent, noise, ratios)
                arrived = arrived.round().clamp(0, 255).to(torch.uint8)
                yield Drawn(name, rate, snr, pictures(arrived))
            bits = link_bits(link.patches, count, link.symbols, snr)
            found = [each.within(bits) for each in files]
            drawn = torch.full_like(pictures(batch.features), _GREY)
            for image, picture in zip(drawn, found, strict=True):
                if picture is not None:
                    image.copy_(torch.from_numpy(picture.copy()))
            fitting = sum(each is not None for each in found) / len(found)
            yield Drawn(JPEG, rate, snr, drawn, fitting)


def metrics(table: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """The numbers of `metrics/DATA/transmission/PARTITION.json`: rate and ratio -> choice -> value.

    Args:
        table: schema `RATE_DISTORTION`.

    Returns:
        PSNR in dB, SSIM and, where there is a classifier, its accuracy in percent.
    """
    nested: dict[str, dict[str, dict[str, float]]] = {}
    for row in table.to_pylist():
        values = {name: row[name] for name in MEASURES if row[name] is not None}
        nested.setdefault(at(row["rate"], row["snr"]), {})[row["choice"]] = values
    return nested


def at(rate: float, snr: float) -> str:
    """A rate and a signal-to-noise ratio as people read them, e.g. `25 % at 10 dB`."""
    return f"{100 * rate:g} % at {snr:g} dB"


def pictures(patches: Tensor) -> Tensor:
    """Patches [B, N, D] in reading order as pictures [B, H, W, 3]."""
    side, size = isqrt(patches.shape[1]), isqrt(patches.shape[2] // 3)
    grid = patches.view(-1, side, side, size, size, 3).transpose(2, 3)
    return grid.reshape(-1, side * size, side * size, 3)


def _patches(drawn: Tensor, like: Tensor) -> Tensor:
    """The inverse of `pictures`, for patches of the same shape as `like`."""
    side, size = isqrt(like.shape[1]), isqrt(like.shape[2] // 3)
    grid = drawn.reshape(-1, side, size, side, size, 3).transpose(2, 3)
    return grid.reshape(len(drawn), *like.shape[1:])
