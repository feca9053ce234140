"""The tasks that tables and charts of many variants show: few, and the same everywhere."""

from collections.abc import Iterable, Mapping, Sequence

from semtok.bench.cases import Task
from semtok.params import SPLITS

#: By benchmark, in the order of columns: of several lines the first that was scored. Here and not
#: in the benchmarks' modules, which import the models that they score: whoever draws would depend
#: on these, and a changed encoder would make every leaderboard stale.
_SHOWN: Mapping[str, Sequence[Sequence[str]]] = {
    "retrieval": (
        ("text_to_image_any_true", "image_to_text_any_true"),
        ("text_to_image", "image_to_text"),
    ),
    "karpathy": (("text_to_image", "image_to_text", "rsum"),),
    "siblings": (("caption",),),
    "winoground": (("group",),),
    "aro": (
        ("relation", "attribution"),
        ("relation",),
        ("attribution",),
        ("order",),
        ("flickr30k_order",),
    ),
    "sugar_crepe": (("caption",),),
    "vsr": (("statement",),),
}


def headlines(tasks: Iterable[Task]) -> list[Task]:
    """Which of them to show: of test, or of the last split that was scored before it.

    A benchmark that is not known here shows all its tasks; one under a condition shows none.

    Args:
        tasks: all that the variants were scored on.
    """
    whole = [task for task in tasks if not task.is_part and task.split != "novel"]
    final = max({task.split for task in whole}, key=SPLITS.index)
    benchmarks = dict.fromkeys(task.benchmark for task in whole)
    found = []
    for benchmark in sorted(benchmarks, key=lambda name: [*_SHOWN, name].index(name)):
        if condition_of(benchmark, benchmarks):
            continue
        own = {each.task: each for each in whole if each[:2] == (benchmark, final)}
        lines = [line for line in _SHOWN.get(benchmark, ()) if set(line) <= set(own)]
        found += [own[name] for name in (lines[0] if lines else own)]
    return found


def condition_of(benchmark: str, benchmarks: Iterable[str]) -> str:
    """`permuted` of `retrieval_permuted` where `retrieval` was scored too; else empty."""
    base, _, condition = benchmark.partition("_")
    return condition if base in benchmarks else ""
