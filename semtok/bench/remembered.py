"""Embeddings that benchmarks ask for again and again, within a bound."""

from collections.abc import Callable, Iterator, Sequence

import torch

from semtok.events import Emit, Progress

#: Captions whose vectors are remembered, at most: 256 MB at 1,024 numbers each.
REMEMBERED = 65_536


class Remembered:
    """The embeddings of the last three sets of images.

    Benchmarks ask for a split's and train's. One that does not learn asks for the next split's
    first, and train's must outlast that.
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self._last: list[tuple[object, torch.Tensor]] = []

    def get(self, key: object, embed: Callable[[], torch.Tensor]) -> torch.Tensor:
        """What was embedded under this key, or is now.

        Args:
            key: of the images; equal where they are the same.
            embed: makes them.
        """
        found = next((each for each in self._last if each[0] == key), None) or (key, embed())
        self._last = [found, *(each for each in self._last if each[0] != key)][:3]
        return found[1]


class RememberedTexts:
    """The embeddings of captions: benchmarks repeat them, and each one is encoded once."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._vectors: dict[str, torch.Tensor] = {}

    def get(
        self,
        captions: Sequence[str],
        embed: Callable[[Sequence[str]], torch.Tensor],
        batch: int,
        emit: Emit,
    ) -> torch.Tensor:
        """The embeddings of captions: [T, P], in their order.

        Beside them no more than a batch is held, and what is remembered: of captions that were not
        asked for now those go first that were not for longest, and of a set that is larger than
        that the first ones stay.

        Args:
            captions: T of them, at least one.
            embed: makes those of a batch.
            batch: how many captions are embedded at once.
            emit: told of progress.
        """
        places: dict[str, list[int]] = {}
        for place, each in enumerate(captions):
            places.setdefault(each, []).append(place)
        found: torch.Tensor | None = None
        for some, vectors in self._in_batches([*places], embed, batch, emit):
            if found is None:
                found = vectors.new_empty((len(captions), vectors.shape[1]))
            rows = [row for row, each in enumerate(some) for _ in places[each]]
            found[[place for each in some for place in places[each]]] = vectors[rows]
        assert found is not None, "there is a caption"
        return found

    def _in_batches(
        self,
        asked: Sequence[str],
        embed: Callable[[Sequence[str]], torch.Tensor],
        batch: int,
        emit: Emit,
    ) -> Iterator[tuple[Sequence[str], torch.Tensor]]:
        """Different captions and their vectors, the remembered ones first."""
        known = {each: self._vectors.pop(each) for each in asked if each in self._vectors}
        others = [*self._vectors]
        for each in others[: max(0, len(others) + len(asked) - REMEMBERED)]:
            del self._vectors[each]
        self._vectors |= known
        old, new = [*known], [each for each in asked if each not in known]
        for start in range(0, len(old), batch):
            some = old[start : start + batch]
            yield some, torch.stack([known[each] for each in some])
        for start in range(0, len(new), batch):
            emit(Progress("embedding captions", start, len(new)))
            some = new[start : start + batch]
            vectors = embed(some)
            room = max(0, REMEMBERED - len(self._vectors))
            # Copies: a part of a batch would hold all of it.
            self._vectors |= {each: vectors[row].clone() for row, each in enumerate(some[:room])}
            yield some, vectors
        emit(Progress("embedding captions", len(new), len(new)))
