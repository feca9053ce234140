"""What `semtok data` does: sources fetched by hand, looked at, listed."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from semtok import params_file, progress
from semtok.errors import SemtokError
from semtok.params import Params
from semtok.workspace import Workspace


def fetch(project: Path, wanted: Sequence[str], root: Path | None) -> Path:
    """Fetch sources into a data root.

    Args:
        project: the folder with `params.yaml`, which may name a mirror.
        wanted: `SOURCE` or `SOURCE/PART` each; none: those of `data.fetch`.
        root: the data root; None: that of `params.yaml`.

    Returns:
        The data root.

    Raises:
        SemtokError: as of `fetch.fetch`.
    """
    from semtok.data.download.fetch import fetch

    params = params_file.load(project / "params.yaml")
    wanted = _wanted(params, wanted)
    root = _root(project, params, root)
    with progress.bars("fetch") as emit:
        fetch(root, wanted, params.download.mirror, emit)
    return root


def check(project: Path, wanted: Sequence[str], root: Path | None) -> dict[str, Any]:
    """Say what of some sources is there, missing or damaged, and what leaks from where.

    Args:
        project, wanted, root: as of `fetch`.

    Returns:
        root, files (fields of `check.Found`), overlaps (fields of `leakage.Overlap`) and
        passed_over (folders of COCO 2014, where those of 2017 are read).

    Raises:
        SemtokError: there is no such source, or a file of annotations is damaged.
    """
    from semtok.data import coco, leakage
    from semtok.data.download.check import check

    params = params_file.load(project / "params.yaml")
    wanted = _wanted(params, wanted)
    root = _root(project, params, root)
    with progress.bars("check") as emit:
        found = check(root, wanted, emit)
        overlaps = leakage.overlaps(root)
    return {
        "root": str(root),
        "files": [asdict(each) for each in found],
        "overlaps": [asdict(each) for each in overlaps],
        "passed_over": coco.passed_over(root),
    }


def sources(root: Path) -> list[dict[str, Any]]:
    """Every file of every source: whence, how large, under which licence, and how people get it.

    Args:
        root: the data root, of which `by_hand` speaks.
    """
    from semtok.data.download import catalogue
    from semtok.data.download.fetch import by_hand

    return [
        {
            "source": f"{name}/{file.part}" if file.part else name,
            "licence": source.licence,
            "file": file.name,
            "bytes": file.bytes,
            "address": file.address,
            "access": file.access,
            "by_hand": "" if file.access == "open" else by_hand(root, name, file),
        }
        for name in catalogue.names()
        for source in [catalogue.find(name)]
        for file in source.files
    ]


def _root(project: Path, params: Params, root: Path | None) -> Path:
    if root is not None:
        return root
    from semtok.data import files

    if files.is_made(params.data):  # an artifact, in which nothing else may lie
        raise SemtokError("params.yaml: data.format makes its data; name a root with --root DIR")
    own = files.root(Workspace(project, params.data.name), params.data)
    if not isinstance(own, Path):
        raise SemtokError(
            f"{own}: is read where it lies, and nothing is fetched into it; name a folder with "
            "--root DIR"
        )
    return own


def _wanted(params: Params, wanted: Sequence[str]) -> Sequence[str]:
    from semtok.data.download import catalogue

    if not (wanted or params.data.fetch):
        raise SemtokError("name some sources, or name them in data.fetch of params.yaml")
    wanted = wanted or params.data.fetch
    catalogue.chosen(wanted)  # what there is not is no question of where it would go
    return wanted
