"""Images and captions -> embeddings, for `semtok predict` and for the served model."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from semtok.bench.removal import TokensOfVariant
from semtok.bench.token_maps import Features, TokenMap, of_rows
from semtok.errors import SemtokError, UnreadableImageError
from semtok.extract.raw import RawExtractor
from semtok.given import Mask, Relation, check_text, extraction_of
from semtok.tokens import tokenize
from semtok.tokens.extraction import WHOLE_IMAGE, Extraction, ExtractionShard
from semtok.tokens.pixels import decode
from semtok.tokens.rows import Rows, TokenSet, pack, predicate_names
from semtok.train import checkpoint

#: Images or captions that are encoded at once.
_BATCH = 64


@dataclass(frozen=True)
class Prediction:
    """How I images and T captions fit.

    Attributes:
        images: [I, P] float32 embeddings of unit length.
        texts: [T, P] the same for captions.
        similarities: [I, T] cosines, -1..1.
    """

    images: NDArray[np.float32]
    texts: NDArray[np.float32]
    similarities: NDArray[np.float32]


def predict(
    folder: Path,
    images: Sequence[Path | bytes],
    texts: Sequence[str],
    masks: Sequence[Sequence[Mask] | None] | None = None,
    relations: Sequence[Sequence[Relation] | None] | None = None,
    extractor: RawExtractor | None = None,
    project: Path = Path(),
) -> Prediction:
    """Embed images and captions.

    Args:
        folder: one training, `artifacts/DATA/checkpoint/VARIANT/seed-S`.
        images: I files, or their bytes.
        texts: T captions.
        masks: for each image what was found in it, which variants need whose tokens depend on it
            (`Predictor.needs_masks`); an empty list: nothing was found. Others ignore it.
        relations: for each image those among its masks, if there are any.
        extractor: finds masks and relations where masks are needed and none are given.
        project: the folder from which settings name files of a frozen backbone.

    Raises:
        SemtokError: the checkpoint, an image, a mask or a relation cannot be read, or masks are
            needed and missing.
    """
    predictor = Predictor(folder, extractor, project)
    found = predictor.embed_images(images, masks, relations)
    captions = predictor.embed_texts(texts)
    return Prediction(found, captions, found @ captions.T)


@dataclass(frozen=True)
class Classification:
    """What a classifier makes of I images.

    Attributes:
        classes: C names.
        probabilities: [I, C] float32, each row sums to 1.
    """

    classes: tuple[str, ...]
    probabilities: NDArray[np.float32]


def classify(
    folder: Path,
    images: Sequence[Path | bytes],
    masks: Sequence[Sequence[Mask] | None] | None = None,
    relations: Sequence[Sequence[Relation] | None] | None = None,
    extractor: RawExtractor | None = None,
    project: Path = Path(),
) -> Classification:
    """Say how likely each class is of each image.

    Args:
        folder, images, masks, relations, extractor, project: as `predict`.

    Raises:
        SemtokError: as `predict`, or the training was of captions and knows no classes.
    """
    predictor = Predictor(folder, extractor, project)
    if not predictor.classes:
        raise SemtokError(
            f"{folder}: was trained on captions and knows no classes; name captions (--text)"
        )
    found = predictor.embed_images(images, masks, relations)
    vectors = predictor.embed_texts(predictor.classes)
    logits = predictor.logit_scale * torch.from_numpy(found @ vectors.T)
    return Classification(predictor.classes, logits.softmax(dim=1).numpy())


class Predictor:
    """A checkpoint that stays in memory."""

    def __init__(
        self, folder: Path, extractor: RawExtractor | None = None, project: Path = Path()
    ) -> None:
        """Read a checkpoint; a GPU is used where there is one.

        Args:
            folder, extractor, project: as `predict`.

        Raises:
            SemtokError: it is missing, damaged or of another format.
        """
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._checkpoint = checkpoint.load(folder, self._device)
        self._extractor = extractor
        tokens = self._checkpoint.tokens
        self._tokenizer, settings = tokenize.find(
            {"scheme": tokens["scheme"], **tokens["settings"]}, f"{folder}/config.json: tokens"
        )
        self._settings = tokenize.located(self._tokenizer, settings, project)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of a classifier's classes; of other models none."""
        return self._checkpoint.text_tokenizer.classes

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return torch.device(self._device)

    @property
    def logit_scale(self) -> float:
        """The factor on cosine similarities that it was trained with."""
        return self._checkpoint.model.logit_scale.item()

    def facts(self) -> dict[str, Any]:
        """Which kind of model it is: its class, and what cuts images and captions."""
        return {
            "model": type(self._checkpoint.model).__name__,
            "tokens": self._checkpoint.tokens["scheme"],
            "text_tokenizer": type(self._checkpoint.text_tokenizer).__name__,
        }

    @property
    def needs_masks(self) -> bool:
        """Whether masks change what it makes of an image.

        Where pixels and regions are kept side by side, the regions only say what relations are
        about: a variant without relations (one trained with auxiliary losses) has no use for them.
        """
        columns = set(self._tokenizer.schema(self._settings).columns.names)
        vision = self._checkpoint.model.config.vision
        return self._tokenizer.READS_EXTRACTION and (
            vision.intangible
            or vision.relation_bias
            or vision.key_mask
            or not {"pixels", "edge_ends"} <= columns
        )

    def embed_images(
        self,
        images: Sequence[Path | bytes],
        masks: Sequence[Sequence[Mask] | None] | None = None,
        relations: Sequence[Sequence[Relation] | None] | None = None,
        names: Sequence[str] | None = None,
    ) -> NDArray[np.float32]:
        """Embed images: [I, P] float32 of unit length.

        Args:
            images, masks, relations: as `predict`.
            names: of the images, for messages; default: their files or numbers.

        Raises:
            SemtokError: as `predict`.
        """
        names = names or [
            f"image {number}" if isinstance(image, bytes) else str(image)
            for number, image in enumerate(images)
        ]
        masks = _one_each("masks", masks, len(images))
        relations = _one_each("relations", relations, len(images))
        token_sets = [
            self._tokenize(*each) for each in zip(names, images, masks, relations, strict=True)
        ]
        model = self._checkpoint.model
        parts = [np.empty((0, model.config.encoder.embedding), np.float32)]
        for rows in self._packed(token_sets):
            batch = self._checkpoint.collate(rows).to(self._device)
            with torch.inference_mode():
                parts.append(model.encode_image(batch).float().cpu().numpy())
        return np.concatenate(parts)

    def token_maps(
        self, images: Sequence[Path | bytes], names: Sequence[str], features: Features
    ) -> list[TokenMap]:
        """What becomes of each token of image files, by a model that has such (`of_rows`)."""
        named = zip(names, images, strict=True)
        token_sets = [self._tokenize(name, image, None, None) for name, image in named]
        found: list[TokenMap] = []
        for rows in self._packed(token_sets):
            maps = of_rows(self._checkpoint, rows, features)
            assert maps is not None, "others are not asked (token_maps.refusal)"
            found += maps
        return found

    def removable(self, images: Sequence[Path | bytes], names: Sequence[str]) -> TokensOfVariant:
        """The tokens of a few files, by a model that has such (`faithfulness.refusal`)."""
        named = zip(names, images, strict=True)
        (rows,) = self._packed([self._tokenize(name, image, None, None) for name, image in named])
        batch = self._checkpoint.collate(rows).to(self._device)
        return TokensOfVariant(self._checkpoint.model, batch)

    def _packed(self, token_sets: Sequence[TokenSet]) -> Iterator[Rows]:
        """Token sets as they are read from shards, a batch at a time."""
        for start in range(0, len(token_sets), _BATCH):
            part = token_sets[start : start + _BATCH]
            vocabulary = self._checkpoint.vocabulary(predicate_names(part))
            yield pack(list(range(start, start + len(part))), part, vocabulary)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed captions: [T, P] float32 of unit length.

        Raises:
            SemtokError: a caption holds half a character (a lone surrogate).
        """
        for number, text in enumerate(texts):
            check_text(f"caption {number}", text)
        model = self._checkpoint.model
        parts = [np.empty((0, model.config.encoder.embedding), np.float32)]
        for start in range(0, len(texts), _BATCH):
            ids = self._checkpoint.text_tokenizer.encode(texts[start : start + _BATCH])
            with torch.inference_mode():
                parts.append(model.encode_text(ids.to(self._device)).float().cpu().numpy())
        return np.concatenate(parts)

    def _tokenize(
        self,
        name: str,
        image: Path | bytes,
        masks: Sequence[Mask] | None,
        relations: Sequence[Relation] | None,
    ) -> TokenSet:
        if isinstance(image, Path):
            image = _read(image)
        height, width = _size(name, image)
        extractions = []
        if self.needs_masks:
            extractions.append(self._found(name, image, (height, width), masks, relations))
        elif self._tokenizer.READS_EXTRACTION:
            extractions.append(WHOLE_IMAGE)
        try:
            pixels = decode(image, self._settings.image_size)
        except UnreadableImageError as error:
            raise SemtokError(f"{name}: {error.reason}; give another file") from None
        return self._tokenizer.tokenize([pixels], extractions, self._settings)[0]

    def _found(
        self,
        name: str,
        image: bytes,
        size: tuple[int, int],
        masks: Sequence[Mask] | None,
        relations: Sequence[Relation] | None,
    ) -> Extraction:
        """What is given of an image, else what the extractor finds in it."""
        if masks is not None:
            return extraction_of(name, *size, masks, () if relations is None else relations)
        if self._extractor is None:
            raise SemtokError(
                f"{name}: this model reads masks; give the image's masks, each as COCO "
                "polygons or RLE, and the relations among them if there are any ([] for none); "
                "semtok predict takes them by --masks FILE"
            )
        if relations is not None:
            # Nobody who asks knows the numbers of masks that are yet to be found.
            extraction_of(name, *size, (), relations)
        found = self._extractor.extract(image, *size)
        return ExtractionShard(found.masks, found.scene_graphs).of(found.image_id)


def _size(name: str, data: bytes) -> tuple[int, int]:
    """Height and width in pixels, as stored."""
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            return image.height, image.width
    except (OSError, ValueError, Image.DecompressionBombError):
        raise SemtokError(f"{name}: not a readable JPEG or PNG; give another file") from None


def _one_each(name: str, values: Sequence[Any] | None, images: int) -> Sequence[Any]:
    if values is None:
        return [None] * images
    if len(values) != images:
        raise SemtokError(f"{name}: {len(values)} given for {images} images; give one list each")
    return values


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SemtokError(
            f"{path}: unreadable image ({error.strerror}); give another file"
        ) from None
