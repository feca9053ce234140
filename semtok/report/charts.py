"""The charts of a leaderboard, of the kinds that fit its number of variants."""

from collections.abc import Mapping
from pathlib import Path

from semtok.bench import leaderboard
from semtok.bench.leaderboard import Leaderboard
from semtok.params import Params
from semtok.report import chart, curve_grid, curves, forest, style
from semtok.report.headlines import headlines
from semtok.tables import read_table
from semtok.train.history import HISTORY

#: Scores with their intervals, and what training looked like.
CHART, CURVES = "chart.png", "curves.png"


def draw(board: Leaderboard, params: Params, scores: Mapping[str, Path], folder: Path) -> None:
    """Draw `CHART` and `CURVES` into a folder.

    Args:
        board: what to draw.
        params: all settings.
        scores: variant -> its `scores` artifact; of each the first seed's curves. Outside models
            have none.
        folder: to write into.
    """
    few = len(board.comparison.names) <= style.FEW
    if few:
        chart.draw(board, folder / CHART)
    else:
        found = board.comparison
        groups = forest.groups(params, board.costs) | forest.outside(found.outside)
        forest.draw(found, headlines(found.cases), groups, folder / CHART)
    seed = params.train.seeds[0]
    histories = {name: leaderboard.history(scores[name], seed) for name in board.costs}
    (curves if few else curve_grid).draw(
        {name: read_table(path, HISTORY) for name, path in histories.items()}, folder / CURVES
    )
