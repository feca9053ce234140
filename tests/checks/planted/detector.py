from tests.checks.planted import Fault
from tests.checks.planted.learned import faults

_KEY = "detector@small"

FAULTS = [
    *faults(_KEY),
    Fault(
        _KEY,
        "average_precision",
        lambda folder: (folder / "quality.json").write_text('{"AP": 0.05}'),
        "average_precision=0.05",
    ),
]
