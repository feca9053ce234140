"""Imports that wait until something of a module is used."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType


def postpone(*names: str) -> None:
    """Let modules that were not yet imported load at the first use of what is in them.

    For libraries that import at their top what few of their users need. The recipe is that of
    Python's documentation of `importlib.util.LazyLoader`.

    Args:
        names: absolute names of Python modules or packages.
    """
    sys.meta_path.insert(0, _Postponed(names))


class _Postponed(MetaPathFinder):
    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.loader:
            spec.loader = LazyLoader(spec.loader)
        return spec
