"""The blind control: what the words alone are worth, to one who knows how training captions read.

A model that embeds images and captions has been shown many captions, and may prefer those that are
like them, whatever the image. How far that leads is a property of a benchmark, not of a variant: a
bigram model of the training captions chooses the most probable caption of each case.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench.benchmark import SplitData
from semtok.data.index import CAPTIONS, SPLITS
from semtok.data.words import words_of
from semtok.tables import read_table

#: Weight of a pair of words against the second word alone.
BIGRAM = 0.75

_END = ""


class CaptionPrior:
    """A bigram model, interpolated with unigrams (Jelinek and Mercer 1980).

    p(w | v) = `BIGRAM` c(v w) / c(v) + (1 - `BIGRAM`) (c(w) + 1) / (N + W + 1), for N words, W of
    them different; of a word v that was never seen the second term alone.
    """

    def __init__(self, captions: Sequence[str]) -> None:
        """Count the words of some captions."""
        pairs = [pair for caption in captions for pair in _pairs(caption)]
        self._pairs = Counter(pairs)
        self._first = Counter(first for first, _ in pairs)
        self._words = Counter(second for _, second in pairs)
        self._size = len(pairs) + len(self._words) + 1

    def log_probability(self, caption: str) -> float:
        """The natural logarithm of a caption's probability, which falls with its length."""
        return float(sum(np.log(self._probability(*pair)) for pair in _pairs(caption)))

    def _probability(self, first: str, second: str) -> float:
        alone = (self._words[second] + 1) / self._size
        if first not in self._first:
            return alone
        return BIGRAM * self._pairs[first, second] / self._first[first] + (1 - BIGRAM) * alone


def ranks(data: SplitData, captions: Sequence[Sequence[str]]) -> npt.NDArray[np.int32]:
    """The place of the first caption of each case by how probable they are, from 1.

    Of equally probable captions the alphabetically first one is chosen: to guess costs nothing, so
    that where words alone are worth nothing, exactly one in two is right, and not fewer.

    Args:
        data: knows the captions of the training images.
        captions: N times two or more.
    """
    texts = [*dict.fromkeys(text for own in captions for text in own)]
    probable = log_probabilities(data, texts).tolist()
    known = {text: (-value, text) for text, value in zip(texts, probable, strict=True)}
    before = [sum(known[text] <= known[first] for text in others) for first, *others in captions]
    return 1 + np.array(before, np.int32)


def log_probabilities(data: SplitData, captions: Sequence[str]) -> npt.NDArray[np.float64]:
    """How probable captions are by the training captions: [N] natural logarithms.

    Args:
        data: knows the captions of the training images.
        captions: N of them.
    """
    assert data.index is not None, "benchmarks with official files have an index"
    prior = _prior(data.index, (data.index / "captions.parquet").stat().st_mtime_ns)
    # Equal probabilities, summed in another order, differ in the last digits.
    return np.array([round(prior.log_probability(each), 9) for each in captions], np.float64)


@lru_cache(maxsize=1)
def _prior(index: Path, written: int) -> CaptionPrior:
    """What the training captions teach: the same for all benchmarks, seeds and splits.

    Args:
        index: the artifact.
        written: when, so that one that was written anew is read anew.
    """
    splits = read_table(index / "splits.parquet", SPLITS)
    train = splits.filter(pc.equal(splits["split"], "train"))["image_id"].combine_chunks()
    captions: pa.Table = read_table(index / "captions.parquet", CAPTIONS)
    taught = captions.filter(pc.is_in(captions["image_id"], train))
    return CaptionPrior(taught["caption"].to_pylist())


def _pairs(caption: str) -> Iterator[tuple[str, str]]:
    """Each word after the one before it, from the caption's start to its end."""
    return pairwise([_END, *words_of(caption), _END])
