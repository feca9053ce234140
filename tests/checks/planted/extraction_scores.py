import math

from semtok.extract.extraction_scores import EXTRACTION_SCORES
from tests.checks.planted import Fault, editing, repeating, setting

_KEY = "extraction_scores@predicted-test"
_SCORES = ("scores.parquet", EXTRACTION_SCORES)

FAULTS = [
    Fault(
        _KEY,
        "scores_out_of_range",
        setting(*_SCORES, 2, **{"mR@50": 1.2}),
        "kind=jpeg severity=4",
    ),
    Fault(_KEY, "scores_out_of_range", setting(*_SCORES, 1, AP75=math.nan), "kind=jpeg severity=2"),
    Fault(_KEY, "scores_out_of_range", setting(*_SCORES, 1, AP=-1.0), "kind=jpeg severity=2"),
    Fault(_KEY, "duplicate_rows", repeating(*_SCORES), "kind=clean severity=0"),
    Fault(
        _KEY, "missing_rows", editing(*_SCORES, lambda rows: rows[:-1]), "kind=colour severity=4"
    ),
    Fault(_KEY, "missing_images", setting(*_SCORES, 3, images=0), "kind=blur severity=2"),
    Fault(_KEY, "average_precision", setting(*_SCORES, 0, AP=0.04), "average_precision=0.04"),
    Fault(_KEY, "recall", setting(*_SCORES, 0, **{"R@20": 0.01}), "recall=0.01"),
]
