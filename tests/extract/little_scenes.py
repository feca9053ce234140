"""Two dozen little scenes, for the extractors' own networks to learn from."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from semtok.data import files, indexing, scenes
from semtok.data.index import split_images
from semtok.extract.extracted import extracted, extracted_masks
from semtok.params import DataSettings, ExtractorSettings
from semtok.sharding import Partition

ANNOTATED = ExtractorSettings("panoptic", "psg")

_DATA = DataSettings("tiny", "coco", "", shards=2, rejected_share=1.0)


@dataclass(frozen=True)
class LittleScenes:
    """A data root, its files and its index."""

    root: Path
    listed: pa.Table
    index: Path

    @classmethod
    def write(cls, folder: Path) -> "LittleScenes":
        root, index = folder / "root", folder / "index"
        scenes.write(root, scenes.Settings(seed=0, size=64, train=24, val=16))
        listed = files.list_files(root)
        index.mkdir()
        indexing.build(root, listed, _DATA, index)
        return cls(root, listed, index)

    def images(self, split: str = "train") -> pa.Table:
        return split_images(self.index, split)

    def partition(self, split: str, folder: Path) -> Partition:
        folder.mkdir(parents=True, exist_ok=True)
        return Partition(self.root, self.images(split), _DATA, folder, folder / "none", "source")

    def masks(self, split: str = "train") -> pa.Table:
        return extracted_masks(self.partition(split, self.index), self.listed, ANNOTATED)

    def annotated(self, split: str = "train") -> tuple[pa.Table, pa.Table]:
        return extracted(self.partition(split, self.index), self.listed, ANNOTATED)
