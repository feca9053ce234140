"""Siblings by a model whose relations at test are not its image's: see `retrieval_permuted`."""

import pyarrow as pa

from semtok.bench import siblings
from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Model
from semtok.events import Emit, ignore

CLEARS_CHANCE = False
NEEDS_TOKENS = True
NEEDS_SENTENCES = True

case_ids = siblings.case_ids


def score(model: Model, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split as `siblings.score` does."""
    return siblings.score(model.with_permuted_relations(), data, emit)
