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
from semtok.bench.device import device
from semtok.bench.kept_vectors import KeptVectors
from semtok.bench.remembered import Remembered, RememberedTexts
from semtok.bench.removal import BATCH as REMOVABLE
from semtok.bench.removal import Removable, TokensOfVariant
from semtok.bench.selections import Selection
from semtok.bench.token_maps import Features, TokenMap, finite, of_rows
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.remote import AnyPath
from semtok.tokens.loader import in_order
from semtok.tokens.rows import Rows
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint
from semtok.workspace import fingerprint

#: Images or captions encoded at once: enough to keep a GPU busy, little memory without one.
BATCH = 256


class Images(Protocol):
    """The images of a split: token shards, or image files."""

    image_ids: npt.NDArray[np.int64]

    @property
    def folder(self) -> AnyPath:
        """The artifact with the shards, or the data root."""
        ...

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

    def token_maps(
        self,
        images: Images,
        places: npt.NDArray[np.int64],
        features: Features,
        emit: Emit = ignore,
    ) -> Iterator[TokenMap]:
        """What becomes of each token of some images, one image after the other.

        Of a model that has such (`token_maps.refusal`).

        Args:
            images: of a split.
            places: of some of them, in this order.
            features: which ones.
            emit: told of progress.
        """
        ...

    def removable(self, images: Images, places: npt.NDArray[np.int64]) -> Iterator[Removable]:
        """The tokens of some images, a batch at a time, to be attributed and removed.

        Of a model that has such (`faithfulness.refusal`).

        Args:
            images: of a split.
            places: of some of them, in this order.
        """
        ...


class Model:
    """One training of a variant, on a GPU where there is one."""

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        """Read a checkpoint.

        Args:
            folder: `seed-S` of a checkpoint artifact; names the model in errors.
            kept: where vectors are kept, of this checkpoint and the same token shards alone, so
                that a run that was killed goes on. None: nowhere.

        Raises:
            SemtokError: it is missing, damaged or of another format.
        """
        self.folder = folder
        self._embedded, self._texts = Remembered(), RememberedTexts()
        self._kept = KeptVectors(kept)
        self._selection: Selection | None = None
        self._checkpoint = checkpoint.load(folder, device())

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
        for number, rows in enumerate(in_order(images, BATCH)):
            emit(Progress("embedding images", number * BATCH, len(images)))

            def encode(rows: Rows = rows, number: int = number) -> torch.Tensor:
                batch = self._checkpoint.collate(rows).to(model.log_scale.device)
                if self._selection is None:
                    return model.encode_image(batch)
                return sending.encode(model, batch, self._selection, number)

            # What is drawn is drawn for a batch, by its number.
            told = (str(self._checkpoint.collate), str(self._selection), str(number))
            inputs = (str(images.folder), *told, *map(str, rows.image_ids.tolist()))
            parts.append(self._vectors("images", inputs, encode))
        emit(Progress("embedding images", len(images), len(images)))
        return torch.cat(parts)

    def token_maps(
        self,
        images: Images,
        places: npt.NDArray[np.int64],
        features: Features,
        emit: Emit = ignore,
    ) -> Iterator[TokenMap]:
        """As of `Embedder`, of what `open_shards` gave."""
        assert isinstance(images, TokenShards), "a variant reads tokens"
        for start in range(0, len(places), BATCH):
            emit(Progress("reading tokens", start, len(places)))
            rows = images.rows(places[start : start + BATCH])
            found = of_rows(self._checkpoint, rows, features)
            assert found is not None, "others are not asked (token_maps.refusal)"
            yield from finite(found, str(self.folder))
        emit(Progress("reading tokens", len(places), len(places)))

    def removable(self, images: Images, places: npt.NDArray[np.int64]) -> Iterator[Removable]:
        """As of `Embedder`, of what `open_shards` gave."""
        assert isinstance(images, TokenShards), "a variant reads tokens"
        model = self._checkpoint.model
        for start in range(0, len(places), REMOVABLE):
            rows = images.rows(places[start : start + REMOVABLE])
            batch = self._checkpoint.collate(rows).to(model.log_scale.device)
            tokens = TokensOfVariant(model, batch)
            with torch.no_grad():
                self._checked(tokens.whole().float(), "images")
            yield tokens

    def embed_texts(self, captions: Sequence[str], emit: Emit = ignore) -> torch.Tensor:
        """Encode captions, each one once: [T, P], as `embed_images`."""
        model = self._checkpoint.model

        def embed(some: Sequence[str]) -> torch.Tensor:
            def encode() -> torch.Tensor:
                ids = self._checkpoint.text_tokenizer.encode(some)
                return model.encode_text(ids.to(model.log_scale.device))

            return self._vectors("captions", some, encode)

        return self._texts.get(captions, embed, BATCH, emit)

    def _vectors(
        self, what: str, inputs: Sequence[str], encode: Callable[[], torch.Tensor]
    ) -> torch.Tensor:
        """The vectors of a batch, encoded unless they are kept."""
        device = self._checkpoint.model.log_scale.device

        def compute() -> torch.Tensor:
            with torch.inference_mode():
                return self._checked(encode().float(), what)

        key = fingerprint(str(self.folder), str(device), what, *inputs)
        return self._kept.get(key, compute).to(device)

    def _checked(self, embeddings: torch.Tensor, what: str) -> torch.Tensor:
        lengths = embeddings.norm(dim=1)
        if not bool(((lengths - 1).abs() < 1e-3).all()):  # false for NaN too
            raise SemtokError(
                f"{self.folder}: embeds {what} in vectors that are not finite or not of unit "
                "length; train it again"
            )
        return embeddings
