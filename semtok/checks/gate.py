"""The gate of a stage: a helper process that gets ready while the stage works, and judges."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from semtok.checks.verdict import CheckResult, Verdict
from semtok.errors import SemtokError
from semtok.parsing import parse
from semtok.workspace import digest


class Gate:
    """Judges the artifact of one stage; a context manager.

    Importing Great Expectations takes seconds, so a process of its own does it from the start of
    the stage on. It ends with the `with` block, or with this process, however that dies.
    """

    def __init__(self, stage: str, settings: Mapping[str, Any]) -> None:
        """Check the settings before any work is done.

        Args:
            stage: name of the stage, without partition.
            settings: the stage's block of `checks` in `params.yaml`.

        Raises:
            SemtokError: a setting is unknown or of a wrong type.
        """
        module = importlib.import_module(f"semtok.checks.{stage}")
        parsed = parse(module.Settings, settings, f"params.yaml: checks.{stage}")
        self._stage = stage
        self._settings = dataclasses.asdict(parsed)

    def __enter__(self) -> "Gate":
        """Start the helper process."""
        self._noise = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        # By the code that runs here: without -P, what the current folder holds would come first.
        paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "semtok.checks.worker", self._stage],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            text=True,
            encoding="utf-8",
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the helper process."""
        self._process.kill()
        self._process.communicate()
        self._noise.close()

    def judge(self, artifact: Path, inputs: Mapping[str, Path]) -> Verdict:
        """Judge a finished artifact.

        Args:
            artifact: its folder, with `provenance.json`.
            inputs: stage key -> folder of each artifact that it was made of.

        Raises:
            SemtokError: a file cannot be read, or the helper process failed.
        """
        request = {
            "artifact": str(artifact.resolve()),
            "inputs": {key: str(folder.resolve()) for key, folder in inputs.items()},
            "settings": self._settings,
        }
        identity, answer = self._ask(json.dumps(request), artifact)
        if "error" in answer:
            raise SemtokError(answer["error"])
        checks = tuple(CheckResult(**check) for check in answer["checks"])
        passed = all(check.passed for check in checks)
        return Verdict(answer["stage"], passed, identity, checks)

    def _ask(self, request: str, artifact: Path) -> tuple[str, dict[str, Any]]:
        """Hash the artifact here while the helper process reads it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._fail()
        identity = digest(artifact)
        line = self._process.stdout.readline()
        if not line:
            self._fail()
        return identity, json.loads(line)

    def _fail(self) -> NoReturn:
        code = self._process.wait()
        self._noise.seek(0)
        noise = self._noise.read()
        sys.stderr.write(noise)
        last = (noise.strip().splitlines() or ["it said nothing"])[-1]
        raise SemtokError(f"{self._stage}: its gate stopped with exit code {code}: {last}")
