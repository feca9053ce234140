"""A model that was trained elsewhere, as benchmarks use it: in batches, each vector of unit length.

All of it is the model's own: its image processor is given the whole image as stored, its text
tokenizer cuts captions at the length that the model was built for. Vectors are brought to unit
length here, as these models do themselves before they compare.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from semtok.bench.contestant import Contestant
from semtok.bench.costs import Encoding
from semtok.bench.embedding import Images
from semtok.bench.image_files import ImageFiles
from semtok.bench.kept_vectors import KeptVectors
from semtok.bench.remembered import Remembered, RememberedTexts
from semtok.bench.removal import Removable
from semtok.bench.token_maps import Features, TokenMap, finite
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.remote import AnyPath
from semtok.workspace import fingerprint

#: Images or captions encoded at once. Of image files one at a time is held at its full size.
IMAGES, CAPTIONS = 64, 256


class Reader(Protocol):
    """A model as one library has it."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        ...

    def embed_files(self, paths: Sequence[AnyPath]) -> Tensor:
        """Vectors of n image files, of any length: [n, P], on the model's device."""
        ...

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Vectors of captions, as `embed_files`."""
        ...

    def token_maps(self, paths: Sequence[AnyPath], features: Features) -> list[TokenMap]:
        """What its last block makes of each token of n image files, where `contestant` has such.

        A whole image is stretched to the size that the model reads, and nothing is cut off: a map
        is of all of it.
        """
        ...

    def removable(self, paths: Sequence[AnyPath]) -> Iterator[Removable]:
        """The tokens of image files, as many at a time as it can attribute, where it has such."""
        ...

    def contestant(self) -> Contestant:
        """What it can be asked."""
        ...

    def costs(self) -> Encoding:
        """What it takes to encode an image, counted on one; nobody knows what it took to train."""
        ...

    def facts(self) -> dict[str, Any]:
        """Which model it is."""
        ...


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        name: of the model in messages and errors.
        origin: what tells its very weights from all others.
        read: brings it here, if need be, and opens it. Raises a `SemtokError` where its library is
            not installed, a file is missing or damaged, or it is a model of another kind.
    """

    name: str
    origin: Mapping[str, str]
    read: Callable[[], Reader]


class OutsideModel:
    """One model, on a GPU where there is one."""

    #: It reads captions, as all of its kinds.
    classes: tuple[str, ...] = ()

    def __init__(self, source: Source, kept: Path | None = None) -> None:
        """Read a model with what prepares images and captions for it.

        Args:
            source: of the model.
            kept: where vectors are kept, of this model and the same image files alone, so that a
                run that was killed goes on. None: nowhere.

        Raises:
            SemtokError: as of `Source.read`.
        """
        self.name, self._origin = source.name, source.origin
        self._model = source.read()
        self._kept = KeptVectors(kept)
        self._width: int | None = None
        self._images = Remembered()
        self._texts = RememberedTexts()

    def embed_images(self, images: Images, emit: Emit = ignore) -> Tensor:
        """Encode all images of a split, if they are not remembered.

        Args:
            images: files.
            emit: told of progress.

        Returns:
            [I, P] float32 of unit length, in their order, on the model's device.

        Raises:
            SemtokError: a file cannot be read, or an embedding is not finite or of another width
                than those of captions.
        """
        assert isinstance(images, ImageFiles), "it reads no tokens"
        return self._images.get(images, lambda: self._embed(images, emit))

    def _embed(self, images: ImageFiles, emit: Emit) -> Tensor:
        parts = []
        for start in range(0, len(images), IMAGES):
            emit(Progress("embedding images", start, len(images)))
            paths = images.paths[start : start + IMAGES]

            def encode(paths: Sequence[str] = paths, folder: AnyPath = images.folder) -> Tensor:
                return self._model.embed_files([folder / each for each in paths])

            parts.append(self._vectors("images", paths, encode))
        emit(Progress("embedding images", len(images), len(images)))
        return torch.cat(parts)

    def embed_texts(self, captions: Sequence[str], emit: Emit = ignore) -> Tensor:
        """Encode captions, each one once: [T, P], as `embed_images`."""

        def embed(some: Sequence[str]) -> Tensor:
            return self._vectors("captions", some, lambda: self._model.embed_captions(some))

        return self._texts.get(captions, embed, CAPTIONS, emit)

    def token_maps(
        self,
        images: Images,
        places: npt.NDArray[np.int64],
        features: Features,
        emit: Emit = ignore,
    ) -> Iterator[TokenMap]:
        """As of `Embedder`; the maps are not kept."""
        assert isinstance(images, ImageFiles), "it reads no tokens"
        paths = [images.folder / images.paths[each] for each in places.tolist()]
        for start in range(0, len(paths), IMAGES):
            emit(Progress("reading tokens", start, len(paths)))
            some = paths[start : start + IMAGES]
            yield from finite(self._model.token_maps(some, features), self.name)
        emit(Progress("reading tokens", len(paths), len(paths)))

    def removable(self, images: Images, places: npt.NDArray[np.int64]) -> Iterator[Removable]:
        """As of `Embedder`."""
        assert isinstance(images, ImageFiles), "it reads no tokens"
        paths = [images.folder / images.paths[each] for each in places.tolist()]
        for tokens in self._model.removable(paths):
            with torch.no_grad():
                self._alike(self._unit(tokens.whole(), "images"), "images")
            yield tokens

    def contestant(self) -> Contestant:
        """As of `Reader`."""
        return self._model.contestant()

    def costs(self) -> Encoding:
        """As of `Reader`."""
        return self._model.costs()

    def facts(self) -> dict[str, Any]:
        """Which model it is, for `model.json`: what was read, down to the bytes."""
        return {**self._model.facts(), **self._origin}

    def _vectors(self, what: str, inputs: Sequence[str], encode: Callable[[], Tensor]) -> Tensor:
        """Unit vectors of a batch, encoded unless they are kept."""

        def compute() -> Tensor:
            with torch.inference_mode():
                return self._unit(encode(), what)

        device = self._model.device
        found = self._kept.get(fingerprint(str(device), what, *inputs), compute).to(device)
        return self._alike(found, what)

    def _alike(self, vectors: Tensor, what: str) -> Tensor:
        """The same vectors, of the width that all others have."""
        if self._width not in (None, vectors.shape[1]):
            raise SemtokError(
                f"{self.name}: embeds {what} in {vectors.shape[1]} numbers, the other side in "
                f"{self._width}; they cannot be compared"
            )
        self._width = vectors.shape[1]
        return vectors

    def _unit(self, vectors: Tensor, what: str) -> Tensor:
        unit = F.normalize(vectors.float(), dim=1)
        if not bool(((unit.norm(dim=1) - 1).abs() < 1e-3).all()):  # false for NaN too
            raise SemtokError(
                f"{self.name}: embeds {what} in vectors that are not finite or 0; "
                "its weights are damaged or its training diverged"
            )
        return unit
