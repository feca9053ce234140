"""How a model does when the middle of its encoder sends on some of its tokens, through noise.

Asked is what `classification` asks where the data set lists classes, else what `retrieval` asks,
text to image alone, by any true answer where the data set knows what is true. The parts of the task
are the selections: who chooses, how many tokens may be sent, and with how much noise they arrive
(arXiv 2405.02330). The recall of the whole task, their mean, tells little.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench import classification, official, retrieval, sending
from semtok.bench.benchmark import SplitData
from semtok.bench.contestant import Contestant
from semtok.bench.embedding import Model
from semtok.bench.selections import SELECTIONS, part
from semtok.events import Emit, ignore

_TO_IMAGE = "text_to_image"

#: A tenth of the tokens may tell nothing.
CLEARS_CHANCE = False
NEEDS_TOKENS = True
NEEDS_SENTENCES = False


def refusal(contestant: Contestant) -> str:
    """A block sends, the next one receives, and both take as many tokens as there are."""
    if contestant.depth < 2:
        return "of one block, none sends and none receives; set encoder.depth to 2"
    return "it needs all of its tokens" if sending.needs_all(contestant) else ""


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case a caption and selection."""
    task = _task(data)
    ids = (classification if task == classification.TASK else retrieval).case_ids(data)[task]
    found = {
        part(task, selection): ids * len(SELECTIONS) + number
        for number, selection in enumerate(SELECTIONS)
    }
    return {task: np.concatenate([*found.values()]), **found}


def score(model: Model, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split: as `classification` or `retrieval` does, once a selection."""
    task, parts = _task(data), []
    texts = None
    for number, selection in enumerate(SELECTIONS):
        sending = model.sending(selection)
        if task == classification.TASK:
            cases = classification.score(sending, data, emit)
        else:
            if texts is None:
                texts = model.embed_texts(data.captions["caption"].to_pylist(), emit)
            way, images = task.removeprefix(_TO_IMAGE), sending.embed_images(data.images, emit)
            cases = retrieval.of_way(data, way, images, texts, emit)
            cases = cases.filter(pc.equal(cases["task"], task))
        ids = pc.add(pc.multiply(cases["case_id"], len(SELECTIONS)), number)
        cases = cases.set_column(cases.column_names.index("case_id"), "case_id", ids)
        names = pa.repeat(part(task, selection), len(cases))
        parts += [cases, cases.set_column(cases.column_names.index("task"), "task", names)]
    return pa.concat_tables(parts)


def _task(data: SplitData) -> str:
    if official.has(data.index, classification.FILE):
        return classification.TASK
    return _TO_IMAGE + retrieval.ways(data)[-1]
