"""Which tasks stand for all of them."""

from semtok.bench.cases import Task
from semtok.report.headlines import headlines


def of(split, **tasks):
    return [Task(benchmark, split, task) for benchmark, own in tasks.items() for task in own]


BOTH = ["image_to_text", "text_to_image"]
ANY_TRUE = [f"{name}_any_true" for name in BOTH]


def shown(tasks):
    return [(task.benchmark, task.split, task.task) for task in headlines(tasks)]


def test_retrieval_leads_and_any_true_stands_for_paired():
    tasks = of("test", aro=["order", "relation", "relation_micro", "attribution"], retrieval=BOTH)
    assert shown(tasks)[:2] == [("retrieval", "test", name) for name in BOTH[::-1]]
    assert [name for *_, name in shown(tasks)[2:]] == ["relation", "attribution"]
    more = tasks + of("test", retrieval=ANY_TRUE)
    assert [name for *_, name in shown(more)[:2]] == ANY_TRUE[::-1]


def test_of_karpathys_twelve_tasks_those_that_papers_report_are_shown():
    ways = ["", "_all", "_folds", "_folds_all"]
    tasks = of("test", karpathy=[name + way for way in ways for name in (*BOTH, "rsum")])
    assert [name for *_, name in shown(tasks)] == ["text_to_image", "image_to_text", "rsum"]


def test_conditions_parts_and_novel_images_are_left_out():
    plain = of("test", retrieval=BOTH, siblings=["caption"])
    conditions = of("test", retrieval_permuted=BOTH, siblings_permuted=["caption"])
    parts = of("test", siblings=["caption/roles"])
    others = of("val", retrieval=BOTH) + of("novel", retrieval=BOTH)
    assert headlines([*conditions, *others, *parts, *plain]) == headlines(plain)


def test_of_an_unknown_benchmark_all_tasks_are_shown_and_without_test_those_of_val():
    assert shown(of("val", mine=["one", "other"])) == [
        ("mine", "val", "one"),
        ("mine", "val", "other"),
    ]
