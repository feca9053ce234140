import json
from pathlib import Path

from semtok.bench import weights
from semtok.json_files import read_json
from tests.checks.planted import Fault, scores


def _of_gates(folder: Path) -> None:
    """It was to be asked `saliency`, and is said to be one that cannot be: nothing is missing."""
    told = read_json(folder / "provenance.json")
    told["params"]["bench"]["benchmarks"].append("saliency")
    (folder / "provenance.json").write_text(json.dumps(told))
    facts = read_json(folder / weights.NAME)
    weights.write(folder, facts | {"contestant": facts["contestant"] | {"gates": True}})


FAULTS = [
    *scores.faults("outside_scores@own", seed=0),
    Fault(
        "outside_scores@own",
        "refusals_untrue",
        _of_gates,
        "benchmark=saliency said=None true=its gates keep some tokens",
    ),
]
