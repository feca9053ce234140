"""What a gate judges: an artifact, what it was made of and what was asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semtok.errors import SemtokError

PROVENANCE = "provenance.json"


@dataclass(frozen=True)
class Subject:
    """An artifact and its circumstances.

    Attributes:
        artifact: the folder.
        key: stage and partition, e.g. `masks@annotated-train`.
        inputs: stage key -> folder of each artifact that it was made of.
        params: the blocks of `params.yaml` that it was made with, by dotted name.
    """

    artifact: Path
    key: str
    inputs: Mapping[str, Path]
    params: Mapping[str, Any]

    @property
    def split(self) -> str:
        """Of a partition NAME-SPLIT."""
        return self.key.rpartition("-")[2]

    def find(self, stage: str, part: str = "") -> Path | None:
        """The folder of an input, None where there is none.

        Args:
            stage: that made it.
            part: its partition or split, where several partitions of the stage are read.
        """
        for key, folder in self.inputs.items():
            name, _, partition = key.partition("@")
            if name == stage and part in ("", partition, partition.rpartition("-")[2]):
                return folder
        return None

    def input(self, stage: str, part: str = "") -> Path:
        """As `find`, for an input that is always there.

        Raises:
            SemtokError: it is not.
        """
        folder = self.find(stage, part)
        if folder is None:
            raise SemtokError(f"{self.key}: its gate was not given {stage} {part}".rstrip())
        return folder

    def bytes(self, name: str) -> int:
        """The size of a file of the artifact; 0 where it is missing."""
        path = self.artifact / name
        return path.stat().st_size if path.is_file() else 0

    def shards(self, suffix: str) -> list[Path]:
        """The artifact's shards, in order."""
        return sorted(self.artifact.glob(f"[0-9]*{suffix}"))


def read(artifact: Path, inputs: Mapping[str, Path]) -> Subject:
    """Read what an artifact's `provenance.json` says of it.

    Raises:
        SemtokError: the file is missing or is no provenance.
    """
    path = artifact / PROVENANCE
    try:
        content = json.loads(path.read_bytes())
        return Subject(artifact, content["stage"], inputs, content["params"])
    except FileNotFoundError:
        raise SemtokError(f"{path}: missing; run the artifact's stage again") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SemtokError(
            f"{path}: no provenance ({error!r}); run the artifact's stage again"
        ) from None
