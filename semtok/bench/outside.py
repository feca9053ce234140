"""A model that was trained elsewhere, as benchmarks use it: in batches, each vector of unit length.

All of it is the model's own: its image processor is given the whole image as stored, its text
tokenizer cuts captions at the length that the model was built for. Vectors are brought to unit
length here, as these models do themselves before they compare.
"""

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from semtok.bench.costs import Encoding
from semtok.bench.embedding import Images, Remembered
from semtok.bench.image_files import ImageFiles
from semtok.bench.kept_vectors import KeptVectors
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.workspace import digest, fingerprint

if TYPE_CHECKING:
    from PIL import Image

#: Images or captions encoded at once. Of image files one at a time is held at its full size.
IMAGES, CAPTIONS = 64, 256

#: Captions whose vectors are remembered: benchmarks repeat them. 256 MB at 1,024 numbers each.
REMEMBERED = 65_536

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


class Reader(Protocol):
    """A model as one library has it."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        ...

    def pixels(self, image: "Image.Image") -> Tensor:
        """What the model sees of an RGB image of any size: [1, 3, H, W], on the CPU."""
        ...

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Vectors of images [n, 3, H, W], of any length: [n, P], on the model's device."""
        ...

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Vectors of captions, as `embed_pixels`."""
        ...

    def costs(self) -> Encoding:
        """What it takes to encode an image, counted on one; nobody knows what it took to train."""
        ...

    def facts(self) -> dict[str, Any]:
        """Which model it is."""
        ...


class OutsideModel:
    """One model, on a GPU where there is one."""

    #: It reads captions, as all of its kinds.
    classes: tuple[str, ...] = ()

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        """Read a model with its image processor and tokenizer.

        Args:
            folder: of transformers (`outside_transformers`) or open_clip (`outside_open_clip`);
                names the model in errors.
            kept: where vectors are kept, of this model and the same image files alone, so that a
                run that was killed goes on. None: nowhere.

        Raises:
            SemtokError: its library is not installed, a file is missing or damaged, or it is a
                model of another kind.
        """
        self.folder = folder
        self._model = _reader(folder)
        self._kept = KeptVectors(kept)
        self._width: int | None = None
        self._images = Remembered()
        self._texts: dict[str, Tensor] = {}

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

            def encode(paths: Sequence[str] = paths, folder: Path = images.folder) -> Tensor:
                pixels = torch.cat([self._model.pixels(_opened(folder / each)) for each in paths])
                return self._model.embed_pixels(pixels)

            parts.append(self._vectors("images", paths, encode))
        emit(Progress("embedding images", len(images), len(images)))
        return torch.cat(parts)

    def embed_texts(self, captions: Sequence[str], emit: Emit = ignore) -> Tensor:
        """Encode captions, each one once: [T, P], as `embed_images`."""
        if len(self._texts) > REMEMBERED:
            self._texts.clear()
        new = [each for each in dict.fromkeys(captions) if each not in self._texts]
        for start in range(0, len(new), CAPTIONS):
            emit(Progress("embedding captions", start, len(new)))
            some = new[start : start + CAPTIONS]

            def encode(some: Sequence[str] = some) -> Tensor:
                return self._model.embed_captions(some)

            self._texts |= zip(some, self._vectors("captions", some, encode), strict=True)
        emit(Progress("embedding captions", len(new), len(new)))
        return torch.stack([self._texts[each] for each in captions])

    def costs(self) -> Encoding:
        """As of `Reader`."""
        return self._model.costs()

    def facts(self) -> dict[str, Any]:
        """Which model it is, for `model.json`: what was read, down to the bytes."""
        return {**self._model.facts(), "digest": digest(self.folder)}

    def _vectors(self, what: str, inputs: Sequence[str], encode: Callable[[], Tensor]) -> Tensor:
        """Unit vectors of a batch, encoded unless they are kept."""

        def compute() -> Tensor:
            with torch.inference_mode():
                return self._unit(encode(), what)

        found = self._kept.get(fingerprint(what, *inputs), compute).to(self._model.device)
        if self._width not in (None, found.shape[1]):
            raise SemtokError(
                f"{self.folder}: embeds {what} in {found.shape[1]} numbers, the other side in "
                f"{self._width}; they cannot be compared"
            )
        self._width = found.shape[1]
        return found

    def _unit(self, vectors: Tensor, what: str) -> Tensor:
        lengths = vectors.norm(dim=1)
        if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
            raise SemtokError(
                f"{self.folder}: embeds {what} in vectors that are not finite or 0; "
                "its weights are damaged or its training diverged"
            )
        return F.normalize(vectors.float(), dim=1)


def _reader(folder: Path) -> Reader:
    """The model of a folder; where it is there for both libraries, by transformers."""
    config, other = folder / "config.json", folder / "open_clip_config.json"
    if config.is_file() and not (other.is_file() and _is_of_timm(config)):
        from semtok.bench.outside_transformers import TransformersModel

        return TransformersModel(folder)
    if other.is_file():
        from semtok.bench.outside_open_clip import OpenClipModel

        return OpenClipModel(folder)
    source = "hf download ID --local-dir FOLDER"
    hub_id = "/".join(folder.parts[-2:])
    if not folder.exists() and _HUB_ID.fullmatch(hub_id):
        source = f"hf download {hub_id} --local-dir {hub_id}"
    raise SemtokError(
        f"{folder}: holds no model of transformers (config.json) or open_clip "
        f"(open_clip_config.json); name a folder that has one, or fetch one: {source}"
    )


def _is_of_timm(config: Path) -> bool:
    """Whether a `config.json` names no kind of model of transformers, as timm's do not."""
    try:
        return "model_type" not in json.loads(config.read_bytes())
    except (TypeError, ValueError):
        return False


def _opened(path: Path) -> "Image.Image":
    """An image file as stored, in RGB."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except OSError as error:
        raise SemtokError(f"{path}: unreadable image ({error}); replace or remove it") from None
