"""How similar a model found what a case shows: for people who look at why it was right or wrong."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from semtok.bench.cases import CASES, PART, Task

#: Enough to tell captions apart, and a quarter less to store than all that float32 has.
_DECIMALS = 6

_COLUMN = "similarities"


def column(task: str, similar: npt.NDArray[np.float64]) -> pa.Array:
    """The column of `cases.CASES`; of a task's part nothing, as the whole task has it.

    Args:
        task: its name.
        similar: [N, C] of the image of each case to its captions, in the order in which they are
            shown (`question.py`), or [N, I, C] of its images; -inf where there are fewer.
    """
    kind = CASES.columns.field(_COLUMN).type
    if PART in task:
        return pa.nulls(len(similar), kind)
    of_images = similar[:, None] if similar.ndim == 2 else similar
    return pa.array(
        [
            [[value for value in image if value != -np.inf] for image in case]
            for case in of_images.round(_DECIMALS).tolist()
        ],
        kind,
    )


def kept(cases: pa.Table) -> pa.Table:
    """The rows that have similarities, and of the others nothing.

    Args:
        cases: columns of `CASES`.
    """
    columns = [*Task._fields, "seed", "case_id", _COLUMN]
    return cases.select(columns).filter(pc.is_valid(cases[_COLUMN]))


def means(
    cases: pa.Table, task: Task, case_ids: Collection[int]
) -> dict[int, npt.NDArray[np.float64]]:
    """How similar the trainings of a variant found what cases show, on average.

    Args:
        cases: as `kept` returns them.
        task: which one.
        case_ids: those of its cases that are wanted.

    Returns:
        Of each of these that has similarities [I, C] of its images to its captions.
    """
    wanted = pc.is_in(cases["case_id"], pa.array(sorted(case_ids), pa.int64()))
    for name, value in task._asdict().items():
        wanted = pc.and_(wanted, pc.equal(cases[name], value))
    found: dict[int, list[list[list[float]]]] = {}
    for row in cases.filter(wanted).to_pylist():
        found.setdefault(row["case_id"], []).append(row[_COLUMN])
    return {case_id: np.mean(each, axis=0) for case_id, each in found.items()}
