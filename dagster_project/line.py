"""The line as Dagster and DVC both name it: keys, artifacts, versions."""

import fcntl
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from semtok import params_file, pipeline
from semtok.checks.verdict import Verdict, read_verdict
from semtok.params import Params
from semtok.source import listed_files, source_fingerprint
from semtok.stage import Key, Stage
from semtok.workspace import VERDICT, Workspace, fingerprint, stage_key


@dataclass(frozen=True)
class Line:
    """One project: its folder and the settings that were read from it.

    Partitions come from the settings, so a changed `params.yaml` needs a reload of the code
    location.
    """

    root: Path
    params: Params

    @classmethod
    def load(cls, root: Path) -> "Line":
        """Read a project's settings.

        Raises:
            SemtokError: `params.yaml` is missing or wrong.
        """
        return cls(root, params_file.load(root / "params.yaml"))

    @property
    def workspace(self) -> Workspace:
        """Where its artifacts are."""
        return Workspace(self.root, self.params.data.name)

    @property
    def keys(self) -> list[Key]:
        """Every stage and partition, in the order of the line."""
        return list(pipeline.all_keys(self.params))

    def is_current(self) -> bool:
        """Whether `params.yaml` still names the data set and the lineage that were loaded."""
        now = Line.load(self.root)
        return (now.params.data.name, now._lineage()) == (self.params.data.name, self._lineage())

    def _lineage(self) -> list[tuple[Key, list[Key]]]:
        """Every key, with what it reads."""
        known = pipeline.stages()
        return [(key, list(known[key[0]].inputs(self.params, key[1]))) for key in self.keys]

    def folder(self, key: Key) -> Path:
        """The artifact of a key."""
        return self.root / self.workspace.relative(*key)

    def inputs(self, stage: Stage) -> dict[str, dict[str, list[str]]]:
        """What a stage reads: upstream stage -> upstream partition -> partitions that read it.

        The inner mapping is empty where one of the two has no partitions.
        """
        found: dict[str, dict[str, list[str]]] = {}
        keys = stage.partitions(self.params)
        for partition in [None] if keys is None else keys:
            for name, upstream in stage.inputs(self.params, partition):
                mapping = found.setdefault(name, {})
                if partition and upstream:
                    mapping.setdefault(upstream, []).append(partition)
        return found

    def verdict(self, key: Key) -> Verdict | None:
        """What the gate of a key said last. Where that was red, the artifact is an older one."""
        folders = [each for each in (self._red(key), self.folder(key)) if (each / VERDICT).exists()]
        latest = max(folders, key=lambda each: (each / VERDICT).stat().st_mtime_ns, default=None)
        return read_verdict(latest) if latest else None

    def red_keys(self) -> list[Key]:
        """The keys whose gate was red when their stage ran last."""
        verdicts = {key: self.verdict(key) for key in self.keys}
        return [key for key, verdict in verdicts.items() if verdict and not verdict.passed]

    def forget_red(self, key: Key) -> None:
        """Drop a red verdict whose cause was taken back, so that the artifact is up to date."""
        shutil.rmtree(self._red(key), ignore_errors=True)

    def _red(self, key: Key) -> Path:
        """Where a stage leaves the verdict of a red gate."""
        return self.workspace.state("red", f"{stage_key(*key)}.json")

    def code_version(self, stage: str) -> str:
        """The source of a stage, shortened for people."""
        files = listed_files(self.root, pipeline.stages()[stage].source)
        return source_fingerprint(self.root, files)[:12]

    def versions(self, wait: bool = True) -> dict[Key, str]:
        """The data version of every key that `dvc.lock` holds: DVC's hash of its output.

        Of several outputs (scores and their metrics) it is one hash over theirs.

        Args:
            wait: for DVC to let go of the file.

        Raises:
            BeingWrittenError: DVC holds the file, and `wait` is off.
        """
        lock = yaml.load(self._read_lock(wait), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        stages = lock["stages"] if lock else {}
        found = {}
        for key in self.keys:
            outs = stages.get(stage_key(*key), {}).get("outs", [])
            # Another data set's entry stands there until the stage has run for this one.
            if any(out["path"] == self.workspace.relative(*key).as_posix() for out in outs):
                found[key] = _version(outs)
        return found

    def _read_lock(self, wait: bool) -> bytes:
        """The whole of `dvc.lock`: DVC writes it in place, under its own lock."""
        (self.root / ".dvc" / "tmp").mkdir(exist_ok=True)
        with (self.root / ".dvc" / "tmp" / "lock").open("a") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_SH | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise BeingWrittenError from None
            path = self.root / "dvc.lock"
            return path.read_bytes() if path.exists() else b""


class BeingWrittenError(Exception):
    """DVC may be in the middle of writing `dvc.lock`."""


def _version(outs: list[dict[str, Any]]) -> str:
    hashes = {out["path"]: out[out.get("hash", "md5")] for out in outs}
    if len(hashes) == 1:
        return str(*hashes.values())
    return fingerprint(*(f"{path} {value}" for path, value in sorted(hashes.items())))
