"""What a smaller budget and a noisier channel cost: R@1 over tokens sent, and over noise."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.lines import Line2D

from semtok.bench import selections
from semtok.bench.cases import PART
from semtok.bench.costs import Costs
from semtok.bench.selections import Policy, Selection, part
from semtok.report.style import colours, picture

_STYLES: dict[Policy, str] = {"own": "o-", "random": "^:", "centre": "s--"}
_WORDS: dict[Policy, str] = {
    "own": "the model chooses",
    "random": "at random",
    "centre": "centre first",
}


def draw(cases: Mapping[str, pa.Table], costs: Mapping[str, Costs], path: Path) -> None:
    """Draw the recall of every variant on the last split that was asked.

    Args:
        cases: variant -> its cases, of all benchmarks; the baseline's first.
        costs: of the same variants.
        path: the `.png` file.
    """
    with picture(path, 12.8, 4.2) as figure:
        clean, *noisy = figure.subplots(1, 1 + len(selections.NOISY_BUDGETS), sharey=True)
        palette = colours(list(cases))
        for name, table in cases.items():
            recalls = _recalls(table)
            for policy, style in _STYLES.items():
                kept = [recalls[Selection(policy, each)] for each in selections.BUDGETS]
                line = {"color": palette[name], "markersize": 4}
                clean.plot(_sent(costs[name], policy), kept, style, **line)
                for panel, budget in zip(noisy, selections.NOISY_BUDGETS, strict=True):
                    heard = [recalls[Selection(policy, budget, snr)] for snr in selections.SNRS]
                    panel.plot(selections.SNRS, heard, style, **line)
        clean.set_title("without noise")
        clean.set_xlabel("tokens sent, %")
        clean.set_ylabel("R@1, %")
        clean.set_ylim(bottom=0)
        for panel, budget in zip(noisy, selections.NOISY_BUDGETS, strict=True):
            panel.set_title(f"at a budget of {100 * budget:g} %")
            panel.set_xlabel("SNR of a token, dB")
        handles = [Line2D([], [], color=colour, label=name) for name, colour in palette.items()]
        handles += [
            Line2D([], [], color="black", ls=style[1:], marker=style[0], markersize=4, label=words)
            for style, words in ((_STYLES[each], _WORDS[each]) for each in _STYLES)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=8)


def _sent(costs: Costs, policy: Policy) -> list[float]:
    """The tokens that are really sent, in percent, at each budget: of what gates leave, if any."""
    if costs.spending is None:
        return [100 * budget for budget in selections.BUDGETS]
    shares = (each.share if policy == "own" else each.others for each in costs.spending)
    return [100 * share for share in shares]


def _recalls(cases: pa.Table) -> dict[Selection, float]:
    """R@1 in percent of every selection, the mean over seeds."""
    cases = cases.filter(pc.equal(cases["benchmark"], "budget"))
    split = cases["split"][-1]
    cases = cases.filter(pc.equal(cases["split"], split))
    right = pc.cast(pc.equal(cases["rank"], 1), pa.float64())
    means = cases.append_column("right", right).group_by("task").aggregate([("right", "mean")])
    found = dict(zip(means["task"].to_pylist(), means["right_mean"].to_pylist(), strict=True))
    task = next(each for each in found if PART not in each)
    return {each: 100 * found[part(task, each)] for each in selections.SELECTIONS}
