"""A stage for tests: writes what its inputs and settings say, and reports as real stages do."""

import base64
import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path

from semtok import params_file, pipeline, pipes
from semtok.checks.verdict import CheckResult, Verdict, write_verdict
from semtok.errors import SemtokError
from semtok.events import Message, Progress
from semtok.workspace import Workspace, digest, fingerprint

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def main(name: str) -> None:
    settings = params_file.load(Path("params.yaml"))
    stage, partition = pipeline.parse_key(name, settings)
    workspace = Workspace(Path.cwd(), settings.data.name)
    with pipes.session(stage.name, partition) as listener:
        listener.emit(Message("says hello"))
        for done in range(101):
            listener.emit(Progress("work", done, 100))
        inputs = [workspace.input(*key) for key in stage.inputs(settings, partition)]
        staging = workspace.state("staging", name)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        own = json.dumps([dataclasses.asdict(settings)[name] for name in ("data", "extractors")])
        (staging / "content.txt").write_text(fingerprint(name, own, *map(digest, inputs)))
        (staging / "preview.png").write_bytes(PIXEL)
        table = "| image |\n| --- |\n| 1 |"
        report = {"numbers": {"images": 1}, "table": table, "pictures": ["preview.png"]}
        (staging / "report.json").write_text(json.dumps({"stage": name, **report}))
        fault = settings.checks[stage.name].get("fault", "") == partition or (
            settings.checks[stage.name].get("fault") == stage.name
        )
        check = CheckResult(
            "duplicates",
            not fault,
            "no id twice",
            float(fault),
            "at most 0",
            "7" if fault else None,
        )
        verdict = Verdict(name, not fault, digest(staging), (check,))
        listener.check(verdict)
        red = workspace.state("red", f"{name}.json")
        if fault:
            red.mkdir(parents=True, exist_ok=True)
            write_verdict(red, verdict)
            raise SemtokError(f"{name}: {verdict.reason}")
        write_verdict(staging, verdict)
        target = workspace.output(stage.name, partition)
        shutil.rmtree(target, ignore_errors=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.rename(target)
        if stage.name in ("scores", *pipeline.OUTSIDE_SCORES):
            metrics = Path("metrics", settings.data.name, f"{partition}.json")
            metrics.parent.mkdir(parents=True, exist_ok=True)
            metrics.write_text(json.dumps({"recall": 0.5}))


if __name__ == "__main__":
    assert os.environ["DVC_STAGE"] == sys.argv[1]
    try:
        main(sys.argv[1])
    except SemtokError as error:
        sys.exit(f"error: {error}")
