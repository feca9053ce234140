"""What one training of a variant makes of single images: where it looks, what it says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from semtok.bench import removal
from semtok.bench.embedding import Model
from semtok.errors import SemtokError, UnreadableImageError
from semtok.events import Emit, ignore
from semtok.models.adaptive import AdaptiveEncoder
from semtok.models.encoder import VisualTokenEncoder
from semtok.models.relevance import gradient_input
from semtok.remote import AnyPath
from semtok.report.explorer.captions import Captions, Near
from semtok.tokens import tokenize
from semtok.tokens.batch import TokenBatch
from semtok.tokens.permutation import permute
from semtok.tokens.pixels import decode
from semtok.tokens.rows import RegionRows, RelatedPixelRows, Rows, SuperpixelRows, pack

#: Of `removal.ATTRIBUTIONS` the one that reads no attention, which some encoders do not tell.
_OF_ANY = "gradient_input"

#: Bytes of attention maps held at once.
_MEMORY = 128 * 2**20


@dataclass(frozen=True)
class View:
    """One image, as one training sees it.

    Attributes:
        patches: a side; 0 where tokens are others.
        owners: [S, S], the superpixel of each pixel; None where tokens are others.
        regions: [R, 5], geometry of the masks that are tokens or that relations join.
        relations: subject and object, which number the regions, with the predicate between them:
            those that the variant is told. Of a control they are permuted.
        values: what each token counts for, by each of `removal.ATTRIBUTIONS`: first patches,
            superpixels or masks, then one for each relation where these are tokens. Gradients are
            those of the logarithm of the nearest caption's probability among all. `gradient_input`
            alone where the encoder's attention is not read.
        near: the captions that lie nearest.
    """

    patches: int
    owners: NDArray[np.uint16] | None
    regions: NDArray[np.float32]
    relations: tuple[tuple[int, str, int], ...]
    values: Mapping[str, NDArray[np.float64]]
    near: Near


class Viewer:
    """One training of a variant, on a GPU where there is one."""

    def __init__(self, folder: Path, captions: Captions, emit: Emit = ignore) -> None:
        """Read a checkpoint, and embed the captions.

        Args:
            folder: `seed-S` of a checkpoint artifact.
            captions: among which the nearest are looked for.
            emit: told of progress.

        Raises:
            SemtokError: it cannot be read, or it does not know the captions.
        """
        model = Model(folder)
        self._folder, self._captions = folder, captions
        self._trained = model.trained
        self._texts = model.embed_texts(captions.texts, emit).double()
        self._prototypes = self._texts[list(captions.prototypes)]

    def open(self, shards: Path) -> "Tokens":
        """Open token shards, if they come from the tokenizer that it was trained with."""
        return Tokens(self, shards)

    def view_file(self, path: AnyPath) -> View:
        """Look at an image that is not of the data set.

        Raises:
            SemtokError: it cannot be read, or the tokens depend on what an extractor finds.
        """
        tokens = self._trained.tokens
        block = {"scheme": tokens["scheme"], **tokens["settings"]}
        module, settings = tokenize.find(block, f"{self._folder}/config.json: tokens")
        if module.READS_EXTRACTION:
            raise SemtokError(
                "its tokens are made of masks, which only images of the data set have"
            )
        try:
            pixels = decode(path, settings.image_size)
        except UnreadableImageError as error:
            raise SemtokError(f"{path}: {error.reason}; give another file") from None
        rows = pack([0], module.tokenize([pixels], [], settings), ())
        return self.view(rows, [None])[0]

    def view(self, rows: Rows, image_ids: Sequence[int | None]) -> list[View]:
        """Look at B images.

        Args:
            rows: their tokens.
            image_ids: whose captions are right; None where an image has none.

        Raises:
            SemtokError: an embedding is not finite.
        """
        regions, relations = _regions(rows), self._relations(rows)
        owners = [*rows.owners] if isinstance(rows, SuperpixelRows) else [None] * len(image_ids)
        batch = self._trained.collate(rows).to(self._texts.device)
        with torch.no_grad():
            vectors = self._trained.model.encode_image(batch).double()
            cosines = (vectors @ self._texts.T).cpu().numpy()
        if not np.isfinite(cosines).all():
            raise SemtokError(f"{self._folder}: an embedding is not finite; train it again")
        values = self._values(batch)
        patches = round((self._trained.model.config.vision.patches or 0) ** 0.5)
        near = map(self._captions.near, image_ids, cosines)
        columns = zip(owners, regions, relations, values, near, strict=True)
        return [View(patches, *found) for found in columns]

    def _values(self, batch: TokenBatch) -> list[dict[str, NDArray[np.float64]]]:
        encoder = self._trained.model.vision
        if not isinstance(encoder, VisualTokenEncoder) or isinstance(encoder, AdaptiveEncoder):
            found = gradient_input(encoder, batch, self._nearest).double().cpu().numpy()
            valid = batch.valid.cpu().numpy()
            return [{_OF_ANY: row[own]} for row, own in zip(found, valid, strict=True)]
        tokens = encoder.leading + batch.valid.shape[1]
        each = 8 * encoder.settings.depth * encoder.settings.heads * tokens**2
        told = []
        for some in torch.split(torch.arange(len(batch)), max(1, _MEMORY // each)):
            part = batch.part(some.to(batch.valid.device))
            kinds = removal.attributions(encoder, part, self._nearest, self._prototypes)
            arrays = {name: values.double().cpu().numpy() for name, values in kinds.items()}
            for row, valid in enumerate(part.valid.cpu().numpy()):
                told.append({name: values[row][valid] for name, values in arrays.items()})
        return told

    def _nearest(self, embedding: torch.Tensor) -> torch.Tensor:
        """The logarithm of the probability of each image's nearest caption, [B]."""
        scale = self._trained.model.logit_scale.detach().double()
        return (scale * (embedding.double() @ self._texts.T)).log_softmax(dim=1).amax(dim=1)

    def _relations(self, rows: Rows) -> list[tuple[tuple[int, str, int], ...]]:
        """The relations of each image that the variant is told."""
        vision, collate = self._trained.model.config.vision, self._trained.collate
        regions = rows.regions if isinstance(rows, RelatedPixelRows) else rows
        if not isinstance(regions, RegionRows):
            return [()] * len(rows.image_ids)
        if not (vision.intangible or vision.relation_bias):
            return [()] * len(rows.image_ids)
        if collate.permute_relations:
            regions = permute(regions, collate.seed)
        names = ("unknown", *self._trained.vocabulary(()))
        told = [
            (subject, names[predicate], target)
            for (subject, target), predicate in zip(
                regions.edge_ends.tolist(), regions.edge_predicate.tolist(), strict=True
            )
        ]
        ends = np.cumsum(regions.edge_counts).tolist()
        return [tuple(told[a:b]) for a, b in zip([0, *ends], ends, strict=False)]


class Tokens:
    """Token shards that a training reads, by the ids of images."""

    def __init__(self, viewer: Viewer, folder: Path) -> None:
        """Open them: `Viewer.open`."""
        self._viewer = viewer
        self._shards = viewer._trained.open_shards(folder)
        self._order = np.argsort(self._shards.image_ids)
        self._sorted = self._shards.image_ids[self._order]

    def view(self, image_ids: Sequence[int]) -> dict[int, View]:
        """Look at images; those without tokens are left out."""
        there = np.intersect1d(np.array(image_ids, np.int64), self._sorted)
        if not len(there):
            return {}
        places = np.sort(self._order[np.searchsorted(self._sorted, there)])
        rows = self._shards.rows(places)
        ids = rows.image_ids.tolist()
        return dict(zip(ids, self._viewer.view(rows, ids), strict=True))


def _regions(rows: Rows) -> list[NDArray[np.float32]]:
    """The geometry of each image's masks, where the rows know of masks."""
    regions = rows.regions if isinstance(rows, RelatedPixelRows) else rows
    if not isinstance(regions, RegionRows):
        return [np.empty((0, 5), np.float32)] * len(rows.image_ids)
    return np.split(regions.geometry, np.cumsum(regions.region_counts)[:-1])
