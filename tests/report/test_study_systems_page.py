"""The page of a study of classification: systems, their controls, and kappas."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from semtok import study
from semtok.bench.cases import Task
from tests.report.test_study_page import make, sections, written

REPO = Path(__file__).parents[2]
TASK = Task("classification", "test", "class")
CLASSES = 5


@pytest.fixture(scope="module")
def published():
    """Variants that find such shares of the classes, and else say the next grade."""
    params = study.settings(REPO, "systems_count")
    params = replace(params, bench=replace(params.bench, bootstrap=200))
    shares = {"vit": 0.4, "semantic": 0.7, "semantic_permuted": 0.6}
    found = make(params, shares, {TASK: CLASSES}, seeds=2)
    for tasks in found.scores.values():
        cases = tasks[TASK]
        labels = np.arange(len(cases.case_ids)) % CLASSES
        chosen = np.where(cases.ranks == 1, labels, (labels + 1) % CLASSES)
        tasks[TASK] = replace(cases, labels=labels, chosen=chosen, ordered=True)
    return found


def test_systems_are_asked_and_kappas_told(published, tmp_path):
    text = written(published, tmp_path)
    assert "Semantic tokens (S1)" in sections(text)
    assert "Predicted extraction" not in text
    assert "R@1 is the accuracy" in text
    lines = [line for line in text.splitlines() if line.startswith("| `semantic` − `vit`")]
    assert lines and all("+30.0" in line for line in lines)
    assert "- Superpixel tokens (S2): `superpixels` − `vit`" in text
    kappas = text[text.index("### Cohen's kappa") :]
    for name, tasks in published.scores.items():
        cases = tasks[TASK]
        row = next(line for line in kappas.splitlines() if line.startswith(f"| `{name}`"))
        for weights in (None, "quadratic"):
            wanted = 100 * cohen_kappa_score(cases.labels, cases.chosen[0], weights=weights)
            assert f"{wanted:.1f} [" in row
