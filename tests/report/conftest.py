"""Small leaderboards, and how to look at pictures."""

import cv2
import numpy as np
import pyarrow as pa
import pytest

from semtok.bench import costs
from semtok.bench.cases import CASES
from semtok.bench.comparison import compare
from semtok.bench.leaderboard import Leaderboard
from semtok.extract.corruptions import CLEAN, KINDS, every
from semtok.extract.extraction_scores import COUNTS, EXTRACTION_SCORES, METRICS


@pytest.fixture(scope="session")
def make_board():
    """A function: shift of each variant's ranks, lower is better -> a leaderboard."""

    def cases(seed, shift):
        rows = []
        for split in ("val", "test"):
            for task, count in (("image_to_text", 20), ("text_to_image", 100)):
                random = np.random.default_rng([seed, count])
                ranks = np.exp(random.normal(2 + shift + 30 / count, 1, count))
                rows += [
                    {
                        "benchmark": "retrieval",
                        "split": split,
                        "task": task,
                        "seed": 0,
                        "case_id": number,
                        "cluster_id": number * 20 // count,
                        "rank": 1 + int(rank),
                        "candidates": 1000,
                        "answers": 1,
                        "truths": 2,
                    }
                    for number, rank in enumerate(ranks)
                ]
        return pa.Table.from_pylist(rows, schema=CASES.columns)

    def of(shifts):
        tables = {name: cases(seed, shift) for seed, (name, shift) in enumerate(shifts.items())}
        parameters = costs.Parameters(810_000, 100_000, 32, 400_000, 1)
        cost = costs.Costs(parameters, 64.0, 55e6, 81.3, 1e-3, images_per_second=1234.5)
        return Leaderboard(compare(tables, "vit", 100, 0.95), dict.fromkeys(("vit", *tables), cost))

    return of


@pytest.fixture(scope="session")
def board(make_board):
    return make_board({"semantic": -0.8, "vit": 0.0, "semantic_permuted": 0.5})


@pytest.fixture(scope="session")
def make_extraction_scores():
    """A function: AP50 of clean images -> scores of severities 2 and 4; R@20 is half of AP50.

    A kind of corruption costs the more points a severity, the later it stands in `KINDS`.
    """

    def of(clean):
        rows = []
        for each in [CLEAN, *every([2, 4])]:
            lost = each.severity * (1 + KINDS.index(each.kind)) / 100 if each.severity else 0
            scores = dict.fromkeys(METRICS, 0.0) | {
                "AP50": clean - lost,
                "R@20": (clean - lost) / 2,
            }
            rows.append({**each._asdict(), **dict.fromkeys(COUNTS, 9), **scores})
        return pa.Table.from_pylist(rows, schema=EXTRACTION_SCORES.columns)

    return of


@pytest.fixture(scope="session")
def read_png():
    """A function: path of a PNG -> its pixels, RGB [H, W, 3]."""

    def read(path):
        assert path.read_bytes().startswith(b"\x89PNG")
        return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)

    return read
