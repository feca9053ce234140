"""Retrieval by a model whose training is intact, and whose relations at test are not its image's.

The control of what relations earn: each image's relations are permuted (as by
`semtok.tokens.permutation`) when its tokens are collated to be scored. What a model loses against
`retrieval` is what it owes to relations that are true; without relations it loses nothing.
"""

import pyarrow as pa

from semtok.bench import retrieval
from semtok.bench.benchmark import SplitData
from semtok.bench.embedding import Model
from semtok.events import Emit, ignore

#: A model that lives by relations alone has nothing left.
CLEARS_CHANCE = False
NEEDS_TOKENS = True
NEEDS_SENTENCES = True

case_ids = retrieval.case_ids


def score(model: Model, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split as `retrieval.score` does."""
    return retrieval.score(model.with_permuted_relations(), data, emit)
