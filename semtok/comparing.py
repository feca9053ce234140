"""`semtok compare`: variants, models trained elsewhere, and what MLflow has, on the same cases."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from semtok import pipeline
from semtok.bench import leaderboard
from semtok.bench.cases import CASES, Task, by_task
from semtok.bench.leaderboard import Leaderboard
from semtok.errors import SemtokError
from semtok.params import Params
from semtok.tables import read_table
from semtok.tracking import links, registered, server
from semtok.tracking.lineage import data_hash
from semtok.tracking.registered import Registered
from semtok.workspace import Workspace


@dataclass(frozen=True)
class Compared:
    """What was compared.

    Attributes:
        board: the comparison.
        link: where MLflow shows the same side by side; empty where it does not have them.
        published: where MLflow shows the page; empty where it was not stored there.
    """

    board: Leaderboard
    link: str
    published: str = ""


def compare(
    workspace: Workspace,
    params: Params,
    names: Sequence[str],
    page: Path | None = None,
    publish: bool = False,
) -> Compared:
    """Compare what was scored with the first that is named.

    Args:
        workspace: with the scores of what has no address.
        params: all settings.
        names: variants, models trained elsewhere, versions as of `registered.is_version`, and
            addresses as of `registered.fetch`; empty: all of `params.yaml`, with `bench.baseline`
            first.
        page: the HTML file to write besides, with the cases where they differ; None: none.
        publish: store the page in MLflow, as of `tracking.pages.publish`.

    Raises:
        SemtokError: one is unknown or not scored, the first is no variant, scores are of different
            data, cases or protocols, or `page` is a folder.
    """
    if page and page.is_dir():
        raise SemtokError(f"{page}: is a folder; name a file in it")
    known = [*params.variants, *params.outside_models]
    names = [
        registered.address_of(workspace.data, name)
        if name not in known and registered.is_version(name)
        else name
        for name in names
    ]
    addresses = [name for name in names if registered.is_address(name)]
    for name in names:
        if name not in (*known, *addresses):
            raise SemtokError(f"{name}: no such variant or model; there are {', '.join(known)}")
    with TemporaryDirectory() as folder:
        found = registered.fetch(addresses, Path(folder)) if addresses else {}
        scores: dict[str, Path] = {}
        for name in names or known:
            label = found[name].label if name in found else name
            if label in scores:
                raise SemtokError(f"{name}: {label} is named twice; compare it with another one")
            here = name not in found
            scores[label] = (
                workspace.input(*pipeline.scores_of(params, name)) if here else found[name].scores
            )
        _check_same_data(workspace, scores, list(found.values()), drawn=page is not None)
        bench = params.bench
        board = leaderboard.build(
            scores,
            next(iter(scores)) if names else bench.baseline,
            bench.bootstrap,
            bench.confidence,
            [name for name in params.outside_models if name in scores],
        )
        if page:
            from semtok.report.comparison import page as pages

            pages.write(board, workspace, params, scores, page)
    published = ""
    if page and publish:
        from semtok.tracking.pages import publish as store

        published = store(workspace.data, page, bench.baseline)
    return Compared(board, _link(workspace, names or known, params, found), published)


def _check_same_data(
    workspace: Workspace, scores: Mapping[str, Path], found: Sequence[Registered], drawn: bool
) -> None:
    """Refuse registered trainings of other data; what the workspace has is of its own index.

    Args:
        drawn: whether images of the index are shown beside the scores.
    """
    hashes = {each.label: each.data_hash for each in found}
    first = next(iter(scores))
    if drawn or set(scores) - set(hashes):
        own = data_hash(workspace.input("index"))
        hashes = {label: hashes.get(label, own) for label in scores}
        if drawn and len(found) == len(scores) and hashes[first] != own:
            raise SemtokError(
                f"{first}: trained and scored on other data ({hashes[first]}) than the index here "
                f"({own}), whose images the page shows; leave --html out, or write it where "
                f"{first} was trained"
            )
    for label, each in hashes.items():
        if each != hashes[first]:
            differing = _differing(scores[first], scores[label])
            raise SemtokError(
                f"{first} and {label}: trained and scored on different data ({hashes[first]} and "
                f"{each}), {differing}; train and score both on the same"
            )


def _differing(one: Path, other: Path) -> str:
    """Which of two trainings' cases are the same ones by their ids."""
    asked = [_cases(each) for each in (one, other)]
    alone, common = len(asked[0] ^ asked[1]), len(asked[0] & asked[1])
    if alone:
        return f"{alone} cases are in one of them only, {common} in both"
    return f"all {common} cases bear the same ids but are about other images, captions or splits"


def _cases(scores: Path) -> set[tuple[Task, int]]:
    tasks = by_task(read_table(scores / "cases.parquet", CASES))
    return {(task, case) for task, ranks in tasks.items() for case in ranks.case_ids.tolist()}


def _link(
    workspace: Workspace, names: Sequence[str], params: Params, found: Mapping[str, Registered]
) -> str:
    """Where MLflow shows it: of a variant its first training; models trained elsewhere aside."""
    address, places = server.address(), []
    for name in names:
        if name in found:
            places.append(found[name].place)
        elif name in params.variants:
            folder = workspace.output("checkpoint", name) / f"seed-{params.train.seeds[0]}"
            place = links.find(workspace, address, folder)
            if place is None:
                return ""
            places.append(place)
    return links.page(address, places) if len(places) > 1 else ""
