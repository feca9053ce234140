"""Faithfulness: do the tokens that an attribution puts first carry what the model says?

Comprehensiveness and sufficiency of ERASER (DeYoung et al. 2020, arXiv 1911.03429), of images: how
much probability what the model chose loses when the first k tokens are removed, and how much is
missing when they are all that is left; each is the mean over k (AOPC). A faithful attribution has
a high comprehensiveness and a low sufficiency. Attributions are the parts of a measure's task; a
task of its own is their floor, tokens in random order, of which the same share is removed. What an
attribution gains over the floor is paired: of each image, by how much it does better than random.
Where it is asked, LIME is a baseline of its own kind (`lime.py`): it knows nothing of the model but
what it says once tokens are removed. Its tasks are its own, so that means over attributions stay.

ERASER asks classifiers. Where the data set lists classes these are what a model chooses from; an
image-text model has none, so that it chooses among captions of the split, the same ones for
every image (OURS).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from annotated_types import Ge

from semtok.bench import classification, official, removal, sending
from semtok.bench.benchmark import SplitData
from semtok.bench.cases import PART
from semtok.bench.contestant import OTHERS, Contestant
from semtok.bench.embedding import Embedder, Model
from semtok.bench.question import Question
from semtok.events import Emit, Progress, ignore
from semtok.params import VisionEncoder
from semtok.parsing import parse
from semtok.tokens.rows import Rows
from semtok.tokens.shards import TokenShards

#: A value is no choice among candidates, so that there is no chance to clear.
CLEARS_CHANCE = False
NEEDS_TOKENS = False
NEEDS_SENTENCES = False

#: Images of a split that are asked, and captions that a model chooses from, at most.
IMAGES, CAPTIONS = 500, 100

#: Name of a measure -> whether it is a loss.
_MEASURES = {"comprehensiveness": False, "sufficiency": True}

#: Ends the name of the task of what attributions gain over the floor; the higher, the better.
_GAIN = "_gain"
#: Likewise, of what they do better than LIME does on the same image.
_OVER_LIME = f"_over_{removal.LIME}"

_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class Settings:
    """Of LIME, which encodes each image once more a draw."""

    lime_draws: Annotated[int, Ge(0)] = 0  # 0: it is not asked


def refusal(contestant: Contestant) -> str:
    """It reads attention among all tokens, and takes some away."""
    if contestant.gates:
        return "its gates drop some of the tokens whose attention is read"
    if contestant.encoder in OTHERS:
        return ""
    if contestant.encoder not in get_args(VisionEncoder):
        return f"the encoder {contestant.encoder} does not tell what becomes of each token"
    return "it needs all of its tokens" if sending.needs_all(contestant) else ""


def case_ids(data: SplitData) -> dict[str, npt.NDArray[np.int64]]:
    """A case an image and attribution; of baselines, a case an image."""
    ids = sample(data)
    found: dict[str, npt.NDArray[np.int64]] = {}
    of_parts = {
        name: ids * len(removal.ATTRIBUTIONS) + number
        for number, name in enumerate(removal.ATTRIBUTIONS)
    }
    lime = _lime_draws(data) > 0
    for measure in _MEASURES:
        for whole in (measure, measure + _GAIN, *([measure + _OVER_LIME] if lime else [])):
            found |= _with_parts(whole, of_parts)
        floor, *of_lime = _of_baselines(measure)
        found |= dict.fromkeys([floor, *(of_lime if lime else [])], ids)
    return found


def score(model: Embedder, data: SplitData, emit: Emit = ignore) -> pa.Table:
    """Score a model on one split; an image and its sibling are one cluster."""
    images, tasks = sample(data), case_ids(data)
    told = removed(model, data, images, emit)
    clusters, parts = data.clusters(images), []
    for measure, left in zip(_MEASURES, (told.without, told.alone), strict=True):
        values = {
            name: 100 * (told.whole - curve).mean(axis=0)  # over the shares
            for name, curve in left.items()
        }
        loss = _MEASURES[measure]
        better = _better(measure, values)
        floor, lime = values.pop(removal.RANDOM), values.pop(removal.LIME, None)
        of_floor, of_lime, _ = _of_baselines(measure)
        own = _with_parts(measure, values) | {of_floor: floor}
        if lime is not None:
            own[of_lime] = lime
        for task, column in (own | better).items():
            columns = {
                "task": pa.repeat(task, len(column)),
                "case_id": tasks[task],
                "cluster_id": np.resize(clusters, len(column)),
                "value": column,
                "loss": pa.repeat(loss and task not in better, len(column)),
            }
            parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def questions(index: Path, task: str, case_ids: Collection[int]) -> dict[int, Question]:
    """The images, whose tokens are removed in an order that the case's number tells."""
    alone = {each for measure in _MEASURES for each in _of_baselines(measure)}
    orders = 1 if task in alone else len(removal.ATTRIBUTIONS)
    return {each: Question((each // orders,), ((),)) for each in case_ids}


def sample(data: SplitData) -> npt.NDArray[np.int64]:
    """The images of a split that are asked: a random sample, ascending.

    It depends on the ids alone, and not on the order in which a tokenizer has them.
    """
    ids = np.sort(data.images.image_ids)
    return np.sort(np.random.default_rng(0).permutation(ids)[:IMAGES])


def removed(
    model: Embedder, data: SplitData, image_ids: npt.NDArray[np.int64], emit: Emit = ignore
) -> removal.Removal:
    """What a model says of some images of a split once tokens are removed, in the order of ids."""
    places = _places(data, image_ids)

    def batches() -> Iterator[tuple[npt.NDArray[np.int64], removal.Removable]]:
        done = 0
        for tokens in model.removable(data.images, places):
            emit(Progress("removing tokens", done, len(places)))
            yield image_ids[done : done + len(tokens.readable)], tokens
            done += len(tokens.readable)
        emit(Progress("removing tokens", done, len(places)))

    return removal.measure(batches(), candidates(model, data, emit), _lime_draws(data))


@dataclass(frozen=True)
class Explained:
    """What one training says of a few images, for people to look at.

    Attributes:
        rows: B of them, with their tokens.
        values: as `removal.merits`, [B, N] float64, the higher the more a token counts for.
        removal: of these and more images.
    """

    rows: Rows
    values: Mapping[str, npt.NDArray[np.float64]]
    removal: removal.Removal


def explained(model: Model, data: SplitData, images: int, of: int) -> Explained:
    """Look at the first few images of the sample, and at what removal does to more of them.

    Args:
        model: as of `score`.
        data: likewise.
        images: B.
        of: how many tokens are removed from.
    """
    ids = sample(data)
    places = _places(data, ids[:images])
    (tokens,) = model.removable(data.images, places)
    vectors = candidates(model, data).to(tokens.readable.device)
    told = removal.merits(ids[:images], tokens, vectors, _lime_draws(data))
    assert isinstance(data.images, TokenShards), "a variant reads tokens"
    return Explained(
        data.images.rows(places),
        {name: np.asarray(each.double().cpu().numpy()) for name, each in told.items()},
        removed(model, data, ids[:of]),
    )


def candidates(model: Embedder, data: SplitData, emit: Emit = ignore) -> torch.Tensor:
    """What a model chooses from, [C, P]: the classes, else a random sample of different captions.

    Of each image the first caption, so that no image is asked about more often than others.
    """
    if official.has(data.index, classification.FILE):
        classes = classification.read(data.index)
        vectors = classification.class_vectors(model, data.index, classes, emit)
        return torch.from_numpy(vectors)
    first = dict(
        zip(
            reversed(data.captions["image_id"].to_pylist()),
            reversed(data.captions["caption"].to_pylist()),
            strict=True,
        )
    )
    texts = np.array(sorted({*first.values()}), dtype=object)
    chosen = np.random.default_rng(0).permutation(texts)[:CAPTIONS].tolist()
    # A copy that gradients may pass, which those made for inference may not.
    return model.embed_texts(chosen, emit).clone()


def _with_parts(
    whole: str, of_parts: Mapping[str, npt.NDArray[_Number]]
) -> dict[str, npt.NDArray[_Number]]:
    """A task's cases, and those of each attribution, a part of it."""
    parts = {f"{whole}{PART}{name}": own for name, own in of_parts.items()}
    return {whole: np.concatenate([*parts.values()]), **parts}


def _better(
    measure: str, values: Mapping[str, npt.NDArray[np.float64]]
) -> dict[str, npt.NDArray[np.float64]]:
    """By how much attributions do better than baselines, and LIME than the floor; of each task."""
    sign = -1 if _MEASURES[measure] else 1

    def over(baseline: str) -> dict[str, npt.NDArray[np.float64]]:
        return {name: sign * (values[name] - values[baseline]) for name in removal.ATTRIBUTIONS}

    found = _with_parts(measure + _GAIN, over(removal.RANDOM))
    if removal.LIME in values:
        found |= _with_parts(measure + _OVER_LIME, over(removal.LIME))
        gain = sign * (values[removal.LIME] - values[removal.RANDOM])
        found[_of_baselines(measure)[-1]] = gain
    return found


def _of_baselines(measure: str) -> tuple[str, str, str]:
    """The tasks of the floor, of LIME and of what it gains over the floor."""
    lime = f"{measure}_{removal.LIME}"
    return f"{measure}_{removal.RANDOM}", lime, lime + _GAIN


def _lime_draws(data: SplitData) -> int:
    block = data.settings.get("faithfulness", {})
    return parse(Settings, block, "params.yaml: bench.settings.faithfulness").lime_draws


def _places(data: SplitData, image_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Where images lie in the order of the split's."""
    order = np.argsort(data.images.image_ids)
    return np.asarray(order[np.searchsorted(data.images.image_ids, image_ids, sorter=order)])
