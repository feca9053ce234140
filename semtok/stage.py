"""What is known of a stage before it runs."""

from collections.abc import Callable
from dataclasses import dataclass

from semtok.params import Params

#: A stage and its partition: `("masks", "annotated-train")`, `("index", None)`.
Key = tuple[str, str | None]


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    Attributes:
        name: the same as CLI argument, DVC stage and Dagster asset.
        about: one sentence for people.
        partitions: all keys of the stage under the given settings; None: it is one whole.
        inputs: the artifacts that a partition reads.
        settings: the blocks of `params.yaml` that its result depends on.
        source: files and folders whose code its result may depend on: what DVC watches.
        modules: those that do the work of a partition; of `source`, its result depends on them
            and on what they import.
        watches: folders of what is no code and of which it may read something.
        persist: whether DVC keeps the last output while the stage runs.
    """

    name: str
    about: str
    partitions: Callable[[Params], list[str] | None]
    inputs: Callable[[Params, str | None], list[Key]]
    settings: Callable[[str | None], list[str]]
    source: tuple[str, ...]
    modules: Callable[[Params, str | None], list[str]]
    watches: tuple[str, ...] = ()
    persist: bool = False
