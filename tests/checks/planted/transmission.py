import math

from semtok.bench.transmission import NAME, RATE_DISTORTION
from tests.checks.planted import Fault, editing, repeating, setting

_KEY = "transmission@grid"
_ROWS = (NAME, RATE_DISTORTION)
_FIRST = "choice=attention rate=1.0 snr=0.0"
_LAST = "choice=attention rate=1.0 snr=20.0"

FAULTS = [
    Fault(_KEY, "values_not_finite", setting(*_ROWS, 0, ssim=math.nan), _FIRST),
    Fault(_KEY, "values_not_finite", setting(*_ROWS, 0, bits=math.inf), _FIRST),
    Fault(_KEY, "values_not_finite", setting(*_ROWS, 2, psnr=math.nan), _LAST),
    Fault(_KEY, "accuracies_out_of_range", setting(*_ROWS, 0, accuracy=100.5), _FIRST),
    Fault(_KEY, "accuracies_out_of_range", setting(*_ROWS, 0, accuracy=math.nan), _FIRST),
    Fault(_KEY, "duplicate_rows", repeating(*_ROWS), _FIRST),
    Fault(_KEY, "missing_images", setting(*_ROWS, 0, images=0), _FIRST),
    Fault(
        _KEY,
        "missing_rows",
        editing(*_ROWS, lambda rows: rows[:-2]),
        "choice=jpeg rate=0.1 snr=10.0",
    ),
    Fault(_KEY, "psnr_gain", setting(*_ROWS, 2, psnr=9.0), "choice=attention psnr_gain=-1."),
]
