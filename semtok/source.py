"""The code that a result depends on, of the files that `dvc.yaml` names.

DVC watches whole folders, so that no import can be forgotten. A fingerprint looks closer: only the
modules that did the work, and what they import. A new backend beside them makes DVC run the stage,
which finds everything as it should be, and nothing further down the line runs.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from semtok.errors import SemtokError, installing
from semtok.workspace import digest, fingerprint

#: Below a project: where DVC runs an experiment that is not to touch the workspace.
_COPIES = "/.dvc/tmp/exps/"


def source_fingerprint(root: Path, files: Iterable[Path]) -> str:
    """Identify some source files of the project in `root`."""
    return fingerprint(*(f"{each.relative_to(root).as_posix()} {digest(each)}" for each in files))


def check_own(root: Path) -> None:
    """Let a project's stages be run by the project's own code, which DVC and fingerprints look at.

    Raises:
        SemtokError: the project has a `semtok`, and another one runs.
    """
    own, running = root / "semtok", Path(__file__).parent
    if own.exists() and own.resolve() != running.resolve():
        remedy = f"export PYTHONPATH={root}, or in an environment of its own {installing('line')}"
        if _COPIES in root.as_posix():  # gone when its experiment has ended
            remedy = "export PYTHONPATH=. before `dvc exp run --temp` and before `dvc queue start`"
        raise SemtokError(f"{own}: not the code that runs, which is {running}; {remedy}")


def used_files(root: Path, listed: Iterable[str], modules: Iterable[str]) -> list[Path]:
    """The listed files that some modules are made of.

    Args:
        root: the project's folder.
        listed: files and folders of Python files, relative to it; others do not count.
        modules: dotted names of those that do the work.
    """
    return sorted(closure(root, modules) & set(listed_files(root, listed)))


def listed_files(root: Path, listed: Iterable[str]) -> list[Path]:
    """The files among the given ones, and every Python file below the folders."""
    paths: list[Path] = []
    for each in listed:
        path = root / each
        paths += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return paths


def closure(root: Path, modules: Iterable[str]) -> set[Path]:
    """The files of some modules and of all that they import, here and in their functions.

    What is imported by a name that is known at run time alone (a backend) must be among `modules`.
    """
    found: set[Path] = set()
    queue = list(modules)
    seen: set[str] = set()
    while queue:
        module = queue.pop()
        if module in seen:
            continue
        seen.add(module)
        if path := _file(root, module):
            found.add(path)
            queue += _imports(path.read_bytes(), module.partition(".")[0])
    return found


def _file(root: Path, module: str) -> Path | None:
    """The file of a module of the project; None for another package, and for a function."""
    base = root / module.replace(".", "/")
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache  # parsing takes longer than a small stage, and many may run in a process
def _imports(text: bytes, package: str) -> tuple[str, ...]:
    """The modules of a package that the text of one of its modules imports, parents included."""
    found: dict[str, None] = {}
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names):
                imported = [each.name for each in names]
            case ast.ImportFrom(str(source), names, 0):
                imported = [source, *(f"{source}.{each.name}" for each in names)]
            case _:
                continue
        for name in imported:
            if name.partition(".")[0] == package:
                # Importing a module runs its packages first.
                parts = name.split(".")
                found |= dict.fromkeys(".".join(parts[:end]) for end in range(1, len(parts) + 1))
    return tuple(found)
