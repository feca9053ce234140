"""What the function of a stage is given, and how it gets at what it reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semtok.errors import SemtokError
from semtok.events import Emit
from semtok.json_files import read_json
from semtok.params import FETCHED, CorruptionSettings, Params
from semtok.remote import AnyPath
from semtok.sharding import Partition
from semtok.tables import read_table
from semtok.workspace import Workspace, stage_key

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Context:
    """What a stage's function is given.

    Attributes:
        stage: its name.
        partition: the stage's key, empty where it has none.
        staging: empty folder to fill; it replaces `published` when the gate is green.
        published: the artifact as its gate let it through; no folder where it is not there so.
        source: fingerprint of the code that the result depends on.
        provenance: the key, the source, the digests of the inputs and the settings.
        emit: told of messages, progress and metrics.
    """

    params: Params
    workspace: Workspace
    stage: str
    partition: str
    staging: Path
    published: Path
    source: str
    provenance: Mapping[str, Any]
    emit: Emit

    @property
    def root(self) -> AnyPath:
        """The data root."""
        from semtok.data import files

        return files.root(self.workspace, self.params.data)

    @property
    def name(self) -> str:
        """Of `NAME-SPLIT`, the partition."""
        return self.partition.rpartition("-")[0]

    @property
    def severities(self) -> tuple[int, ...]:
        """Of `NAME-SPLIT`, those in which the split's images are also shown corrupted."""
        return self.params.corruption.of(self.partition.rpartition("-")[2])

    def input(self, stage: str, partition: str | None = None) -> Path:
        """The folder of an upstream artifact."""
        return self.workspace.input(stage, partition)

    def extraction(self, stage: str, partition: str) -> Path:
        """The folder of what was found in this split's images, corrupted ones among them.

        Args:
            stage: `masks` or `scene_graphs`.
            partition: of this split.

        Raises:
            SemtokError: it was made for other severities. What was not looked for in corrupted
                images would pass for what pixels have no part in.
        """
        folder, split = self.input(stage, partition), self.partition.rpartition("-")[2]
        made = read_json(folder / "provenance.json")["params"].get("corruption")
        known = CorruptionSettings(**made).of(split) if made else ()
        if lacking := sorted({*self.severities} - {0, *known}):
            raise SemtokError(
                f"{folder}: was made when corruption in params.yaml named no severity "
                f"{lacking[0]} of {split}; run {stage_key(stage, partition)} again"
            )
        return folder

    def _check_root(self) -> None:
        if not self.root.is_dir():
            fetched = self.params.data.source == FETCHED
            remedy = "semtok data fetch brings it back" if fetched else "put it back"
            raise SemtokError(f"{self.root}: gone since the stage images listed it; {remedy}")

    def files(self) -> "pa.Table":
        """The files of the data root, by hash.

        Raises:
            SemtokError: it is gone.
        """
        from semtok.data import files

        self._check_root()
        return read_table(self.input("images") / "files.parquet", files.FILES)

    def captions(self) -> "pa.Table":
        """The captions of all splits."""
        from semtok.data import index

        return read_table(self.input("index") / "captions.parquet", index.CAPTIONS)

    def images(self, split: str | None = None) -> Partition:
        """The images of a split, to be worked on in this stage's folder.

        Args:
            split: that of the partition `NAME-SPLIT` where it is not given.

        Raises:
            SemtokError: the data root is gone.
        """
        from semtok.data import index

        self._check_root()
        return Partition(
            self.root,
            index.split_images(self.input("index"), split or self.partition.rpartition("-")[2]),
            self.params.data,
            self.staging,
            self.published,
            self.source,
            self.emit,
            self.workspace.root,
            self.params.workers,
        )

    def model(self, part: str) -> Path | None:
        """The trained model that a partition of an extraction reads; None where it reads none.

        Args:
            part: of the extraction: `masks` or `scene_graphs`.
        """
        reads = getattr(self.params.extraction[self.partition], part)
        stage, _, name = reads.partition("/")
        return self.input(stage, name) if name else None
