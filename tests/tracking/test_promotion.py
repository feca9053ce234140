"""Promotion in a real registry, with ranks made up so that the right decision is known."""

import json
import uuid
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pytest

from semtok.bench import protocol
from semtok.bench.cases import CASES
from semtok.errors import SemtokError
from semtok.params import BenchSettings
from semtok.tables import write_table
from semtok.tracking import registry, server
from semtok.tracking.promotion import promote

pytestmark = pytest.mark.slow

BENCH = BenchSettings(
    benchmarks=("retrieval",),
    splits=("val", "test"),
    bootstrap=500,
    confidence=0.95,
    baseline="vit",
)
#: Images of a split; of these many captions have the right image first.
IMAGES = 100


class Registry:
    """A data set of its own in the session's registry."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.data = f"data{uuid.uuid4().hex[:8]}"
        self.client = server.client(address)
        self.experiment = self.client.create_experiment(registry.model_name(self.data))
        self.client.create_registered_model(registry.model_name(self.data))

    def add(
        self, variant: str, val: list[int], test: int = 20, recipe: str = "", **tags
    ) -> list[str]:
        """Register a training per seed; `val` of its images are found at once on val."""
        found = []
        for seed, hits in enumerate(val):
            run = self.client.create_run(self.experiment)
            path = self.folder / registry.CASES
            write_table(path, cases(seed, {"val": hits, "test": test}), CASES)
            self.client.log_artifact(run.info.run_id, str(path))
            version = self.client.create_model_version(
                registry.model_name(self.data),
                run.info.artifact_uri,
                run.info.run_id,
                tags={
                    "variant": variant,
                    "seed": str(seed),
                    "recipe": recipe or variant,
                    "data_hash": "d",
                    registry.PROTOCOL: protocol.VERSION,
                    **tags,
                },
            )
            found.append(version.version)
        return found

    def promote(self, variant: str, bench: BenchSettings = BENCH):
        return promote(self.data, variant, bench, self.address)

    def champion(self) -> str | None:
        found = registry.champion(self.client, self.data)
        return found and found.version


def cases(seed: int, hits: dict[str, int], images: int = IMAGES) -> pa.Table:
    rows = [
        {
            "benchmark": "retrieval",
            "split": split,
            "task": task,
            "seed": seed,
            "case_id": image,
            "cluster_id": image,
            "rank": 1 if image < count else 2,
            "candidates": images,
            "answers": 1,
        }
        for split, count in hits.items()
        for task in ("text_to_image", "image_to_text")
        for image in range(images)
    ]
    return pa.Table.from_pylist(rows, schema=CASES.columns)


@pytest.fixture
def models(mlflow_server, tmp_path) -> Registry:
    return Registry(mlflow_server, tmp_path)


def test_a_better_candidate_takes_the_place_of_the_baseline(models):
    (vit,), (semantic,) = models.add("vit", [20]), models.add("semantic", [60], test=50)
    decision = models.promote("semantic")
    assert decision.promoted
    assert models.champion() == semantic
    assert decision.champion == f"semantic version {semantic}"
    assert decision.points["val"].estimate == pytest.approx(40)
    assert decision.points["test"].estimate == pytest.approx(30)
    assert decision.points["val"].low > 0
    assert "becomes champion in place of vit" in decision.reason
    assert "+40.00 points (95% interval" in decision.reason
    assert decision.label.startswith("smoke run (1 seed")
    tagged = models.client.get_model_version(decision.model, semantic)
    assert tagged.tags["promotion"] == decision.reason
    assert json.loads(json.dumps(decision.as_dict()))["points"]["val"]["estimate"] == 40
    page = unquote(decision.page)
    assert page.startswith(
        f'{models.address}/#/compare-model-versions?name="{decision.model}"&runs='
    )
    assert set(json.loads(page.rpartition("runs=")[2])) == {vit, semantic}


def test_the_interval_pairs_images_and_both_directions(models):
    # Ranks differ on one image in five, the same ones in both directions: the interval of the
    # share of 100 images is that of a binomial, 12 to 28, and not that of 200 cases.
    models.add("vit", [20])
    models.add("semantic", [40])
    points = models.promote("semantic", replace(BENCH, bootstrap=4000)).points["val"]
    deviation = np.sqrt(0.2 * 0.8 / IMAGES) * 100
    assert points.low == pytest.approx(20 - 1.96 * deviation, abs=1.5)
    assert points.high == pytest.approx(20 + 1.96 * deviation, abs=1.5)


def test_a_candidate_that_may_be_luck_does_not(models):
    (vit,), _ = models.add("vit", [20]), models.add("semantic", [22], test=90)
    first, second = models.promote("semantic"), models.promote("semantic")
    assert not first.promoted
    assert not second.promoted
    assert models.champion() == vit
    assert f"vit version {vit}, the baseline, becomes champion" in first.reason
    assert f"vit version {vit} stays champion" in second.reason
    assert "does not lie above 0" in second.reason
    assert second.points["test"].low > 0  # which decides nothing


def test_a_worse_candidate_does_not(models):
    (vit,), _ = models.add("vit", [60]), models.add("semantic", [20])
    assert not models.promote("semantic").promoted
    assert models.champion() == vit


def test_later_candidates_meet_the_champion_and_not_the_baseline(models):
    models.add("vit", [10])
    (semantic,) = models.add("semantic", [80])
    models.add("between", [40])
    models.promote("semantic")
    decision = models.promote("between")
    assert not decision.promoted
    assert f"semantic version {semantic} stays champion" in decision.reason
    assert decision.points["val"].estimate == pytest.approx(-40)


def test_the_baseline_may_sit_down_unopposed_once(models):
    (vit,) = models.add("vit", [20])
    decision = models.promote("vit")
    assert models.champion() == vit
    assert "becomes champion: it is the baseline" in decision.reason
    assert "is the champion already" in models.promote("vit").reason
    assert decision.points == {}


def test_the_alias_names_the_best_seed_on_val(models):
    models.add("vit", [10, 11, 12])
    versions = models.add("semantic", [70, 80, 60])
    assert models.promote("semantic").promoted
    assert models.champion() == versions[1]


def test_seeds_are_compared_together(models):
    models.add("vit", [10, 30])
    models.add("semantic", [50, 60])
    assert models.promote("semantic").points["val"].estimate == pytest.approx(35)


def test_the_newest_training_of_the_candidate_counts(models):
    models.add("vit", [50])
    models.add("semantic", [90], recipe="old")
    models.add("semantic", [10], recipe="new")
    assert models.promote("semantic").points["val"].estimate == pytest.approx(-40)


def test_a_training_repeated_counts_once(models):
    models.add("vit", [50])
    models.add("semantic", [90, 90], recipe="same")
    models.add("semantic", [10], recipe="same")  # seed 0 again
    assert models.promote("semantic").points["val"].estimate == pytest.approx(0)


@pytest.mark.parametrize(
    ("tag", "value", "what"),
    [("data_hash", "e", "different data"), ("protocol_version", "0", "different protocols")],
)
def test_other_data_and_other_protocols_are_never_ranked(models, tag, value, what):
    models.add("vit", [20])
    models.promote("vit")
    models.add("semantic", [90], **{tag: value})
    with pytest.raises(SemtokError, match=rf"semantic.*vit.*{what}.*{value}.*never ranked"):
        models.promote("semantic")
    assert models.champion() == "1"


def test_scores_of_other_cases_are_never_ranked(models):
    models.add("vit", [20])
    (version,) = models.add("semantic", [90])
    run = models.client.get_model_version(registry.model_name(models.data), version).run_id
    path = models.folder / registry.CASES
    write_table(path, cases(0, {"val": 20, "test": 20}, images=90), CASES)
    models.client.log_artifact(run, str(path))
    with pytest.raises(SemtokError, match="not scored on the same cases"):
        models.promote("semantic")
    assert models.champion() is None


def test_what_is_not_registered_cannot_be_promoted(models):
    models.add("semantic", [90])
    with pytest.raises(SemtokError, match=r"colour: no version.*semtok sync"):
        models.promote("colour")
    with pytest.raises(SemtokError, match=r"vit: no version.*semtok sync"):
        models.promote("semantic")


def test_what_is_not_scored_cannot_be_promoted(models):
    run = models.client.create_run(models.experiment)
    models.client.create_model_version(
        registry.model_name(models.data),
        run.info.artifact_uri,
        run.info.run_id,
        tags={"variant": "semantic", "recipe": "r", "seed": "0"},
    )
    with pytest.raises(SemtokError, match="semantic version 1: has no scores; run scores@semantic"):
        models.promote("semantic")


def test_a_server_that_is_down_is_named(free_address):
    with pytest.raises(SemtokError, match=rf"{free_address}.*make up"):
        promote("scenes", "semantic", BENCH, free_address)
