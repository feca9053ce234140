"""What is found in corrupted images, beside what is found in them as they are.

Beside the shards of a partition, `corrupted/KIND-SEVERITY` has the same images once more, with
shards and rejects of its own, where pixels have part in what is found. Where they have none, as in
annotations, what was found in an image holds whatever is done to its pixels.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from semtok.events import Emit, Event, Progress
from semtok.extract.corruptions import Corruption, every
from semtok.sharding import CORRUPTED, Partition


def build(
    partition: Partition,
    severities: Iterable[int],
    find: Callable[[Partition, Corruption], object],
) -> None:
    """Let a stage find in corrupted images what it finds in clean ones.

    Args:
        partition: the images, clean.
        severities: 0..5; of each kind of corruption. 0 is the clean image, which is not made again.
        find: fills the folder of a partition with what is found under a corruption.
    """
    # What a network draws amiss in a spoilt image is its failure, and no fault of the data set.
    data = replace(partition.data, rejected_share=1.0)
    asked = every(severities)
    for number, each in enumerate(asked):
        staging, published = (
            folder / CORRUPTED / str(each) for folder in (partition.staging, partition.published)
        )
        staging.mkdir(parents=True)
        emit = _together(partition.emit, number, len(asked))
        again = replace(partition, data=data, staging=staging, published=published, emit=emit)
        find(again, each)


def of(artifact: Path, corruption: Corruption) -> Path:
    """The folder of what was found under a corruption: the artifact's own where pixels say nothing.

    Args:
        artifact: of `masks` or `scene_graphs`.
    """
    folder = artifact / CORRUPTED / str(corruption)
    return folder if folder.is_dir() else artifact


def _together(emit: Emit, number: int, corruptions: int) -> Emit:
    """Tell the work on one of several corruptions as a part of the work on all of them."""

    def tell(event: Event) -> None:
        if isinstance(event, Progress):
            event = replace(
                event,
                what=f"{event.what} in corrupted images",
                done=number * event.total + event.done,
                total=corruptions * event.total,
            )
        emit(event)

    return tell
