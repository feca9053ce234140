"""A CLIP or SigLIP of transformers, from a folder that `save_pretrained` wrote."""

from collections.abc import Iterator, Mapping, Sequence
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
from semtok.bench.outside_removal import Patches, in_batches
from semtok.bench.removal import Removable
from semtok.bench.token_maps import Features, TokenMap, of_grid
from semtok.errors import SemtokError, installing
from semtok.models.outside_watching import Side
from semtok.models.patch_tokens import of_transformers
from semtok.remote import AnyPath

if TYPE_CHECKING:
    from PIL import Image

#: Kind of model -> how captions are padded, and what of that the model is told. CLIP never looks
#: behind a caption's end; SigLIP was trained to read captions together with all their padding.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "clip": ("longest", ("input_ids", "attention_mask")),
    "siglip": ("max_length", ("input_ids",)),
}

_TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")


class TransformersModel:
    """As `outside.Reader`."""

    def __init__(self, folder: Path) -> None:
        """Read a model with its image processor and text tokenizer.

        Args:
            folder: of config.json, safetensors, preprocessor_config.json and the text tokenizer.

        Raises:
            SemtokError: transformers is not installed, a file is missing or damaged, or it is a
                model of another kind.
        """
        self.folder = folder
        read = _Reader(folder)
        self._kind = read.kind()
        self._model = read.weights()
        self._processor = read.part("AutoImageProcessor", "image processor", backend="pil")
        if not any((folder / name).is_file() for name in _TOKENIZERS):
            raise SemtokError(f"{folder}: holds no text tokenizer; save the model's own beside it")
        self._tokenizer = read.part("AutoTokenizer", "text tokenizer")
        text = self._model.config.text_config
        self._context = text.max_position_embeddings
        if (found := len(self._tokenizer)) > text.vocab_size:
            raise SemtokError(
                f"{folder}: its text tokenizer has {found} entries, the model {text.vocab_size}; "
                "save the model's own beside it"
            )
        self._model.to(device())

    @property
    def device(self) -> torch.device:
        """As of `Reader`, as all that follows."""
        found: torch.device = self._model.device
        return found

    def embed_files(self, paths: Sequence[AnyPath]) -> Tensor:
        """One image is held at its full size at a time."""
        return self.embed_pixels(torch.cat([self.pixels(opened(each)) for each in paths]))

    def pixels(self, image: "Image.Image") -> Tensor:
        """What the model sees of an RGB image, by its own processor: [1, 3, H, W], on the CPU."""
        found: Tensor = self._processor(images=image, return_tensors="pt")["pixel_values"]
        side = self._model.config.vision_config.image_size
        if found.shape[-2:] != (side, side):
            height, width = found.shape[-2:]
            raise SemtokError(
                f"{self.folder}: its image processor makes {width} x {height} pixels, the model "
                f"reads {side} x {side}; save the model's own beside it"
            )
        return found

    def token_maps(self, paths: Sequence[AnyPath], features: Features) -> list[TokenMap]:
        """As of `Reader`; its own processor prepares images, but for cutting off their margins."""
        pixels = torch.cat([self.stretched(opened(each)) for each in paths])
        found = of_transformers(self._model.vision_model, pixels.to(self.device))
        return of_grid(getattr(found, features), found.rows)

    def stretched(self, image: "Image.Image") -> Tensor:
        """As `pixels`, of the whole image, whatever its sides."""
        side = self._model.config.vision_config.image_size
        found: Tensor = self._processor(
            images=image,
            do_resize=True,
            size={"height": side, "width": side},
            do_center_crop=False,
            return_tensors="pt",
        )["pixel_values"]
        return found

    def removable(self, paths: Sequence[AnyPath]) -> Iterator[Removable]:
        """As of `Reader`: of what the model sees of the files, as `embed_files`."""
        vision = self._model.vision_model
        layers = [each.self_attn for each in vision.encoder.layers]
        head = getattr(vision, "head", None)
        # Behind CLIP's norm of them: before it, the length of a token is of no account.
        embedding = getattr(vision, "pre_layrnorm", vision.embeddings)

        def project(tokens: Tensor) -> Tensor:
            tokens = vision.post_layernorm(tokens)
            if head is None:
                found: Tensor = self._model.visual_projection(tokens)
                return found
            alone: Tensor = head(tokens.flatten(0, 1)[:, None])
            return alone.view(*tokens.shape[:2], -1)

        side = Side(embedding, vision.encoder, layers, head and head.attention)
        scale = self._model.logit_scale.detach().exp()
        for pixels in in_batches(paths, self.pixels):
            yield Patches(
                side, self.embed_pixels, project, pixels.to(self.device), self._patches(), scale
            )

    def contestant(self) -> Contestant:
        """Its patches meet in one stack of blocks, all of them in each."""
        depth = self._model.config.vision_config.num_hidden_layers
        return contestant.of_library("transformers", depth)

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Its image features, of [n, 3, H, W]."""
        return _vectors(self._model.get_image_features(pixel_values=pixels.to(self.device)))

    def embed_captions(self, captions: Sequence[str]) -> Tensor:
        """Its text features, of captions that are cut at its own length."""
        padding, told = KINDS[self._kind]
        tokens = self._tokenizer(
            captions,
            padding=padding,
            max_length=self._context,
            truncation=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(self.device)
        return _vectors(self._model.get_text_features(**{name: tokens[name] for name in told}))

    def costs(self) -> Encoding:
        """Parameters by their names, FLOPs as PyTorch counts them."""
        parameters = dict.fromkeys(("blocks", "embeddings", "bias", "text", "scale"), 0)
        for name, each in self._model.named_parameters():
            parameters[_role(name)] += each.numel()
        vision = self._model.config.vision_config
        blank = torch.zeros(1, vision.num_channels, vision.image_size, vision.image_size)
        # With gradients, or a fused kernel of attention would hide its work from the counter.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            self._model.get_image_features(pixel_values=blank.to(self.device))
        return Encoding(
            parameters=Parameters(**parameters),
            tokens_per_image=float(self._patches()),
            flops_per_image=float(counter.get_total_flops()),
        )

    def _patches(self) -> int:
        vision = self._model.config.vision_config
        return int((vision.image_size // vision.patch_size) ** 2)

    def facts(self) -> dict[str, Any]:
        """What was read."""
        return {
            "model": type(self._model).__name__,
            "image_processor": type(self._processor).__name__,
            "text_tokenizer": type(self._tokenizer).__name__,
            "text_context": self._context,
        }


def _vectors(found: Any) -> Tensor:
    """As computed; transformers gives them so, since 5 in a structure."""
    vectors: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return vectors


class _Reader:
    """Reads the parts of one folder: no network, no pickle, no code but that of transformers."""

    def __init__(self, folder: Path) -> None:
        try:
            import PIL  # noqa: F401
            import transformers
        except ImportError:
            raise SemtokError(
                f"{folder}: scoring it needs transformers and pillow; {installing('clip')}, or "
                "take the model out of params.yaml"
            ) from None
        # Bars of its own would run into ours.
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self._folder, self._library = folder, transformers

    def kind(self) -> str:
        """A key of `KINDS`."""
        kind = str(self.part("AutoConfig", "model of transformers").model_type)
        if kind not in KINDS:
            raise SemtokError(
                f"{self._folder}: is a {kind} model; those of {', '.join(KINDS)} can be scored"
            )
        return kind

    def weights(self) -> Any:
        """The model, in evaluation mode."""
        model, report = self.part(
            "AutoModel",
            "safetensors that fit its config.json",
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        if missing := sorted(report["missing_keys"]):
            raise SemtokError(
                f"{self._folder}: has no weights for {', '.join(missing[:3])}; "
                "save the whole model, both sides of it"
            )
        return model.eval()

    def part(self, loader: str, what: str, **settings: Any) -> Any:
        """What a class of transformers reads from the folder."""
        try:
            return getattr(self._library, loader).from_pretrained(
                self._folder, local_files_only=True, trust_remote_code=False, **settings
            )
        except Exception as error:  # of many kinds, as many libraries read the files
            reason = str(error).strip().partition("\n")[0]
            raise SemtokError(f"{self._folder}: holds no {what} ({reason})") from None


def _role(parameter: str) -> str:
    """What a parameter counts as, by its name: a field of `Parameters`."""
    if parameter.startswith("logit_"):
        return "scale"
    if parameter.startswith("text_"):
        return "text"
    if parameter.startswith(("vision_model.embeddings.", "vision_model.pre_layrnorm.")):
        return "embeddings"
    return "blocks"
