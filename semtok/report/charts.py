"""The charts of a leaderboard, of the kinds that fit its number of variants."""

from collections.abc import Mapping
from pathlib import Path

from semtok.bench import leaderboard
from semtok.bench.cases import CASES
from semtok.bench.leaderboard import Leaderboard
from semtok.params import Params
from semtok.report import budget_curves, chart, curve_grid, curves, forest, style
from semtok.report.headlines import headlines
from semtok.tables import read_table
from semtok.train.history import HISTORY

#: Scores with their intervals, what training looked like, and what smaller budgets cost where
#: `budget` is asked.
CHART, CURVES, BUDGET = "chart.png", "curves.png", "budget.png"


def draw(board: Leaderboard, params: Params, scores: Mapping[str, Path], folder: Path) -> None:
    """Draw `names` into a folder.

    Args:
        board: what to draw.
        params: all settings.
        scores: variant -> its `scores` artifact; of each the first seed's curves, or those it has.
            Outside models have none.
        folder: to write into.
    """
    found = board.comparison
    few = len(found.names) <= style.FEW
    if few:
        chart.draw(board, folder / CHART)
    else:
        groups = forest.groups(params, board.costs) | forest.outside(found.outside)
        forest.draw(found, headlines(found.cases), groups, folder / CHART)
    seed = params.train.seeds[0]
    histories = {name: _history(scores[name], seed) for name in board.costs}
    (curves if few else curve_grid).draw(
        {name: read_table(path, HISTORY) for name, path in histories.items()}, folder / CURVES
    )
    if BUDGET in names(params):
        asked = [each for each in board.costs if each not in found.unasked.get("budget", ())]
        cases = {name: read_table(scores[name] / "cases.parquet", CASES) for name in asked}
        budget_curves.draw(cases, board.costs, folder / BUDGET)


def names(params: Params) -> tuple[str, ...]:
    """The pictures that `draw` draws."""
    return (CHART, CURVES, *((BUDGET,) if "budget" in params.bench.benchmarks else ()))


def _history(scores: Path, seed: int) -> Path:
    """The curves of a seed; a registered version has those of its own alone."""
    path = leaderboard.history(scores, seed)
    return path if path.exists() else next(iter(sorted(scores.glob("history-*"))), path)
