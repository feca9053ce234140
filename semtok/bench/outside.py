"""A model that was trained elsewhere, as benchmarks use it: a CLIP or SigLIP of transformers.

All of it is the model's own: its image processor is given the whole image as stored, its text
tokenizer cuts captions at the length that the model was built for. Vectors are brought to unit
length here, as these models do themselves before they compare.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semtok.bench.costs import Encoding, Parameters
from semtok.bench.embedding import Images, Remembered
from semtok.bench.image_files import ImageFiles
from semtok.errors import SemtokError
from semtok.events import Emit, Progress, ignore
from semtok.workspace import digest

#: Kind of model -> how captions are padded, and what of that the model is told. CLIP never looks
#: behind a caption's end; SigLIP was trained to read captions together with all their padding.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "clip": ("longest", ("input_ids", "attention_mask")),
    "siglip": ("max_length", ("input_ids",)),
}

#: Images or captions encoded at once. Of image files one at a time is held at its full size.
IMAGES, CAPTIONS = 64, 256

#: Captions whose vectors are remembered: benchmarks repeat them. 256 MB at 1,024 numbers each.
REMEMBERED = 65_536

_TOKENIZERS = ("tokenizer.json", "vocab.json", "spiece.model", "tokenizer.model")


class OutsideModel:
    """One model, on a GPU where there is one."""

    #: It reads captions, as all of its kinds.
    classes: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        """Read a model as `save_pretrained` writes it, with its image processor and tokenizer.

        Args:
            folder: of config.json, safetensors, preprocessor_config.json and the text tokenizer;
                names the model in errors.

        Raises:
            SemtokError: transformers is not installed, a file is missing or damaged, or it is a
                model of another kind.
        """
        self.folder = folder
        if not (folder / "config.json").is_file():
            raise SemtokError(
                f"{folder}: holds no model of transformers (config.json); name a folder that "
                "save_pretrained wrote, or fetch one: hf download ID --local-dir FOLDER"
            )
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
        self._model.to("cuda" if torch.cuda.is_available() else "cpu")
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
            paths = [images.folder / each for each in images.paths[start : start + IMAGES]]
            parts.append(self._of_pixels(torch.cat([self._pixels(path) for path in paths])))
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
            self._texts |= zip(some, self._of_captions(some), strict=True)
        emit(Progress("embedding captions", len(new), len(new)))
        return torch.stack([self._texts[each] for each in captions])

    def costs(self) -> Encoding:
        """What it takes to encode an image, counted on one; nobody knows what it took to train."""
        parameters = dict.fromkeys(("blocks", "embeddings", "bias", "text", "scale"), 0)
        for name, each in self._model.named_parameters():
            parameters[_role(name)] += each.numel()
        vision = self._model.config.vision_config
        blank = torch.zeros(1, vision.num_channels, vision.image_size, vision.image_size)
        # With gradients, or a fused kernel of attention would hide its work from the counter.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            self._model.get_image_features(pixel_values=blank.to(self._model.device))
        return Encoding(
            parameters=Parameters(**parameters),
            tokens_per_image=float((vision.image_size // vision.patch_size) ** 2),
            flops_per_image=float(counter.get_total_flops()),
        )

    def facts(self) -> dict[str, Any]:
        """Which model it is, for `model.json`: what was read, down to the bytes."""
        return {
            "model": type(self._model).__name__,
            "image_processor": type(self._processor).__name__,
            "text_tokenizer": type(self._tokenizer).__name__,
            "text_context": self._context,
            "digest": digest(self.folder),
        }

    def _pixels(self, path: Path) -> Tensor:
        """[1, 3, H, W] of an image file."""
        from PIL import Image

        try:
            with Image.open(path) as image:
                pixels = self._processor(images=image.convert("RGB"), return_tensors="pt")
        except OSError as error:
            raise SemtokError(f"{path}: unreadable image ({error}); replace or remove it") from None
        found: Tensor = pixels["pixel_values"]
        side = self._model.config.vision_config.image_size
        if found.shape[-2:] != (side, side):
            height, width = found.shape[-2:]
            raise SemtokError(
                f"{self.folder}: its image processor makes {width} x {height} pixels, the model "
                f"reads {side} x {side}; save the model's own beside it"
            )
        return found

    def _of_pixels(self, pixels: Tensor) -> Tensor:
        with torch.inference_mode():
            found = self._model.get_image_features(pixel_values=pixels.to(self._model.device))
        return self._unit(found, "images")

    def _of_captions(self, captions: Sequence[str]) -> Tensor:
        padding, told = KINDS[self._kind]
        tokens = self._tokenizer(
            captions,
            padding=padding,
            max_length=self._context,
            truncation=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(self._model.device)
        with torch.inference_mode():
            found = self._model.get_text_features(**{name: tokens[name] for name in told})
        return self._unit(found, "captions")

    def _unit(self, found: Any, what: str) -> Tensor:
        """Vectors of unit length; transformers gives them as computed, since 5 in a structure."""
        vectors: Tensor = found if isinstance(found, Tensor) else found.pooler_output
        lengths = vectors.norm(dim=1)
        if not bool((torch.isfinite(lengths) & (lengths > 0)).all()):
            raise SemtokError(
                f"{self.folder}: embeds {what} in vectors that are not finite or 0; "
                "its weights are damaged or its training diverged"
            )
        width = vectors.shape[1]
        if self._width not in (None, width):
            raise SemtokError(
                f"{self.folder}: embeds {what} in {width} numbers, the other side in "
                f"{self._width}; they cannot be compared"
            )
        self._width = width
        return F.normalize(vectors.float(), dim=1)


class _Reader:
    """Reads the parts of one folder: no network, no pickle, no code but that of transformers."""

    def __init__(self, folder: Path) -> None:
        try:
            import PIL  # noqa: F401
            import transformers
        except ImportError:
            raise SemtokError(
                f"{folder}: scoring it needs transformers and pillow; pip install semtok[clip], or "
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
