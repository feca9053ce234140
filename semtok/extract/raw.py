"""An extractor by itself: masks and relations of images that belong to no data set.

It runs the backends that the line runs, one image at a time. An image has the id that its bytes
give it, which says whose fold's networks look at it (`crossfit.py`).
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import NamedTuple

import pyarrow as pa

from semtok.data.index import IMAGES
from semtok.extract import masks, scene_graphs
from semtok.extract.backends import Job, find_backend
from semtok.json_files import read_json, write_json
from semtok.params import ExtractorSettings
from semtok.parsing import parse

NAME = "extractor.json"

#: Of a stage -> the artifact of the model that its backend runs; None: it runs no such model.
Models = Mapping[str, Path | None]

_STAGES = ("masks", "scene_graphs")


class Extracted(NamedTuple):
    """What was found in one image, as in a shard of each stage."""

    image_id: int
    masks: pa.Table  # schema `MASKS`
    scene_graphs: pa.Table  # schema `SCENE_GRAPHS`


def reads_pixels(extractor: ExtractorSettings) -> bool:
    """Whether images are all that an extractor reads: none of its backends repeats annotations."""
    return not any(
        find_backend(stage, getattr(extractor, stage), extractor.settings).reads_annotations
        for stage in _STAGES
    )


def travels(extractor: ExtractorSettings) -> bool:
    """Whether `pack` takes all that an extractor needs: models trained elsewhere stay there."""
    return reads_pixels(extractor) and not masks.runs_model_from_elsewhere(extractor)


def pack(extractor: ExtractorSettings, models: Models, folder: Path) -> None:
    """Write settings and trained networks into a folder that `RawExtractor.unpack` reads anywhere.

    Args:
        extractor: of which `travels` holds.
        models: that its backends run.
        folder: an empty one.
    """
    for stage, model in models.items():
        if model:
            (folder / stage).mkdir()
            for path in (model / "config.json", *sorted(model.glob("fold-*.safetensors"))):
                shutil.copyfile(path, folder / stage / path.name)
    write_json(folder / NAME, asdict(extractor))


class RawExtractor:
    """An extractor that stays in memory, and may be asked by several threads at once.

    A served model is. Once they are open, backends and networks are only read, and calls share
    nothing that they write.
    """

    def __init__(
        self, extractor: ExtractorSettings, models: Models, project: Path = Path()
    ) -> None:
        """Open its backends.

        Args:
            extractor: of which `reads_pixels` holds.
            models: that they run.
            project: the project's folder, from which settings name files.

        Raises:
            SemtokError: a model cannot be read.
        """
        self._folder = TemporaryDirectory()
        self._extractor = extractor
        nothing = IMAGES.columns.empty_table()
        self._masks, self._scene_graphs = (
            backend.open(
                Job(
                    Path(self._folder.name),
                    nothing,
                    nothing,
                    backend.settings,
                    models.get(stage),
                    project=project,
                )
            )
            for stage in _STAGES
            for backend in [find_backend(stage, getattr(extractor, stage), extractor.settings)]
        )

    @classmethod
    def unpack(cls, folder: Path) -> "RawExtractor":
        """Open what `pack` wrote.

        Raises:
            SemtokError: a file is missing or damaged.
        """
        path = folder / NAME
        extractor = parse(ExtractorSettings, read_json(path), str(path))
        models = {stage: folder / stage for stage in _STAGES if (folder / stage).is_dir()}
        return cls(extractor, models)

    def extract(self, data: bytes, height: int, width: int) -> Extracted:
        """Find masks and relations in an image.

        Args:
            data: of a JPEG or PNG file.
            height, width: of it in pixels.
        """
        digest = hashlib.sha256(data)
        image_id = int.from_bytes(digest.digest()[:7])
        # Backends read files, and each call has one of its own.
        with NamedTemporaryFile(dir=self._folder.name) as image:
            image.write(data)
            image.flush()
            row = dict.fromkeys(IMAGES.columns.names) | {
                "image_id": image_id,
                "path": Path(image.name).name,
                "height": height,
                "width": width,
                "sha256": digest.hexdigest(),
            }
            images = pa.Table.from_pylist([row], schema=IMAGES.columns)
            found = masks.arranged(self._masks.find(images), images)
            relations, _ = scene_graphs.distinct(self._scene_graphs.find(images, found))
        source = pa.repeat(self._extractor.scene_graphs, relations.num_rows)
        columns = scene_graphs.SCENE_GRAPHS.columns
        relations = relations.append_column("source", source).select(columns.names)
        return Extracted(image_id, found, relations.cast(columns))
