"""What one MLflow run is about: the training of one variant with one seed."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from semtok.tracking.lineage import flatten
from semtok.workspace import fingerprint

#: Tags by which runs and versions are found again.
DATA, VARIANT, SEED = "data", "variant", "seed"
RECIPE, TRAINING = "recipe", "training"

#: Further tags once it is published: the key of run and version, and what it may be ranked on.
CHECKPOINT, DATA_HASH = "checkpoint_hash", "data_hash"

#: Tag of a run: identifies all that was uploaded to it, once it is complete; empty until then.
UPLOADED = "uploaded"

#: Tag of a version that takes an extractor along: the digest of its files.
EXTRACTOR = "extractor_hash"


@dataclass(frozen=True)
class Training:
    """One training, as known before it starts.

    Attributes:
        data: name of the data set.
        seed: of this training.
        provenance: what stands in the artifact's `provenance.json`: stage, inputs, params.
        facts: what stands in its `training.json` before it starts: the source (commit or None,
            dirty), its premises and learning rate.
    """

    data: str
    seed: int
    provenance: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """The variant's name."""
        return str(self.provenance["stage"]).partition("@")[2]

    @cached_property
    def recipe(self) -> str:
        """The same for all seeds of one variant, by all that their training depends on.

        A training that is kept while its artifact is made again (`semtok.train.earlier`) keeps it.
        """
        premises = self.facts.get("premises")
        if premises is None:  # as before they were noted, when nothing was kept
            return fingerprint(json.dumps(self.provenance, sort_keys=True))
        return fingerprint(
            self.provenance["stage"], premises, str(float(self.facts["learning_rate"]))
        )

    @property
    def fingerprint(self) -> str:
        """The same before and after a kill."""
        return fingerprint(self.recipe, str(self.seed))

    @property
    def experiment(self) -> str:
        """MLflow's experiment: one a data set, as there is one registered model."""
        return f"semtok-{self.data}"

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.variant} seed {self.seed}"

    def parameters(self) -> dict[str, str]:
        """Flat settings. The variant's own bear the same names for all variants.

        Without `train.seeds`, of which there may be more while a training is kept: MLflow lets no
        parameter change.
        """
        blocks = {
            block.replace(f"variants.{self.variant}", "variant"): values
            for block, values in self.provenance["params"].items()
        }
        flat = {name: value for name, value in flatten(blocks).items() if name != "train.seeds"}
        return {"variant": self.variant, "seed": str(self.seed), **flat}

    def tags(self) -> dict[str, str]:
        """What the run is found by before there is a checkpoint, and its source."""
        source = {}
        if commit := self.facts.get("commit"):
            source = {
                "mlflow.source.git.commit": str(commit),
                "dirty": json.dumps(self.facts["dirty"]),
            }
        return {
            **source,
            DATA: self.data,
            VARIANT: self.variant,
            SEED: str(self.seed),
            RECIPE: self.recipe,
            TRAINING: self.fingerprint,
        }


def commit(root: Path) -> dict[str, Any]:
    """The commit that a training starts from, and whether code or settings differ from it.

    A new file counts as a difference. Both are None where there is no repository.
    """

    def git(*command: str) -> str:
        done = subprocess.run(
            ["git", *command], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    found = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--", "semtok", "params.yaml", "dvc.yaml")
    return {"commit": found or None, "dirty": bool(changed) if found else None}
