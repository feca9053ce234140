"""Retrieval among corrupted images, in the manner of ImageNet-C: how far it falls.

Every picture of the split is corrupted in one way at a time, and its tokens were made from it anew
(`semtok.tokens.tokenize`); captions stay. Asked is what `retrieval` asks, by any true answer alone
where the data set knows what is true. The parts of a task are the kinds of corruption. All
severities have equally many cases, so the recall of a kind is its mean over severities, and that of
the task its mean over kinds (Hendrycks and Dietterich 2019, but not divided by a reference model).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench import retrieval
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import CASES, PART
from semtok.bench.embedding import Model
from semtok.events import Emit, Message, ignore
from semtok.sharding import CORRUPTED

#: A picture may be spoilt until nothing can be told.
CLEARS_CHANCE = False
NEEDS_TOKENS = True
NEEDS_SENTENCES = True


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image or caption and corruption; no task where there are no corrupted tokens."""
    folders, way = _folders(data), retrieval.ways(data)[-1]
    found: dict[str, list[npt.NDArray[np.int64]]] = {}
    for task, ids in retrieval.case_ids(data).items():
        if task.endswith(way):
            for number, folder in enumerate(folders):
                for name in (task, _part(task, folder)):
                    found.setdefault(name, []).append(ids * len(folders) + number)
    return {task: np.concatenate(ids) for task, ids in found.items()}


def score(model: Model, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split: as `retrieval.score` does, once a corruption."""
    folders, way = _folders(data), retrieval.ways(data)[-1]
    if not folders:
        emit(Message(f"retrieval_corrupted: {data.name} has no corrupted tokens; not asked"))
        return CASES.columns.empty_table().drop_columns(["benchmark", "split", "seed"])
    texts = model.embed_texts(data.captions["caption"].to_pylist(), emit)
    parts = []
    for number, folder in enumerate(folders):
        spoilt = replace(data, images=model.open_shards(folder))
        images = model.embed_images(spoilt.images, emit)
        cases = retrieval.of_way(spoilt, way, images, texts, emit)
        ids = pc.add(pc.multiply(cases["case_id"], len(folders)), number)
        cases = cases.set_column(cases.column_names.index("case_id"), "case_id", ids)
        tasks = pa.array([_part(task, folder) for task in cases["task"].to_pylist()])
        of_kind = cases.set_column(cases.column_names.index("task"), "task", tasks)
        parts += [cases, of_kind]
    return pa.concat_tables(parts)


def _folders(data: SplitData) -> list[Path]:
    """The corrupted token shards of the split, one folder a kind and severity."""
    folder = data.images.folder
    return sorted((folder / CORRUPTED).glob("*")) if isinstance(folder, Path) else []


def _part(task: str, folder: Path) -> str:
    return task + PART + folder.name.partition("-")[0]
