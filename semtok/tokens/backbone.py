"""A frozen vision model of transformers, and what it says of each patch of an image.

It reads the picture at training size, the pixels that every tokenizer reads, and says nothing of
their order in a batch: one image is encoded at a time, so that no rounding depends on its company.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.errors import SemtokError, installing
from semtok.extract import pretrained
from semtok.tokens.rows import UInt8

#: Kind of model, as its config.json names it -> class of transformers, and whether it has to be
#: told that an image has another size than those that it was trained on.
_KINDS = {
    "clip": ("CLIPVisionModel", True),
    "clip_vision_model": ("CLIPVisionModel", True),
    "siglip": ("SiglipVisionModel", True),
    "siglip_vision_model": ("SiglipVisionModel", True),
    "dinov2": ("Dinov2Model", False),
    "dinov2_with_registers": ("Dinov2WithRegistersModel", False),
}


class Backbone:
    """One model, on a GPU where there is one.

    Attributes:
        dimension: of the vector of a patch.
        patch_size: pixels a side.
        identity: of its weights and settings.
    """

    def __init__(self, name: str) -> None:
        """Read a CLIP, SigLIP or DINOv2, with or without registers.

        Args:
            name: as of `located`.

        Raises:
            SemtokError: transformers is not installed, or there is no such model by that name.
        """
        transformers, folder = _transformers(name), located(name, Path())
        try:
            config = transformers.AutoConfig.from_pretrained(folder)
            kind, self._resizes = _KINDS.get(config.model_type, ("", False))
            if not kind:
                raise SemtokError(
                    f"backbone: {name}: is a {config.model_type} model; those of "
                    f"{', '.join(_KINDS)} can be read"
                )
            model, report = getattr(transformers, kind).from_pretrained(
                folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True
            )
            path = folder / "preprocessor_config.json"
            colours = json.loads(path.read_text(encoding="utf-8"))
            self._mean, self._std = (torch.tensor(colours[f"image_{of}"]) for of in ("mean", "std"))
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise SemtokError(
                f"backbone: {name}: no vision model with preprocessor_config.json there ({reason})"
            ) from None
        if missing := sorted(report["missing_keys"]):
            raise SemtokError(
                f"backbone: {name}: has no weights for {', '.join(missing[:3])}; save all of it"
            )
        self._name = name
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.to(self._device).eval()
        self.dimension: int = model.config.hidden_size
        self.patch_size: int = model.config.patch_size
        self.identity = pretrained.identity(folder).hex()

    def patches(self, image: UInt8) -> NDArray[np.float32]:
        """Encode one image.

        Args:
            image: [S, S, 3] uint8 RGB; `patch_size` divides S.

        Returns:
            [c, c, dimension] of its patches, rows first; [CLS] and registers are left out.

        Raises:
            SemtokError: a number is not finite.
        """
        cells = len(image) // self.patch_size
        with torch.inference_mode():
            found = self._encoded(image)
        if not bool(found.isfinite().all()):
            raise SemtokError(f"backbone: {self._name}: its features are not finite")
        # What is no patch ([CLS], registers) comes first.
        patches: NDArray[np.float32] = found[len(found) - cells**2 :].cpu().numpy()
        return patches.reshape(cells, cells, -1)

    def cost(self, side: int) -> dict[str, float]:
        """What it takes to encode an image of `side` pixels a side: parameters, flops_per_image.

        It has learned from none of our labels: images is 0.
        """
        blank = np.zeros((side, side, 3), np.uint8)
        # With gradients, or a fused kernel of attention would hide its work from the counter.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            self._encoded(blank)
        parameters = sum(each.numel() for each in self._model.parameters())
        flops = float(counter.get_total_flops())
        return {"parameters": parameters, "flops_per_image": flops, "images": 0}

    def _encoded(self, image: UInt8) -> Tensor:
        """What the model makes of an image: [leading tokens and patches, dimension]."""
        pixels = (torch.from_numpy(image / np.float32(255)) - self._mean) / self._std
        pixels = pixels.permute(2, 0, 1)[None].float().to(self._device)
        resized = len(image) != self._model.config.image_size
        told = {"interpolate_pos_encoding": True} if self._resizes and resized else {}
        found: Tensor = self._model(pixel_values=pixels, **told).last_hidden_state[0]
        return found


def located(name: str, project: Path) -> Path:
    """The folder of a model, which is not looked for on the network.

    Args:
        name: a folder that `save_pretrained` wrote, or the id of a model that is in the hub's cache
            on this machine.
        project: the folder that relative names of folders start from.

    Raises:
        SemtokError: it is neither.
    """
    return pretrained.locate(name, "backbone", project)


@cache
def load(name: str) -> Backbone:
    """The backbone of a name, read once in a process."""
    return Backbone(name)


def settings_of(name: str) -> Any:
    """A model's own settings, without its weights: hidden_size and patch_size among them.

    Raises:
        SemtokError: as `Backbone`.
    """
    transformers, folder = _transformers(name), located(name, Path())
    try:
        config = transformers.AutoConfig.from_pretrained(folder)
    except (OSError, ValueError) as error:
        raise SemtokError(f"backbone: {name}: {str(error).splitlines()[0]}") from None
    return getattr(config, "vision_config", config)


def _transformers(name: str) -> Any:
    try:
        import transformers
    except ImportError:
        raise SemtokError(
            f"backbone: {name}: reading it needs transformers; {installing('clip')}"
        ) from None
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return transformers
