"""Let one command at a time change what MLflow holds of a workspace."""

from collections.abc import Iterator
from contextlib import contextmanager

from semtok.errors import SemtokError
from semtok.events import Emit, Message
from semtok.workspace import Workspace

#: Seconds that the second waits for the first.
_PATIENCE = 3600.0


@contextmanager
def alone(workspace: Workspace, what: str, emit: Emit) -> Iterator[None]:
    """Keep a second one of a kind waiting: both would act on what they found before the other.

    Args:
        what: the kind, e.g. `sync`.
        emit: told of a wait.

    Raises:
        SemtokError: the first does not end.
    """
    from filelock import FileLock, Timeout

    folder = workspace.state("tracking")
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / f"{what}.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            emit(Message(f"another {what} is at work; waiting for it"))
            lock.acquire(timeout=_PATIENCE)
    except Timeout:
        raise SemtokError(f"{lock.lock_file}: another {what} is still at work; try later") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def deciding(workspace: Workspace, emit: Emit) -> Iterator[None]:
    """Decide about the champion alone, and while no `sync` is in the midst of its uploads.

    Raises:
        SemtokError: another one does not end.
    """
    with alone(workspace, "decision", emit), alone(workspace, "sync", emit):
        yield
