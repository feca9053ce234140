"""Runs the stages of extraction on a data root, from its files on."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pytest

from semtok.data import files, indexing
from semtok.data.index import split_images
from semtok.events import Emit, ignore
from semtok.extract import corrupted, masks, scene_graphs
from semtok.params import DataSettings, ExtractorSettings, WorkersSettings
from semtok.sharding import Partition
from semtok.tables import REJECTED, read_table
from semtok.workspace import publish
from tests.extract.little_scenes import LittleScenes


@dataclass
class Extraction:
    """One data root and the artifacts made from it, side by side below `folder`."""

    root: Path
    folder: Path
    data: DataSettings = field(
        default_factory=lambda: DataSettings("tiny", "coco", "", shards=3, rejected_share=1.0)
    )
    extractor: ExtractorSettings = field(
        default_factory=lambda: ExtractorSettings("instances", "geometry")
    )
    source: str = "source"
    indexed: tuple[pa.Table, Path] | None = None  # of a root that no test changes
    workers: WorkersSettings = field(default_factory=WorkersSettings)

    def index(self) -> tuple[pa.Table, Path]:
        """List the files and build the index."""
        if self.indexed:
            return self.indexed
        listed = files.list_files(self.root)
        target = self.folder / "index"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        indexing.build(self.root, listed, self.data, target)
        return listed, target

    def masks(self, name: str = "masks", split: str = "train", emit: Emit = ignore) -> int:
        """Build the masks of a split; returns how many shards that took."""
        listed, index = self.index()
        images = split_images(index, split)
        target = self.folder / name
        with publish(target, self.folder / "state") as staging:
            partition = self._partition(images, staging, target, emit)
            return masks.build(partition, listed, self.extractor)

    def corrupted_masks(self, severities: list[int], emit: Emit = ignore) -> None:
        """Build the masks of train in corrupted images, in `corrupted`."""
        listed, index = self.index()
        with publish(self.folder / "corrupted", self.folder / "state") as staging:
            partition = self._partition(
                split_images(index, "train"), staging, self.folder / "corrupted", emit
            )
            corrupted.build(
                partition,
                severities,
                lambda again, each: masks.build(again, listed, self.extractor, None, each),
            )

    def scene_graphs(
        self,
        name: str = "scene_graphs",
        split: str = "train",
        masks: str = "masks",
        emit: Emit = ignore,
    ) -> int:
        """Build the scene graphs of a split; returns how many shards that took."""
        listed, index = self.index()
        images = split_images(index, split)
        target = self.folder / name
        with publish(target, self.folder / "state") as staging:
            partition = self._partition(images, staging, target, emit)
            return scene_graphs.build(partition, listed, self.folder / masks, self.extractor)

    def _partition(self, images: pa.Table, staging: Path, target: Path, emit: Emit) -> Partition:
        return Partition(
            self.root,
            images,
            self.data,
            staging,
            target,
            self.source,
            emit,
            workers=self.workers,
        )

    def rows(self, name: str = "masks") -> list[dict]:
        """All rows of an artifact, shard by shard."""
        schema = {"masks": masks.MASKS, "scene_graphs": scene_graphs.SCENE_GRAPHS}[name]
        shards = sorted((self.folder / name).glob("[0-9]*.parquet"))
        return [row for path in shards for row in read_table(path, schema).to_pylist()]

    def rejected(self, name: str = "masks") -> list[dict]:
        """What an artifact set aside."""
        return read_table(self.folder / name / "rejected.parquet", REJECTED).to_pylist()

    def bytes(self, name: str) -> dict[str, bytes]:
        """Every file of an artifact."""
        return {path.name: path.read_bytes() for path in (self.folder / name).iterdir()}

    def use(self, masks: str = "instances", scene_graphs: str = "geometry", **settings) -> None:
        """Choose the backends."""
        self.extractor = ExtractorSettings(masks, scene_graphs, settings)

    def allow(self, rejected_share: float) -> None:
        """Set `data.rejected_share`."""
        self.data = replace(self.data, rejected_share=rejected_share)

    def edit(self, name: str, change: Callable[[dict], None]) -> None:
        """Change one of the annotation files."""
        path = self.root / "annotations" / f"{name}.json"
        document = json.loads(path.read_text())
        change(document)
        path.write_text(json.dumps(document))


@pytest.fixture
def tiny(tiny_coco: Path, tmp_path: Path) -> Extraction:
    """The tiny root."""
    return Extraction(tiny_coco, tmp_path)


@pytest.fixture(scope="session")
def sample_index(
    coco_sample: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[pa.Table, Path]:
    """The files and the index of the real sample, which no test changes."""
    return Extraction(coco_sample, tmp_path_factory.mktemp("sample")).index()


@pytest.fixture
def sample(coco_sample: Path, sample_index: tuple[pa.Table, Path], tmp_path: Path) -> Extraction:
    """The real sample."""
    return Extraction(coco_sample, tmp_path, indexed=sample_index)


@pytest.fixture(scope="session")
def little_scenes(tmp_path_factory: pytest.TempPathFactory) -> LittleScenes:
    """Scenes that no test changes."""
    return LittleScenes.write(tmp_path_factory.mktemp("scenes"))
