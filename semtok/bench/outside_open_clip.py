"""A model of open_clip, from a folder as its hub has them: `open_clip_config.json`, safetensors."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.bench import contestant
from semtok.bench.contestant import Contestant
from semtok.bench.costs import Encoding, Parameters
from semtok.bench.device import device
from semtok.bench.image_files import opened
from semtok.bench.outside_offline import check_text_tower, offline
from semtok.bench.outside_removal import Patches, in_batches
from semtok.bench.removal import Removable
from semtok.bench.token_maps import Features, TokenMap, of_grid
from semtok.errors import SemtokError
from semtok.models.open_clip_tokens import attention, last_attention
from semtok.models.outside_watching import Side
from semtok.remote import AnyPath

if TYPE_CHECKING:
    from PIL import Image

#: Names of the vision side's embeddings: of its own transformer, and of one of timm.
_EMBEDDINGS = (
    "visual.conv1.",
    "visual.class_embedding",
    "visual.positional_embedding",
    "visual.ln_pre.",
    "visual.trunk.patch_embed.",
    "visual.trunk.cls_token",
    "visual.trunk.pos_embed",
    "visual.trunk.norm_pre.",
)

#: Weights that open_clip prefers to any other file.
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors")

_PICKLED = (".bin", ".pth", ".pt")


class OpenClipModel:
    """As `outside.Reader`."""

    def __init__(self, folder: Path) -> None:
        """Read a model with its transform of images and its text tokenizer.

        Args:
            folder: of open_clip_config.json and safetensors, and of the text tokenizer where it is
                none of open_clip's own.

        Raises:
            SemtokError: open_clip is not installed, a file is missing or damaged, what its text
                tower is built by was not fetched, or the vision side is no transformer of patches.
        """
        self.folder = folder
        if not any((folder / name).is_file() for name in WEIGHTS):
            if not any(folder.glob("*.safetensors")):
                raise SemtokError(f"{folder}: holds no safetensors; others are not unpickled")
            if pickled := sorted(each.name for each in folder.iterdir() if each.suffix in _PICKLED):
                raise SemtokError(
                    f"{folder}: open_clip may read {pickled[0]}, which is not unpickled; "
                    f"remove it, or name the safetensors {WEIGHTS[0]}"
                )
        try:
            import huggingface_hub  # noqa: F401
            import open_clip
        except ImportError:
            raise SemtokError(
                f"{folder}: scoring it needs open_clip, which needs torchvision; pip install "
                "open_clip_torch, or take the model out of params.yaml"
            ) from None
        check_text_tower(folder)
        place = f"local-dir:{folder.resolve()}"
        try:
            with offline():
                model, self._transform = open_clip.create_model_from_pretrained(place)
                self._tokenize = open_clip.get_tokenizer(place)
        except Exception as error:  # of many kinds, as many libraries read the files
            reason = str(error).strip().partition("\n")[0]
            raise SemtokError(f"{folder}: holds no model of open_clip ({reason})") from None
        self._model = model.eval().to(device())
        self._tokens_per_image = self._patches()  # asked now: benchmarks may take hours

    @property
    def device(self) -> torch.device:
        """As of `Reader`, as all that follows."""
        found: torch.device = self._model.logit_scale.device
        return found

    def embed_files(self, paths: Sequence[AnyPath]) -> Tensor:
        """One image is held at its full size at a time."""
        return self.embed_pixels(torch.cat([self.pixels(opened(each)) for each in paths]))

    def pixels(self, image: "Image.Image") -> Tensor:
        """What the model sees of an RGB image, by its own transform: [1, 3, H, W], on the CPU."""
        found: Tensor = self._transform(image)[None]
        return found

    def token_maps(self, paths: Sequence[AnyPath], features: Features) -> list[TokenMap]:
        """As of `Reader`; its own transform prepares images, but for cutting off their margins."""
        pixels = torch.cat([self.stretched(opened(each)) for each in paths])
        found = last_attention(self._model.visual, pixels.to(self.device))[features]
        return of_grid(found, self._model.visual.grid_size[0])

    def stretched(self, image: "Image.Image") -> Tensor:
        """As `pixels`, of the whole image, whatever its sides."""
        from open_clip.transform import PreprocessCfg, image_transform_v2

        settings = {**self._model.visual.preprocess_cfg, "resize_mode": "squash"}
        found: Tensor = image_transform_v2(PreprocessCfg(**settings), is_train=False)(image)[None]
        return found

    def removable(self, paths: Sequence[AnyPath]) -> Iterator[Removable]:
        """As of `Reader`: of what the model sees of the files, as `embed_files`."""
        visual = self._model.visual
        layers = [each.attn for each in visual.transformer.resblocks]
        side = Side(visual.ln_pre, visual.transformer, layers)
        scale = self._model.logit_scale.detach().exp()

        def project(tokens: Tensor) -> Tensor:
            found: Tensor = visual.ln_post(tokens) @ visual.proj
            return found

        for pixels in in_batches(paths, self.pixels):
            yield Patches(
                side,
                self.embed_pixels,
                project,
                pixels.to(self.device),
                self._tokens_per_image,
                scale,
            )

    def contestant(self) -> Contestant:
        """Its own plain transformer tells of its patches, and others do not."""
        visual = self._model.visual
        if attention(visual) is None:
            return contestant.of_library(f"{type(visual).__name__} of open_clip", 0)
        return contestant.of_library("open_clip", len(visual.transformer.resblocks))

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Its image features, of [n, 3, H, W]."""
        found: Tensor = self._model.encode_image(pixels.to(self.device))
        return found

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Its text features, of captions that are cut at its own length."""
        found: Tensor = self._model.encode_text(self._tokenize([*captions]).to(self.device))
        return found

    def costs(self) -> Encoding:
        """Parameters by their names, FLOPs as PyTorch counts them."""
        parameters = dict.fromkeys(("blocks", "embeddings", "bias", "text", "scale"), 0)
        for name, each in self._model.named_parameters():
            parameters[_role(name)] += each.numel()
        from PIL import Image

        blank = self.pixels(Image.new("RGB", (64, 64)))
        # With gradients, or a fused kernel of attention would hide its work from the counter.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            self._model.encode_image(blank.to(self.device))
        return Encoding(
            parameters=Parameters(**parameters),
            tokens_per_image=float(self._tokens_per_image),
            flops_per_image=float(counter.get_total_flops()),
        )

    def facts(self) -> dict[str, Any]:
        """What was read."""
        return {
            "model": type(self._model).__name__,
            "image_processor": "open_clip",
            "text_tokenizer": type(self._tokenize).__name__,
            "text_context": self._tokenize.context_length,
        }

    def _patches(self) -> int:
        visual = self._model.visual
        grid = getattr(visual, "grid_size", None)  # of its own vision transformer
        if grid is None:
            trunk = getattr(visual, "trunk", None)
            grid = getattr(getattr(trunk, "patch_embed", None), "grid_size", None)  # of timm's
        if grid is None:
            raise SemtokError(
                f"{self.folder}: its vision side is no transformer of patches; such models of "
                "open_clip alone can be scored"
            )
        return int(grid[0] * grid[1])


def _role(parameter: str) -> str:
    """What a parameter counts as, by its name: a field of `Parameters`."""
    if parameter.startswith("logit_"):
        return "scale"
    if not parameter.startswith("visual."):
        return "text"
    return "embeddings" if parameter.startswith(_EMBEDDINGS) else "blocks"
