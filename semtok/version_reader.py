"""A registered version as benchmarks use a model from elsewhere: of image files, by itself.

Masks and relations are what its own extractor finds in each file, tokens what its own tokenizer
makes of them: nothing of the data set's extraction or token shards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from semtok.bench import contestant, costs, removal
from semtok.bench.contestant import Contestant
from semtok.bench.costs import Encoding
from semtok.bench.removal import Removable
from semtok.bench.token_maps import Features, TokenMap
from semtok.errors import SemtokError
from semtok.extract.raw import RawExtractor
from semtok.predict import Predictor
from semtok.remote import AnyPath


class VersionReader:
    """As `semtok.bench.outside.Reader`."""

    def __init__(self, name: str, checkpoint: Path, extractor: Path | None) -> None:
        """Read a checkpoint and what finds masks for it.

        Args:
            name: of the version, for errors.
            checkpoint: `seed-S` of a checkpoint artifact.
            extractor: as `semtok.extract.raw.pack` wrote it; None: it takes none along.

        Raises:
            SemtokError: a file is damaged or of another format, it is a classifier, or it reads
                masks and has nothing to find them with.
        """
        unpacked = RawExtractor.unpack(extractor) if extractor else None
        self._predictor = Predictor(checkpoint, unpacked)
        if self._predictor.classes:
            raise SemtokError(
                f"{name}: is a classifier and reads no captions; name a version that does"
            )
        if self._predictor.needs_masks and unpacked is None:
            raise SemtokError(
                f"{name}: reads masks and takes no extractor along: they were annotated, or found "
                "by a model of others; name a version of patches, or whose extractor travels"
            )
        self._contestant = replace(contestant.of_training(checkpoint), shards=False)
        counted = costs.of_trainings([checkpoint])
        self._costs = Encoding(
            counted.parameters, counted.tokens_per_image, counted.flops_per_image
        )

    @property
    def device(self) -> torch.device:
        """As of `Reader`, as all that follows."""
        return self._predictor.device

    def embed_files(self, paths: Sequence[AnyPath]) -> Tensor:
        """Its image embeddings."""
        found = self._predictor.embed_images(_images(paths), names=[str(each) for each in paths])
        return torch.from_numpy(found)

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Its caption embeddings."""
        return torch.from_numpy(self._predictor.embed_texts(captions))

    def token_maps(self, paths: Sequence[AnyPath], features: Features) -> list[TokenMap]:
        """As a variant's, of tokens that its own tokenizer makes."""
        return self._predictor.token_maps(_images(paths), [str(each) for each in paths], features)

    def removable(self, paths: Sequence[AnyPath]) -> Iterator[Removable]:
        """As a variant's, of tokens that its own tokenizer makes."""
        for start in range(0, len(paths), removal.BATCH):
            some = paths[start : start + removal.BATCH]
            yield self._predictor.removable(_images(some), [str(each) for each in some])

    def contestant(self) -> Contestant:
        """As in its training, but that it reads image files."""
        return self._contestant

    def costs(self) -> Encoding:
        """As counted in its training, on the images of that; without the extractor."""
        return self._costs

    def facts(self) -> dict[str, Any]:
        """What was read."""
        return self._predictor.facts()


def _images(paths: Sequence[AnyPath]) -> list[Path | bytes]:
    """As whoever predicts takes them, who knows no address."""
    return [each if isinstance(each, Path) else each.read_bytes() for each in paths]
