"""A model as benchmarks use it: images and captions in, unit vectors out."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from semtok.bench import sending
from semtok.bench.selections import Selection
from semtok.bench.token_maps import Features, TokenMap, of_rows
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.tokens.loader import in_order
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint

#: Images or captions encoded at once: enough to keep a GPU busy, little memory without one.
BATCH = 256


class Images(Protocol):
    """The images of a split: token shards, or image files."""

    folder: Path
    image_ids: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """The number of images."""
        ...


class Embedder(Protocol):
    """An image-text model: a training of a variant (`Model`), or one that was trained elsewhere."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that are all it reads, of a classifier; of a model that reads captions none."""
        ...

    def embed_images(self, images: Images, emit: Emit = ignore) -> torch.Tensor:
        """Encode all images: [I, P] float32 of unit length, in their order, on its device."""
        ...

    def embed_texts(self, captions: Sequence[str], emit: Emit = ignore) -> torch.Tensor:
        """Encode captions: [T, P], as `embed_images`."""
        ...


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


class Model:
    """One training of a variant, on a GPU where there is one."""

    def __init__(self, folder: Path) -> None:
        """Read a checkpoint.

        Args:
            folder: `seed-S` of a checkpoint artifact; names the model in errors.

        Raises:
            SemtokError: it is missing, damaged or of another format.
        """
        self.folder = folder
        self._embedded = Remembered()
        self._selection: Selection | None = None
        self._checkpoint = checkpoint.load(folder, "cuda" if torch.cuda.is_available() else "cpu")

    def with_permuted_relations(self) -> "Model":
        """The same training, shown relations that are permuted within each image."""
        collate = replace(self._checkpoint.collate, permute_relations=True)
        other = copy.copy(self)
        other._checkpoint = replace(self._checkpoint, collate=collate)
        other._embedded = Remembered()
        return other

    def sending(self, selection: Selection) -> "Model":
        """The same training, of whose tokens a part is sent on in the midst of the encoder."""
        other = copy.copy(self)
        other._selection, other._embedded = selection, Remembered()
        return other

    @property
    def trained(self) -> checkpoint.Checkpoint:
        """The model itself, with what makes its inputs."""
        return self._checkpoint

    @property
    def classes(self) -> tuple[str, ...]:
        """As of `Embedder`."""
        return self._checkpoint.text_tokenizer.classes

    def open_shards(self, folder: Path) -> TokenShards:
        """Open token shards, if they come from the tokenizer that the model was trained with."""
        return self._checkpoint.open_shards(folder)

    def embed_images(self, images: Images, emit: Emit = ignore) -> torch.Tensor:
        """Encode all images of some token shards, if they are not remembered.

        Args:
            images: what `open_shards` gave.
            emit: told of progress.

        Returns:
            [I, P] float32 of unit length, in the shards' order, on the model's device.

        Raises:
            SemtokError: an embedding is not finite or not of unit length.
        """
        assert isinstance(images, TokenShards), "a variant reads tokens"
        return self._embedded.get(images.folder, lambda: self._embed(images, emit))

    def _embed(self, images: TokenShards, emit: Emit) -> torch.Tensor:
        model, parts = self._checkpoint.model, []
        with torch.inference_mode():
            for number, rows in enumerate(in_order(images, BATCH)):
                emit(Progress("embedding images", number * BATCH, len(images)))
                batch = self._checkpoint.collate(rows).to(model.log_scale.device)
                found = (
                    model.encode_image(batch)
                    if self._selection is None
                    else sending.encode(model, batch, self._selection, number)
                )
                parts.append(found.float())
        emit(Progress("embedding images", len(images), len(images)))
        return self._checked(torch.cat(parts), "images")

    def token_maps(
        self, images: Images, features: Features, emit: Emit = ignore
    ) -> Iterator[TokenMap]:
        """What becomes of each token of all images, one image after the other, in their order.

        Args:
            images: what `open_shards` gave.
            features: which ones.
            emit: told of progress.
        """
        assert isinstance(images, TokenShards), "a variant reads tokens"
        for number, rows in enumerate(in_order(images, BATCH)):
            emit(Progress("reading tokens", number * BATCH, len(images)))
            found = of_rows(self._checkpoint, rows, features)
            assert found is not None, "others are not asked (token_maps.refusal)"
            yield from found
        emit(Progress("reading tokens", len(images), len(images)))

    def embed_texts(self, captions: Sequence[str], emit: Emit = ignore) -> torch.Tensor:
        """Encode captions: [T, P], as `embed_images`."""
        model, parts = self._checkpoint.model, []
        with torch.inference_mode():
            for start in range(0, len(captions), BATCH):
                emit(Progress("embedding captions", start, len(captions)))
                ids = self._checkpoint.text_tokenizer.encode(captions[start : start + BATCH])
                parts.append(model.encode_text(ids.to(model.log_scale.device)).float())
        emit(Progress("embedding captions", len(captions), len(captions)))
        return self._checked(torch.cat(parts), "captions")

    def _checked(self, embeddings: torch.Tensor, what: str) -> torch.Tensor:
        lengths = embeddings.norm(dim=1)
        if not bool(((lengths - 1).abs() < 1e-3).all()):  # false for NaN too
            raise SemtokError(
                f"{self.folder}: embeds {what} in vectors that are not finite or not of unit "
                "length; train it again"
            )
        return embeddings
