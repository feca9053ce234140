"""Memory while an epoch of shuffled batches passes, with ten times the data.

Counted is anonymous memory (`RssAnon` of Linux), at its peak, above what the imports take: what the
process cannot give back. The mapped pages of the shards are the system's cache and counted apart.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import made_shards
from benchmarks.result import Result

IMAGES = {"grid": 1000, "semantic": 4000}
IMAGE_SIZE = 64

EPOCH = """
import sys
from itertools import islice
from pathlib import Path
from semtok.tokens.collate import Collate
from semtok.tokens.loader import batches
from semtok.tokens.shards import TokenShards

def memory():
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":\\t", 1) for line in lines)
    return [int(fields[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile")]

family, folder = sys.argv[1:]
collate = Collate(patch_size=16) if family == "grid" else Collate(intangible=True)
start, _ = memory()
opened = TokenShards(Path(folder))
peaks = [0.0, 0.0]
for _, rows in islice(batches(opened, 64, seed=0), len(opened) // 64):
    batch = collate(rows)
    peaks = [max(pair) for pair in zip(peaks, memory())]
print(peaks[0] - start, peaks[1])
"""


def run(scale: float) -> Iterator[Result]:
    """Measure both families with once and ten times the data."""
    for family, images in IMAGES.items():
        if not Path("/proc/self/status").exists():
            yield _result(family, None, None, "needs Linux's /proc")
            continue
        count = max(256, round(images * scale))
        small, _ = _peak(family, count)
        large, mapped = _peak(family, 10 * count)
        note = f"once the data; {mapped:.0f} MB of ten times the data were mapped"
        yield _result(family, large, small, note)


def _result(family: str, ours: float | None, peer: float | None, note: str) -> Result:
    return Result(
        name=f"memory: {family}, ten times the data",
        ours=ours,
        peer=peer,
        unit="MB",
        at_most=1.1,
        command="python -m benchmarks --only memory",
        packages=("numpy", "pyarrow", "torch"),
        note=note,
    )


def _peak(family: str, images: int) -> tuple[float, float]:
    with made_shards.folder() as folder:
        made_shards.write(family, images, folder, IMAGE_SIZE)
        command = [sys.executable, "-c", EPOCH, family, str(folder / "shards")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    anonymous, mapped = map(float, done.stdout.split())
    return anonymous, mapped
