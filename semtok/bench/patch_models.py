"""Models that cut images into patches, as what reads their patches uses them: ours or others'."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from semtok.bench.device import device
from semtok.bench.image_files import ImageFiles
from semtok.errors import SemtokError, installing
from semtok.models.clip_vision import ClipVisionEncoder
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.patch_tokens import PatchTokens, of_encoder, of_transformers
from semtok.models.pictures import assembled
from semtok.remote import AnyPath, readable
from semtok.tokens.loader import in_order
from semtok.tokens.shards import TokenShards
from semtok.train import checkpoint

_BATCH = 32


def of_variant(
    trained: checkpoint.Checkpoint, shards: TokenShards, images: int
) -> Iterator[tuple[PatchTokens, Tensor]]:
    """Read the first images of some token shards by a training of a variant.

    Args:
        trained: whose encoder is our own, without gates, or `clip_vision`, and reads patches.
        shards: of the variant's tokenizer.
        images: how many, at most.

    Yields:
        Tokens and pixels of a batch of B images: [B, P, D], 0..1.
    """
    encoder, patches = trained.model.vision, trained.model.config.vision.patches
    for rows in in_order(shards, _BATCH, images):
        batch = trained.collate(rows).to(trained.model.log_scale.device)
        if isinstance(encoder, ClipVisionEncoder):
            pictures = assembled(batch.features, trained.model.log_scale.dtype)
            tokens = of_transformers(encoder.tower, pictures)
        else:
            assert isinstance(encoder, VisualTokenEncoder)
            tokens = of_encoder(encoder, batch)
        yield tokens, batch.features[:, :patches] / 255


def encoder_of_patches(trained: checkpoint.Checkpoint) -> VisualTokenEncoder | None:
    """The encoder that takes a grid of patches, and all of them, through our own blocks."""
    encoder, vision = trained.model.vision, trained.model.config.vision
    if isinstance(encoder, VisualTokenEncoder) and vision.gates is None and vision.patches:
        return encoder
    return None


class HubModel:
    """A vision transformer of transformers, on a GPU where there is one."""

    def __init__(self, name: str) -> None:
        """Read a model and its image processor.

        Args:
            name: a folder that `save_pretrained` wrote, or an id of the hub: of a Dinov2Model,
                Dinov2WithRegistersModel, ViTModel, CLIPVisionModel, or a CLIPModel, whose vision
                side is taken.

        Raises:
            SemtokError: transformers is not installed, or the model cannot be had.
        """
        try:
            import PIL  # noqa: F401
            import transformers
        except ImportError:
            raise SemtokError(
                f"{name}: reading it needs transformers and pillow; {installing('clip')}"
            ) from None
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.name = name
        try:
            model = transformers.AutoModel.from_pretrained(name, dtype=torch.float32)
            processors: Any = transformers.AutoImageProcessor
            self._processor: Any = processors.from_pretrained(name, backend="pil")
        except Exception as error:  # of many kinds, as many libraries read the files
            reason = str(error).strip().partition("\n")[0]
            raise SemtokError(
                f"{name}: neither a variant, nor a model's folder or hub id that can be read "
                f"({reason})"
            ) from None
        self._model: Any = getattr(model, "vision_model", model).eval().to(device())

    def read(self, files: ImageFiles, images: int) -> Iterator[tuple[PatchTokens, Tensor]]:
        """As `of_variant`, of the first images of a split, cut as the image processor does.

        Raises:
            SemtokError: an image cannot be read, or the model has other parts than are known.
        """
        paths = [files.folder / each for each in files.paths[:images]]
        mean, spread = self._scale()
        for start in range(0, len(paths), _BATCH):
            some = paths[start : start + _BATCH]
            values = torch.cat([self._values(path) for path in some])
            tokens, side = self._tokens(values), self.patch_size
            shown = (values * spread + mean).unfold(2, side, side).unfold(3, side, side)
            yield tokens, shown.permute(0, 2, 3, 4, 5, 1).flatten(3).flatten(1, 2)

    @property
    def patch_size(self) -> int:
        """The side of a patch in pixels."""
        return int(self._model.config.patch_size)

    def whole(self, path: Path, stretch: bool = False) -> PatchTokens:
        """Read one image at its own size, padded with zeros on the right and below.

        Args:
            path: of the image.
            stretch: rather than padded, resampled to the nearest size that is whole patches.

        Raises:
            SemtokError: as of `read`.
        """
        mean, spread = self._scale()
        side = self.patch_size
        pixels = torch.from_numpy(_pixels(path, side if stretch else None)).permute(2, 0, 1) / 255
        height, width = pixels.shape[1:]
        padding = (0, -width % side, 0, -height % side)
        return self._tokens(F.pad((pixels - mean) / spread, padding)[None])

    def _scale(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [3, 1, 1] that pixels of 0..1 are brought to 0 and 1 by."""
        mean, spread = (
            torch.tensor(getattr(self._processor, name)).view(3, 1, 1)
            for name in ("image_mean", "image_std")
        )
        return mean, spread

    def _tokens(self, values: Tensor) -> PatchTokens:
        try:
            return of_transformers(self._model, values.to(device()))
        except (ValueError, AttributeError) as error:
            raise SemtokError(f"{self.name}: no vision transformer known here: {error}") from None

    def _values(self, path: AnyPath) -> Tensor:
        found: Tensor = self._processor(images=_pixels(path), return_tensors="pt")["pixel_values"]
        return found


def _pixels(path: AnyPath, side: int | None = None) -> NDArray[np.uint8]:
    """[H, W, 3], both of them multiples of `side` where one is given."""
    from PIL import Image

    try:
        with Image.open(readable(path)) as image:
            shown = image.convert("RGB")
            if side:
                width, height = (max(1, round(length / side)) * side for length in shown.size)
                shown = shown.resize((width, height), Image.Resampling.LANCZOS)
            return np.array(shown)
    except OSError as error:
        raise SemtokError(f"{path}: unreadable image ({error}); replace or remove it") from None
