"""The cases where variants differ, as cards: pictures, captions, their scores, who was right."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from semtok.bench import question, shown_similarities
from semtok.bench.cases import CASES, RECALLS, Task, by_task
from semtok.bench.differences import Difference, differences
from semtok.bench.question import Question
from semtok.data import files
from semtok.data.index import IMAGES
from semtok.errors import SemtokError
from semtok.params import Params
from semtok.report.comparison import thumbnails
from semtok.report.comparison.thumbnails import Thumbnail
from semtok.tables import read_table
from semtok.workspace import Workspace

#: At most so many cases of a task each way, and on a page, so that it can be sent by mail.
_EACH_WAY = 12
_ON_A_PAGE = 80

#: Which extraction found what a thumbnail shows, empty where it is the image alone -> thumbnails.
_Pictures = Mapping[str, Mapping[int, Thumbnail]]

#: Variant -> how similar it finds the images of a case to its captions, [I, C]; None: not kept.
_Similar = Mapping[str, npt.NDArray[np.float64] | None]


@dataclass(frozen=True)
class Outcome:
    """How a variant answered, in words."""

    variant: str
    words: str


@dataclass(frozen=True)
class Similarity:
    """How similar a variant finds a caption to its image.

    Attributes:
        words: the mean over its trainings.
        highest: whether it finds no other caption of the image more similar; false where it is
            shown no other.
    """

    variant: str
    words: str
    highest: bool


@dataclass(frozen=True)
class Said:
    """A caption beside an image.

    Attributes:
        right: whether it is true of the image.
        similarities: of each variant, if they were kept.
    """

    caption: str
    right: bool
    similarities: tuple[Similarity, ...]


@dataclass(frozen=True)
class Shown:
    """An image of a case.

    Attributes:
        pictures: whose masks are drawn (empty: none are) and the thumbnail.
        captions: those that are right, then wrong ones.
    """

    pictures: tuple[tuple[str, Thumbnail], ...]
    captions: tuple[Said, ...]


@dataclass(frozen=True)
class Card:
    """One case."""

    case_id: int
    images: tuple[Shown, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class Side:
    """Cases of a task where one variant is ahead of another."""

    task: Task
    ahead: str
    behind: str
    cards: tuple[Card, ...]

    @property
    def pair(self) -> tuple[str, str]:
        """Both variants."""
        return self.ahead, self.behind


def sides(
    workspace: Workspace, params: Params, scores: Mapping[str, Path], tasks: Sequence[Task]
) -> list[Side]:
    """Where the variants differ from the first, each way; the furthest apart come first.

    Args:
        workspace: with the index, the data set's images and, where masks are to be drawn, the
            extraction that the variants read.
        params: all settings.
        scores: variant -> its `scores` artifact; at least two. Of very many, the first ones alone.
        tasks: of these those whose benchmark can say what it asked.

    Raises:
        SemtokError: an artifact is missing, or an image cannot be read.
    """
    tasks = [task for task in tasks if question.can_show(task.benchmark)]
    if not tasks:
        return []
    first, *rest = scores
    others = rest[: max(1, _ON_A_PAGE // (2 * len(tasks)))]
    count = min(_EACH_WAY, max(1, _ON_A_PAGE // (2 * len(tasks) * len(others))))
    tables = {name: read_table(scores[name] / "cases.parquet", CASES) for name in (first, *others)}
    ranks = {name: by_task(table) for name, table in tables.items()}
    similar = {name: shown_similarities.kept(table) for name, table in tables.items()}
    answered = [
        _Answered(task, (first, other), differences(ranks[first][task], ranks[other][task], count))
        for task in tasks
        for other in others
        if task in ranks[first] and task in ranks[other]  # not everybody can be asked everything
    ]
    index = workspace.input("index")
    asked = [question.questions(each.task, index, each.case_ids()) for each in answered]
    pictures = {
        split: _pictures(workspace, params, split, [first, *others], image_ids)
        for split, image_ids in _images(answered, asked).items()
    }
    return [
        side
        for each, questions in zip(answered, asked, strict=True)
        for side in _sides(each, questions, pictures[each.task.split], similar, params)
    ]


class _Answered(NamedTuple):
    """Where the second of a pair is ahead, and where the first is."""

    task: Task
    pair: tuple[str, str]
    ways: tuple[list[Difference], list[Difference]]

    def case_ids(self) -> list[int]:
        return [each.case_id for way in self.ways for each in way]


def _images(
    answered: Sequence[_Answered], asked: Sequence[Mapping[int, Question]]
) -> dict[str, set[int]]:
    """The images to show, by split."""
    found: dict[str, set[int]] = {}
    for each, questions in zip(answered, asked, strict=True):
        shown = found.setdefault(each.task.split, set())
        shown.update(image for one in questions.values() for image in one.images)
    return found


def _pictures(
    workspace: Workspace,
    params: Params,
    split: str,
    variants: Sequence[str],
    image_ids: Iterable[int],
) -> _Pictures:
    """The images alone, and as each extraction sees them that a variant reads and that is here."""
    images = read_table(workspace.input("index") / "images.parquet", IMAGES)
    path_of = dict(zip(images["image_id"].to_pylist(), images["path"].to_pylist(), strict=True))
    root = files.root(workspace, params.data)
    paths = {image_id: root / path_of[image_id] for image_id in sorted(image_ids)}
    pictures = {"": thumbnails.plain(paths)}
    for name in filter(None, dict.fromkeys(_extraction(params, each, split) for each in variants)):
        masks, graphs = (workspace.find(stage, name) for stage in ("masks", "scene_graphs"))
        if masks and graphs:
            pictures[name] = thumbnails.overlaid(paths, masks, graphs)
    return pictures


def _sides(
    each: _Answered,
    asked: Mapping[int, Question],
    pictures: _Pictures,
    similar: Mapping[str, pa.Table],
    params: Params,
) -> Iterator[Side]:
    kept = {
        name: shown_similarities.means(similar[name], each.task, each.case_ids())
        for name in each.pair
    }
    seen = ("", *(_extraction(params, variant, each.task.split) for variant in each.pair))
    own = {name: pictures[name] for name in seen if name in pictures}
    for (behind, ahead), way in zip((each.pair, each.pair[::-1]), each.ways, strict=True):
        cards = [
            _card(
                found,
                asked[found.case_id],
                own,
                {name: by_case.get(found.case_id) for name, by_case in kept.items()},
            )
            for found in way
        ]
        yield Side(each.task, ahead, behind, tuple(cards))


def _extraction(params: Params, variant: str, split: str) -> str:
    """The partition of masks and scene graphs that a variant's tokenizer reads; empty: none.

    A model that was trained elsewhere sees the image alone, and what a registered version read is
    not in this workspace.
    """
    if variant not in params.variants:
        return ""
    reads = params.token_shards[f"{params.variants[variant].tokenizer}-{split}"].reads
    return "" if reads == "images" else reads.removeprefix("extraction/")


def _card(found: Difference, asked: Question, pictures: _Pictures, similar: _Similar) -> Card:
    for name, own in similar.items():
        if own is not None and own.shape != (len(asked.images), len(asked.said)):
            raise SemtokError(
                f"{name}: case {found.case_id} was asked with other captions; run its scores again"
            )
    images = [_shown(place, asked, pictures, similar) for place in range(len(asked.images))]
    outcomes = [
        _outcome(name, ranks, found.candidates)
        for name, ranks in zip(similar, found.ranks, strict=True)
    ]
    return Card(found.case_id, tuple(images), tuple(outcomes))


def _shown(place: int, asked: Question, pictures: _Pictures, similar: _Similar) -> Shown:
    """One of a case's images; beside another one, what is true of that is wrong of this."""
    start = sum(map(len, asked.captions[:place]))
    right = range(start, start + len(asked.captions[place]))
    wrong = [number for number in range(len(asked.said)) if number not in right]
    rows = {name: own[place] for name, own in similar.items() if own is not None}
    if len(asked.images) > 1 and not rows:
        wrong = []  # they stand beside the other image, and there is nothing to tell of them here
    said = [
        Said(
            asked.said[number],
            number in right,
            tuple(_similarity(name, row, number) for name, row in rows.items()),
        )
        for number in (*right, *wrong)
    ]
    image_id = asked.images[place]
    return Shown(tuple((name, each[image_id]) for name, each in pictures.items()), tuple(said))


def _similarity(variant: str, row: npt.NDArray[np.float64], number: int) -> Similarity:
    highest = bool((np.delete(row, number) < row[number]).all()) and len(row) > 1
    return Similarity(variant, f"{row[number]:z.4f}", highest)


def _outcome(variant: str, ranks: tuple[float, ...], candidates: int | None) -> Outcome:
    """Of few candidates it counts who is right; of many, how far off; of values, how much."""
    if candidates is None:
        return Outcome(variant, ", ".join(f"{each:.1f}" for each in ranks))
    hits, trainings = ranks.count(1), len(ranks)
    if candidates > max(RECALLS.values()):
        told = ", ".join(map(str, ranks))
        words = f"{'ranks' if trainings > 1 else 'rank'} {told} of {candidates:,}"
    elif trainings == 1:
        words = "right" if hits else "wrong"
    else:
        words = f"right in {hits} of {trainings} trainings"
    return Outcome(variant, words)
