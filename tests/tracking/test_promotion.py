"""Promotion in a real registry, with ranks made up so that the right decision is known."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from semtok.bench import protocol
from semtok.bench.cases import CASES
from semtok.cli import app
from semtok.errors import SemtokError
from semtok.params import BenchSettings, PromotionSettings
from semtok.tables import write_table
from semtok.tracking import contender, promotion, registry, server
from semtok.tracking.decisions import ARTIFACT
from semtok.tracking.promotion import promote
from semtok.tracking.rollback import rollback
from semtok.tracking.training import UPLOADED
from semtok.tracking.upload import score_name
from tests import small_line

pytestmark = pytest.mark.slow

BENCH = BenchSettings(
    benchmarks=("retrieval",),
    splits=("val", "test"),
    bootstrap=500,
    confidence=0.95,
    baseline="vit",
)
RULES = PromotionSettings(
    metric=("retrieval/image_to_text/R@1", "retrieval/text_to_image/R@1"),
    minimum_gain=0.5,
    guards={"guarded/caption/R@1": 10.0},
)
DIRECTIONS = ("text_to_image", "image_to_text")
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
        self,
        variant: str,
        val: list[int],
        test: int = 20,
        guarded: int = 50,
        gates: dict[str, str] | None = None,
        recipe: str = "",
        in_lineage: bool = True,
        seeds: Sequence[int] = (),
        uploaded: bool = True,
        **tags,
    ) -> list[str]:
        """Register a training per seed; `val` of its images are found at once on val.

        Args:
            in_lineage: whether its scores were current when it was last uploaded.
            seeds: that were asked for; default: those that are there.
            uploaded: whether that came to its end.
        """
        found = []
        for seed, hits in enumerate(val):
            run = self.client.create_run(self.experiment)
            path = self.folder / registry.CASES
            write_table(path, cases(seed, {"val": hits, "test": test}, guarded=guarded), CASES)
            self.client.log_artifact(run.info.run_id, str(path))
            for task in DIRECTIONS:
                name = score_name("retrieval", "val", task, "R@1")
                self.client.log_metric(run.info.run_id, name, 100 * hits / IMAGES)
            made = lineage(variant, seeds or range(len(val)), gates or {}, in_lineage)
            self.client.log_dict(run.info.run_id, made, registry.LINEAGE)
            self.client.set_tag(run.info.run_id, UPLOADED, "all" if uploaded else "")
            version = self.client.create_model_version(
                registry.model_name(self.data),
                run.info.artifact_uri,
                run.info.run_id,
                tags={
                    "variant": variant,
                    "seed": str(seed),
                    "recipe": recipe or variant,
                    "data_hash": "d",
                    **({registry.PROTOCOL: protocol.VERSION} if uploaded else {}),
                    **tags,
                },
            )
            found.append(version.version)
        return found

    def promote(self, variant: str, bench: BenchSettings = BENCH, **rules):
        settings = replace(RULES, **rules)
        return promote(self.data, variant, bench, settings, self.address).as_dict()

    def rollback(self):
        return rollback(self.data, RULES, self.address).as_dict()

    def champion(self) -> str | None:
        return self.aliased(registry.CHAMPION)

    def aliased(self, alias: str) -> str | None:
        found = registry.aliased(self.client, self.data, alias)
        return found and found.version

    def decisions(self) -> list:
        """The runs of all decisions, the oldest first."""
        name = f"{registry.model_name(self.data)}-decisions"
        found = self.client.get_experiment_by_name(name)
        return self.client.search_runs([found.experiment_id])[::-1] if found else []


def lineage(
    variant: str, seeds: Sequence[int], gates: Mapping[str, str] = {}, in_lineage: bool = True
) -> dict:
    """As much of it as a decision reads."""
    artifacts = {"index": "passed", "masks@annotated-train": "passed", **gates}
    artifacts |= {f"scores@{variant}": "passed"} if in_lineage else {}
    made = {key: {"gate": gate} for key, gate in artifacts.items()}
    made[f"checkpoint@{variant}"] = {"gate": "passed", "params": {"train": {"seeds": list(seeds)}}}
    return {"artifacts": made}


def cases(seed: int, hits: dict[str, int], images: int = IMAGES, guarded: int = 50) -> pa.Table:
    tasks = [
        *(("retrieval", split, task, hits[split]) for split in hits for task in DIRECTIONS),
        ("guarded", "val", "caption", guarded),
    ]
    rows = [
        {
            "benchmark": benchmark,
            "split": split,
            "task": task,
            "seed": seed,
            "case_id": image,
            "cluster_id": image,
            "rank": 1 if image < count else 2,
            "candidates": images,
            "answers": 1,
        }
        for benchmark, split, task, count in tasks
        for image in range(images)
    ]
    return pa.Table.from_pylist(rows, schema=CASES.columns)


@pytest.fixture
def models(mlflow_server, tmp_path) -> Registry:
    return Registry(mlflow_server, tmp_path)


def test_a_better_candidate_takes_the_place_of_the_baseline(models):
    (vit,), (semantic,) = models.add("vit", [20]), models.add("semantic", [60], test=50)
    decision = models.promote("semantic")
    assert decision["promoted"]
    assert decision["held_back_by"] == []
    assert models.champion() == semantic
    assert decision["champion"] == f"semantic version {semantic}"
    assert decision["points"]["val"]["estimate"] == pytest.approx(40)
    assert decision["points"]["test"]["estimate"] == pytest.approx(30)
    assert decision["points"]["val"]["low"] > 0
    assert "becomes champion in place of vit" in decision["reason"]
    assert "+40.00 points (95% interval" in decision["reason"]
    assert decision["label"].startswith("smoke run (1 seed")
    tagged = models.client.get_model_version(decision["model"], semantic)
    assert tagged.tags["promotion"] == decision["reason"]
    assert json.loads(json.dumps(decision)) == decision
    page = unquote(decision["page"])
    assert page.startswith(
        f'{models.address}/#/compare-model-versions?name="{decision["model"]}"&runs='
    )
    assert set(json.loads(page.rpartition("runs=")[2])) == {vit, semantic}


def test_the_interval_pairs_images_and_both_directions(models):
    # Ranks differ on one image in five, the same ones in both directions: the interval of the
    # share of 100 images is that of a binomial, 12 to 28, and not that of 200 cases.
    models.add("vit", [20])
    models.add("semantic", [40])
    points = models.promote("semantic", replace(BENCH, bootstrap=4000))["points"]["val"]
    deviation = np.sqrt(0.2 * 0.8 / IMAGES) * 100
    assert points["low"] == pytest.approx(20 - 1.96 * deviation, abs=1.5)
    assert points["high"] == pytest.approx(20 + 1.96 * deviation, abs=1.5)


def test_a_candidate_that_may_be_luck_does_not(models):
    (vit,), _ = models.add("vit", [20]), models.add("semantic", [22], test=90)
    first, second = models.promote("semantic"), models.promote("semantic")
    assert not first["promoted"]
    assert not second["promoted"]
    assert models.champion() == vit
    assert f"vit version {vit}, the baseline, becomes champion" in first["reason"]
    assert f"vit version {vit} stays champion" in second["reason"]
    assert second["held_back_by"] == ["gain"]
    assert "which must lie above +0.50 on val" in second["reason"]
    assert second["points"]["test"]["low"] > 0  # which decides nothing


def test_a_worse_candidate_does_not(models):
    (vit,), _ = models.add("vit", [60]), models.add("semantic", [20])
    assert not models.promote("semantic")["promoted"]
    assert models.champion() == vit


def test_later_candidates_meet_the_champion_and_not_the_baseline(models):
    models.add("vit", [10])
    (semantic,) = models.add("semantic", [80])
    models.add("between", [40])
    models.promote("semantic")
    decision = models.promote("between")
    assert not decision["promoted"]
    assert f"semantic version {semantic} stays champion" in decision["reason"]
    assert decision["points"]["val"]["estimate"] == pytest.approx(-40)


def test_the_baseline_may_sit_down_unopposed_once(models):
    (vit,) = models.add("vit", [20])
    decision = models.promote("vit")
    assert models.champion() == vit
    assert "becomes champion as it is the baseline" in decision["reason"]
    assert decision["points"] == {}
    again = models.promote("vit")
    assert "is the champion already" in again["reason"]
    assert (again["promoted"], again["held_back_by"]) == (False, [])


def test_the_alias_names_the_best_seed_on_val(models):
    models.add("vit", [10, 11, 12])
    versions = models.add("semantic", [70, 80, 60])
    assert models.promote("semantic")["promoted"]
    assert models.champion() == versions[1]


def test_seeds_are_compared_together(models):
    models.add("vit", [10, 30])
    models.add("semantic", [50, 60])
    assert models.promote("semantic")["points"]["val"]["estimate"] == pytest.approx(35)


def test_the_newest_training_of_the_candidate_counts(models):
    models.add("vit", [50])
    models.add("semantic", [90], recipe="old")
    models.add("semantic", [10], recipe="new")
    assert models.promote("semantic")["points"]["val"]["estimate"] == pytest.approx(-40)


def test_a_training_repeated_counts_once(models):
    models.add("vit", [50])
    models.add("semantic", [90, 90], recipe="same")
    models.add("semantic", [10, 30], recipe="same")  # both again
    assert models.promote("semantic")["points"]["val"]["estimate"] == pytest.approx(-30)


@pytest.mark.parametrize("half", [{"seeds": (0, 1, 2)}, {"uploaded": False}])
def test_what_is_uploaded_by_half_is_neither_promoted_nor_the_challenger(models, half):
    (vit,) = models.add("vit", [20])
    models.promote("vit")
    (semantic, _) = models.add("semantic", [60, 60], **half)
    with pytest.raises(SemtokError, match=r"^semantic version 3: .*to their end; run `semtok sync"):
        models.promote("semantic")
    assert models.champion() == vit
    models.add("best", [90])
    assert models.promote("best")["challenger"] == "vit version 1"
    name = registry.model_name(models.data)
    models.client.set_registered_model_alias(name, registry.CHAMPION, semantic)
    with pytest.raises(SemtokError, match=r"^semantic version 2: .*to their end; run `semtok sync"):
        models.promote("vit")


def test_seeds_that_are_asked_for_no_longer_do_not_count(models):
    models.add("vit", [20])
    name, made = registry.model_name(models.data), lineage("semantic", [0, 1])
    *kept, dropped = models.add("semantic", [50, 60, 90])
    for version in kept:
        run = models.client.get_model_version(name, version).run_id
        models.client.log_dict(run, made, registry.LINEAGE)
        models.client.set_model_version_tag(name, version, registry.UPLOADED_AT, "2026-11-22")
    assert models.promote("semantic")["points"]["val"]["estimate"] == pytest.approx(35)
    with pytest.raises(SemtokError, match=r"^semantic version 4: .* since; there is version 2, 3$"):
        contender.of(models.client, models.data, models.client.get_model_version(name, dropped))


@pytest.mark.parametrize(
    ("tag", "value", "told"),
    [
        ("data_hash", "e", "semantic.*vit.*different data \\(e and d\\) are never ranked"),
        ("protocol_version", "0", f"semantic .*protocol 0, compared is by {protocol.VERSION};"),
    ],
)
def test_other_data_and_other_protocols_are_never_ranked(models, tag, value, told):
    models.add("vit", [20])
    models.promote("vit")
    models.add("semantic", [90], **{tag: value})
    with pytest.raises(SemtokError, match=told):
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
    models.client.log_dict(run.info.run_id, lineage("semantic", [0]), registry.LINEAGE)
    models.client.set_tag(run.info.run_id, UPLOADED, "all")
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
        promote("scenes", "semantic", BENCH, RULES, free_address)


def test_a_gain_below_the_minimum_is_not_enough(models):
    models.add("vit", [20])
    models.add("semantic", [60])
    decision = models.promote("semantic", minimum_gain=35.0)
    assert decision["held_back_by"] == ["gain"]  # +40, but its interval begins at +30
    assert decision["rules"][0]["limit"] == 35.0
    assert models.promote("semantic", minimum_gain=20.0)["promoted"]


@pytest.mark.parametrize(("guarded", "held_back"), [(30, True), (48, False)])
def test_a_guard_that_falls_too_far_holds_a_better_candidate_back(models, guarded, held_back):
    (vit,) = models.add("vit", [20], guarded=50)
    (semantic,) = models.add("semantic", [60], guarded=guarded)
    decision = models.promote("semantic")
    assert decision["held_back_by"] == (["guard guarded/caption/R@1"] if held_back else [])
    assert models.champion() == (vit if held_back else semantic)
    rule = next(each for each in decision["rules"] if each["name"].startswith("guard"))
    assert rule["gain"]["estimate"] == pytest.approx(guarded - 50)
    assert rule["limit"] == -10.0


def test_a_guard_whose_fall_cannot_be_told_from_its_allowance_holds_back(models):
    # 45 against 50 of 100 cases: -5 points, and the interval reaches to about -9.
    models.add("vit", [20], guarded=50)
    models.add("semantic", [60], guarded=45)
    wide, narrow = {"guarded/caption/R@1": 12.0}, {"guarded/caption/R@1": 6.0}
    assert models.promote("semantic", guards=narrow)["held_back_by"] == [
        "guard guarded/caption/R@1"
    ]
    assert models.promote("semantic", guards=wide)["promoted"]


def test_a_guard_that_nobody_scored_is_named(models):
    models.add("vit", [20])
    models.add("semantic", [60])
    with pytest.raises(SemtokError, match=r"no scores of nope val caption.*promotion"):
        models.promote("semantic", guards={"nope/caption/R@1": 1.0})
    with pytest.raises(SemtokError, match="no metric 'R@2'; there are R@1, R@5"):
        models.promote("semantic", metric=("retrieval/text_to_image/R@2",))


def test_lower_median_ranks_are_gains(models):
    models.add("vit", [20])
    (semantic,) = models.add("semantic", [90])
    decision = models.promote("semantic", metric=("retrieval/text_to_image/median_rank",))
    assert decision["points"]["val"]["estimate"] == pytest.approx(1)  # from 2 to 1
    assert models.champion() == semantic


@pytest.mark.parametrize(
    "gate",
    ["is red: duplicates: 1, expected at most 0", "was not judged", "changed after its gate"],
)
def test_data_checks_that_failed_hold_back(models, gate):
    (vit,) = models.add("vit", [20])
    models.add("semantic", [90], gates={"masks@annotated-train": gate})
    decision = models.promote("semantic")
    assert decision["held_back_by"] == ["data checks"]
    assert f"data checks: masks@annotated-train {gate}" in decision["reason"]
    assert models.champion() == vit
    assert models.aliased("challenger") is None  # nor may it be the best of the rest


def test_nobody_is_champion_on_red_data(models):
    models.add("vit", [20], gates={"index": "is red: no"})
    assert models.promote("vit")["held_back_by"] == ["data checks"]
    models.add("semantic", [20])
    decision = models.promote("semantic")
    assert decision["champion"] == ""
    assert "there is no champion" in decision["reason"]
    assert models.champion() is None


def test_a_lineage_without_verdicts_is_no_passed_check(models):
    models.add("vit", [20], gates={"index": ""})  # as uploaded before verdicts were
    decision = models.promote("vit")
    assert decision["rules"][0]["found"] == "index has no verdict on record; run `semtok sync`"


def test_scores_that_the_lineage_does_not_hold_have_passed_no_gate(models):
    (vit,) = models.add("vit", [20])
    models.add("semantic", [90], in_lineage=False)  # its scores were gone at the last sync
    decision = models.promote("semantic")
    assert decision["held_back_by"] == ["data checks"]
    assert "data checks: scores@semantic is not in the lineage" in decision["reason"]
    assert models.champion() == vit
    assert models.aliased("challenger") is None


def test_the_challenger_is_the_best_of_the_rest(models):
    models.add("vit", [20])
    models.add("between", [40, 50])
    models.add("other_data", [80], data_hash="e")
    models.add("unlucky", [70], gates={"index": "is red: no"})
    decision = models.promote("between")
    assert decision["champion"] == "between version 3"
    assert decision["challenger"] == "vit version 1"
    assert models.promote("vit")["challenger"] == "vit version 1"
    models.add("semantic", [90])
    decision = models.promote("semantic")
    assert decision["challenger"] == "between version 3"
    assert models.aliased("challenger") == "3"


def test_roll_backs_go_back_champion_by_champion(models):
    (vit,), (between,), (semantic,) = (
        models.add(name, [hits]) for name, hits in (("vit", 10), ("between", 40), ("semantic", 80))
    )
    for variant in ("vit", "between", "semantic", "between"):  # the last one is held back
        models.promote(variant)
    assert models.champion() == semantic
    first = models.rollback()
    assert models.champion() == between
    assert first["reason"].startswith(f"roll-back: between version {between} is champion again")
    assert first["challenger"] == f"semantic version {semantic}"
    models.rollback()
    assert models.champion() == vit
    with pytest.raises(SemtokError, match=r"no decision says who was champion.* before vit"):
        models.rollback()
    assert models.champion() == vit
    models.promote("semantic")
    models.rollback()
    assert models.champion() == vit


def test_a_roll_back_passes_over_a_decision_that_was_killed_before_its_move(models, monkeypatch):
    (vit,), (between,) = models.add("vit", [10]), models.add("between", [40])
    models.promote("vit")
    models.promote("between")
    models.add("semantic", [80])

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("mlflow.MlflowClient.set_registered_model_alias", killed)
        models.promote("semantic")
    assert models.champion() == between
    models.rollback()
    assert models.champion() == vit


def test_a_champion_that_changed_while_it_was_decided_stays(models, monkeypatch):
    models.add("vit", [10])
    models.add("semantic", [80])
    (other,) = models.add("other", [70])
    models.promote("vit")
    decide, name = promotion._decide, registry.model_name(models.data)

    def late(*arguments):
        models.client.set_registered_model_alias(name, registry.CHAMPION, other)
        return decide(*arguments)

    monkeypatch.setattr(promotion, "_decide", late)
    with pytest.raises(SemtokError, match=f"other version {other} is champion of {name} by now"):
        models.promote("semantic")
    assert models.champion() == other
    assert len(models.decisions()) == 1


def test_a_roll_back_without_a_champion_is_told(models):
    models.add("vit", [10])
    with pytest.raises(SemtokError, match="has no champion; `semtok promote` makes one"):
        models.rollback()


def test_a_champion_that_was_set_by_hand_is_left_to_that_hand(models):
    models.add("vit", [10])
    (semantic,) = models.add("semantic", [80])
    models.promote("vit")
    name = registry.model_name(models.data)
    models.client.set_registered_model_alias(name, registry.CHAMPION, semantic)
    with pytest.raises(SemtokError, match="no decision says who was champion"):
        models.rollback()
    models.add("best", [95])
    models.promote("best")  # which says who reigned in fact
    models.rollback()
    assert models.champion() == semantic


def test_every_decision_is_on_record_with_its_inputs(models):
    models.add("vit", [10])
    models.add("semantic", [80, 81], guarded=47)
    models.promote("vit")
    models.promote("semantic", guards={"guarded/caption/R@1": 1.0})
    before = [run.to_dictionary() for run in models.decisions()]
    decision = models.promote("semantic")
    models.rollback()
    found = models.decisions()
    assert [run.info.run_name for run in found] == [
        "vit version 1: promoted",
        "semantic version 3: held back by guard guarded/caption/R@1",
        "semantic version 3: promoted",
        "semantic version 3: rolled back",
    ]
    assert [run.to_dictionary() for run in found[:2]] == before
    run = found[2]
    assert decision["log"].endswith(f"/runs/{run.info.run_id}")
    assert run.data.metrics["gain/estimate"] == pytest.approx(70.5)
    assert run.data.metrics["guard guarded/caption/recall_at_1/limit"] == -10
    assert "| gain | +70.50 points" in run.data.tags["mlflow.note.content"]
    path = models.client.download_artifacts(run.info.run_id, ARTIFACT, str(models.folder))
    written = json.loads(Path(path).read_text())
    assert written["before"] == "1" and written["after"] == "3"
    assert written["rules"] == decision["rules"]
    assert written["inputs"]["settings"]["minimum_gain"] == 0.5
    trainings = written["inputs"]["candidate"]["trainings"]
    assert [each["version"] for each in trainings] == ["2", "3"]
    assert all(len(each["cases"]) == 32 for each in trainings)


def test_the_command_says_by_its_status_whether_a_rule_held_the_candidate_back(models, monkeypatch):
    document = small_line.own()
    document["data"]["name"] = models.data
    document["bench"] |= {"bootstrap": 100}
    document["promotion"] |= {"guards": {"guarded/caption/R@1": 10.0}}
    (models.folder / "params.yaml").write_text(yaml.safe_dump(document))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", models.address)

    def semtok(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["--project", str(models.folder), *arguments])

    models.add("vit", [20])
    (semantic,) = models.add("semantic", [60], guarded=20)
    held = semtok("promote", "semantic", "--json")
    assert held.exit_code == 3
    assert json.loads(held.stdout)["held_back_by"] == ["guard guarded/caption/R@1"]
    shown = semtok("promote", "semantic")
    assert shown.exit_code == 3
    assert "HELD BACK: guard guarded/caption/R@1: -30.00 points" in shown.stdout
    assert "champion: vit version 1" in shown.stdout
    document["promotion"]["guards"] = {}
    (models.folder / "params.yaml").write_text(yaml.safe_dump(document))
    assert semtok("promote", "semantic").exit_code == 0
    assert models.champion() == semantic
    back = semtok("rollback")
    assert back.exit_code == 0
    assert "champion: vit version 1\nchallenger: semantic version 2\n" in back.stdout
