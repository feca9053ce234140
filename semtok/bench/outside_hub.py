"""A model of the Hugging Face hub: the files that are read of it, fetched by the hub's own client.

So its cache, its resumption, mirrors (`HF_ENDPOINT`), offline mode (`HF_HUB_OFFLINE`) and tokens
(`HF_TOKEN`, `hf auth login`) are as people know them.
"""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from semtok.bench.outside import Reader, Source
from semtok.bench.outside_folders import Library, library, read
from semtok.bench.outside_open_clip import WEIGHTS
from semtok.errors import SemtokError, installing
from semtok.events import Emit, Progress

_COMMIT = re.compile("[0-9a-f]{40}")

#: Configuration, image processor and text tokenizer.
_SMALL = ("*.json", "*.txt", "*.model")

_LARGE: dict[Library, tuple[str, ...]] = {
    "transformers": ("model.safetensors", "model-*-of-*.safetensors"),
    "open_clip": WEIGHTS,
}


def of_hub(hub: str, revision: str, emit: Emit) -> Source:
    """A model by its id on the hub, read by transformers or open_clip.

    Args:
        hub: its id, `OWNER/NAME`.
        revision: a commit, 40 hexadecimal digits: the very weights. A branch or a tag, which may
            move, or none is refused with the commit that it is today.
        emit: told of progress.

    Raises:
        SemtokError: the revision is no commit. Reading raises one where files can neither be
            fetched nor found in the hub's cache, or are none of a model as of `Source.read`.
    """
    if not _COMMIT.fullmatch(revision):
        today = _commit(hub, revision or "main")
        raise SemtokError(
            f"{hub}: {revision or 'main'} is commit {today} today and may move; say which weights "
            f"are scored: revision: {today}"
        )
    origin = {"hub": hub, "revision": revision}
    return Source(f"{hub} ({revision[:7]})", origin, lambda: _opened(hub, revision, emit))


def _opened(hub: str, revision: str, emit: Emit) -> Reader:
    which = library(_fetched(hub, revision, _SMALL, "fetching the configuration", emit))
    folder = _fetched(hub, revision, _LARGE[which], "fetching the weights", emit)
    if not any(path for name in _LARGE[which] for path in folder.glob(name)):
        raise SemtokError(
            f"{hub}: has no {_LARGE[which][0]} at {revision[:7]}, and others are not unpickled; "
            "name a commit that has it (refs/pr/N may), or save it so and name the folder in models"
        )
    return read(which, folder)


def _fetched(hub: str, revision: str, names: Sequence[str], what: str, emit: Emit) -> Path:
    """The cache's folder of a commit, with its files of these names, if it has any."""
    with _in_one_line(hub, revision):
        from huggingface_hub import snapshot_download

        return Path(
            snapshot_download(
                hub,
                revision=revision,
                allow_patterns=list(names),
                ignore_patterns=["*/*"],  # * stands for / too: other formats lie in folders
                tqdm_class=_bar(what, emit),
            )
        )


def _commit(hub: str, revision: str) -> str:
    with _in_one_line(hub, revision):
        from huggingface_hub import HfApi

        return str(HfApi().model_info(hub, revision=revision).sha)


@contextmanager
def _in_one_line(hub: str, revision: str) -> Iterator[None]:
    """What goes wrong on the way to the hub is a `SemtokError`, whatever it is."""
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise SemtokError(
            f"{hub}: scoring it needs transformers and pillow; {installing('clip')}, or take "
            "the model out of params.yaml"
        ) from None
    try:
        yield
    except Exception as error:  # of its own, and of libraries below it that change with versions
        fault = _fault(hub, revision, error)
        raise SemtokError(f"{hub}: {fault}") from None


def _fault(hub: str, revision: str, error: BaseException) -> str:
    from huggingface_hub import constants, errors

    place, cache = constants.ENDPOINT, constants.HF_HUB_CACHE
    if isinstance(error, errors.LocalEntryNotFoundError):  # not in the cache, and that is why
        error = error.__cause__ or error
    if isinstance(error, errors.HFValidationError):
        return "is no id of the hub; write OWNER/NAME"
    if isinstance(error, errors.GatedRepoError):
        terms = f"accept its terms at {place}/{hub}"
        return f"is gated; {terms}, then log in (hf auth login, or export HF_TOKEN=hf_...)"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"is not at {place}, or private; check the id, or log in (hf auth login)"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"has no revision {revision}; its commits: {place}/{hub}/commits/main"
    if isinstance(error, errors.HfHubHTTPError):
        return f"{place} answers {error.response.status_code}; try again, or another HF_ENDPOINT"
    if isinstance(error, OSError) and error.errno:
        return f"cannot be written into {cache} ({error.strerror})"
    return (
        f"is not whole in {cache}, and {place} cannot be reached ({type(error).__name__}); check "
        "the network, HF_ENDPOINT and HF_HUB_OFFLINE"
    )


def _bar(what: str, emit: Emit) -> type[Any]:
    """What the client draws its bars with, telling of bytes instead."""
    from tqdm.auto import tqdm

    most = 0

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **{**settings, "file": io.StringIO()})

        def display(self, *arguments: Any, **settings: Any) -> None:
            nonlocal most  # of the two that it has, bytes on the wire and bytes on the disk
            if self.unit == "B" and self.total:
                most = max(most, int(self.n))
                emit(Progress(what, most, int(self.total), "bytes"))

    return Bar
