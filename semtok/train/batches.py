"""What a step sees: token sets and captions, prepared while the step before it computes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from semtok.tokens import loader
from semtok.tokens.batch import TokenBatch
from semtok.tokens.collate import Collate
from semtok.tokens.dropping import drop
from semtok.tokens.rows import RelatedPixelRows, Rows
from semtok.tokens.shards import TokenShards
from semtok.train import processes
from semtok.train.budget import draw
from semtok.train.captions import Captions
from semtok.train.targets import Targets, targets
from semtok.train.text_tokenizer import TextTokenizer

T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """`tokens` of B images, `ids` [B, L] int64 of one caption of each, labels where wanted.

    `budget` [B] is the share of tokens that each image may keep, where a model has gates.
    """

    tokens: TokenBatch
    ids: Tensor
    targets: Targets | None = None
    budget: Tensor | None = None


@dataclass(frozen=True)
class Data:
    """A split, ready for a model: token shards, captions, and how both become tensors.

    `labelled`: whether training is to predict masks or relations, besides. `budgets`: the least and
    the most that an image's tokens may be cut down to in training. `keep`: tokens of an image that
    a training step sees at most.
    """

    shards: TokenShards
    captions: Captions
    collate: Collate
    text_tokenizer: TextTokenizer
    labelled: bool = False
    budgets: tuple[float, float] | None = None
    keep: int | None = None

    def training(self, batch_size: int, seed: int, first_step: int) -> Iterator[Batch]:
        """Shuffled batches without end, each by (seed, step) alone: this process's part of them.

        Args:
            batch_size: images, of all processes together.
            seed: of the order of images and the choice of captions.
            first_step: where to begin, counted from 0.
        """
        mine = processes.rank(), processes.count()
        for step, rows in loader.batches(self.shards, batch_size, seed, first_step, *mine):
            captions = self.captions.draw(rows.image_ids, seed, step)
            tokens, ids = self.collate(rows), self.text_tokenizer.encode(captions)
            if self.keep is not None:
                tokens = drop(tokens, rows.image_ids, self.keep, seed, step)
            budget = self.budgets and draw(rows.image_ids, seed, step, self.budgets)
            yield Batch(tokens, ids, self._targets(rows, tokens), budget)

    def in_order(self, batch_size: int, images: int) -> Iterator[Batch]:
        """The first `images` images once, each with its first caption."""
        for rows in loader.in_order(self.shards, batch_size, images):
            captions = self.captions.first(rows.image_ids)
            yield Batch(self.collate(rows), self.text_tokenizer.encode(captions))

    def _targets(self, rows: Rows, tokens: TokenBatch) -> Targets | None:
        if self.labelled and isinstance(rows, RelatedPixelRows):
            return targets(rows, tokens.kind.shape[1])
        return None


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each one prepared in a thread while its predecessor is in use."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        following = pool.submit(next, items)
        while True:
            try:
                item = following.result()
            except StopIteration:
                return
            following = pool.submit(next, items)
            yield item
