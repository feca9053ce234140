"""Speed beside peers: `python -m benchmarks` measures, prints a table and writes results.json."""

import os

# Before numpy is imported: one core, for us and for the peers.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
