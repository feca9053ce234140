"""The study's settings over the demo's."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from benchmarks import study as times
from semtok import params_file, pipeline, study
from semtok.cli import app
from semtok.errors import SemtokError

REPO = Path(__file__).parents[1]
SIZES = ("small", "full")
COCO = "coco"  # of study_coco.yaml


@pytest.fixture
def project(tmp_path) -> Path:
    for name in ("params.yaml", "study.yaml", "study_coco.yaml"):
        shutil.copy(REPO / name, tmp_path)
    return tmp_path


def leaves(document: dict, before: tuple = ()) -> set[tuple]:
    """The paths of all settings that are no mappings."""
    return {
        path
        for key, value in document.items()
        for path in (leaves(value, (*before, key)) if isinstance(value, dict) else {(*before, key)})
    }


@pytest.mark.parametrize("size", SIZES)
def test_a_size_is_written_whole(project, size):
    before = params_file.load(project / "params.yaml")
    found = study.write(project, size)
    assert params_file.load(project / "params.yaml") == found
    assert found.data.name == f"scenes_{size}" != before.data.name
    assert set(before.variants) < set(found.variants)
    assert len(set(found.variants.values())) == len(found.variants)
    assert len(found.train.seeds) == 5
    for variant in found.variants.values():
        if variant.patch_size:
            assert found.tokenizers[variant.tokenizer]["image_size"] % variant.patch_size == 0


def test_sizes_may_follow_one_another(project):
    (project / "coco").mkdir()  # where study_coco.yaml looks unless it is told
    for first in (*SIZES, COCO):
        for then in (*SIZES, COCO):
            shutil.copy(REPO / "params.yaml", project)
            alone = study.write(project, then)
            study.write(project, first)
            assert study.write(project, then) == alone
            if first != COCO:
                document = yaml.safe_load((project / "params.yaml").read_text())
                shutil.copy(REPO / "params.yaml", project)
                study.write(project, then)
                assert yaml.safe_load((project / "params.yaml").read_text()) == document
    sizes = yaml.safe_load((REPO / "study.yaml").read_text())["sizes"]
    assert set(sizes) == set(SIZES)
    assert leaves(sizes["small"]) == leaves(sizes["full"])


def test_the_study_of_coco_asks_what_that_of_scenes_asks(project, tmp_path):
    with pytest.raises(SemtokError, match=r"coco: data\.source: no coco here; name .* --source"):
        study.write(project, COCO)
    assert (project / "params.yaml").read_bytes() == (REPO / "params.yaml").read_bytes()
    done = CliRunner().invoke(
        app, ["--project", str(project), "study", COCO, "--source", str(tmp_path)]
    )
    assert "study coco, 11 variants, 77 trainings" in done.output
    found, scenes = params_file.load(project / "params.yaml"), study.settings(REPO, "small")
    assert (found.data.format, found.data.source) == ("coco", str(tmp_path))
    assert study.settings(project, COCO) == found  # as its report asks for them, without --source
    with pytest.raises(SemtokError, match=r"data\.source: no coco here"):
        study.write(project, COCO)  # which is told anew
    assert (found.encoder, found.text) == (scenes.encoder, scenes.text)
    assert found.variants == {name: scenes.variants[name] for name in found.variants}
    for name, tokenizer in found.tokenizers.items():
        assert tokenizer == scenes.tokenizers[name]


def test_the_long_study_is_the_small_one_with_more_training_and_pictures(project):
    shutil.copy(REPO / "study_long.yaml", project)
    found, small = study.write(project, "long"), study.settings(REPO, "small")
    assert found.train.steps == 5 * small.train.steps
    more, few = (each.data.settings["scenes"] for each in (found, small))
    assert more == {**few, "train": 3 * few["train"], "novel": 0}
    assert (found.encoder, found.text, found.train.seeds) == (
        small.encoder,
        small.text,
        small.train.seeds,
    )
    for block in ("variants", "tokenizers", "detectors"):
        ours, theirs = getattr(found, block), getattr(small, block)
        assert ours == {name: theirs[name] for name in ours}


@pytest.mark.parametrize(("size", "label"), [("systems", "largest"), ("systems_count", "count")])
def test_systems_are_compared_by_one_recipe_on_labelled_scenes(project, size, label):
    shutil.copy(REPO / "study_systems.yaml", project)
    found = study.write(project, size)
    assert params_file.load(project / "params.yaml") == found
    assert found.data.settings["scene_classes"]["label"] == label
    assert found.text.tower == "classes"
    assert found.bench.benchmarks == ("classification",)
    assert found.promotion.metric == ("classification/class/R@1",)
    assert found.promotion.guards == {}
    assert len(set(found.variants.values())) == len(found.variants)


def test_a_size_in_two_files_is_refused(project):
    (project / "study_mine.yaml").write_text("sizes: {small: {}}")
    with pytest.raises(SemtokError, match=r"study_mine\.yaml: sizes\.small: study\.yaml has one"):
        study.write(project, "small")
    (project / "study_mine.yaml").write_text("sizes: {mine: {train: {steps: 77}}}")
    assert study.write(project, "mine").train.steps == 77
    assert study.file_of(project, "mine").stem == "study_mine"


def test_the_study_has_the_variants_of_the_page():
    page = (REPO / "docs/variants.md").read_text()
    shown: dict = {}
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        shown = study.laid_over(shown, yaml.safe_load(block))
    everything = yaml.safe_load((REPO / "study.yaml").read_text())["all"]
    del everything["extractors"]["annotated"]  # the demo's, which the page takes as given
    sections = ("tokenizers", "token_shards", "variants")
    sections += ("detectors", "relation_models", "extractors", "extraction", "extraction_scores")
    assert {name: everything[name] for name in sections} == {name: shown[name] for name in sections}
    assert everything["bench"] == shown["bench"]
    assert everything["corruption"] == shown["corruption"]
    for name in everything["variants"]:
        assert f"`{name}`" in page, name


def test_an_unknown_size_and_a_wrong_setting_leave_params_alone(project):
    before = (project / "params.yaml").read_bytes()
    with pytest.raises(
        SemtokError, match="huge: no such size of a study; there are small, full, coco"
    ):
        study.write(project, "huge")
    path = project / "study.yaml"
    path.write_text(path.read_text().replace("seeds:", "sedes:"))
    with pytest.raises(SemtokError, match=r"study\.yaml: train\.sedes: unknown key"):
        study.write(project, "small")
    path.unlink()
    with pytest.raises(SemtokError, match=r"study\.yaml: no such file"):
        study.write(project, "small")
    assert (project / "params.yaml").read_bytes() == before


def test_settings_that_no_study_wrote_are_kept(project):
    path = project / "params.yaml"

    def told(size: str) -> list[str]:
        done = CliRunner().invoke(app, ["--project", str(project), "study", size])
        assert done.exit_code == 0, done.output
        return done.output.splitlines()[:-1]

    mine = path.read_text() + "# mine\n"
    path.write_text(mine)
    assert told("small") == ["params.yaml as it was: params.yaml.before"]
    assert (project / "params.yaml.before").read_text() == mine
    assert told("full") == []  # what a study wrote, it writes again
    path.write_text(mine)
    assert told("full") == ["params.yaml as it was: params.yaml.before"]
    path.write_text(mine + "# more\n")
    assert told("small") == ["params.yaml as it was: params.yaml.before2"]
    kept = sorted(each.name for each in project.glob("params.yaml.before*"))
    assert kept == ["params.yaml.before", "params.yaml.before2"]
    assert (project / "params.yaml.before").read_text() == mine


def test_edits_of_what_a_study_wrote_are_kept(project):
    path = project / "params.yaml"
    kept: list[str] = []

    def write(size: str) -> bytes:
        kept.clear()
        study.write(project, size, emit=lambda event: kept.append(event.text.split()[-1]))
        return path.read_bytes()

    written = write("small")
    assert (write("small"), kept) == (written, [])
    edited = re.sub(r"(?m)^  - 4\n", "  - 7\n", written.decode())
    assert edited.encode() != written
    path.write_text(edited)
    assert (write("small"), kept) == (written, ["params.yaml.before2"])  # .before: the demo's
    assert (project / kept[0]).read_text() == edited
    path.write_text(edited)
    write("full")
    assert kept == ["params.yaml.before2"]
    assert (write("small"), kept) == (written, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the whole block: input should be a dictionary"),
        ("- all", "the whole block: input should be a dictionary"),
        ("all:\nsizes: {small: {}}", "all: input should be a valid"),
        ("all: {}\nsizes: {small: }", "sizes.small: input should be a valid"),
        ("all: {}\nsizes: [small]", "sizes: input should be a valid"),
        ("al: {}\nsizes: {small: {}}", "al: unknown key; remove it or check its spelling"),
        ("all: {}", "sizes: missing; add it"),
    ],
)
def test_a_file_that_is_no_study_is_refused_in_one_line(project, text, message):
    before = (project / "params.yaml").read_bytes()
    (project / "study.yaml").write_text(text)
    with pytest.raises(SemtokError) as caught:
        study.write(project, "small")
    assert str(caught.value).startswith(f"{project / 'study.yaml'}: {message}")
    assert "\n" not in str(caught.value)
    assert (project / "params.yaml").read_bytes() == before


@pytest.mark.parametrize("text", ["", "- data"])
def test_params_that_are_no_settings_are_refused(project, text):
    (project / "params.yaml").write_text(text)
    with pytest.raises(SemtokError, match=r"params\.yaml: no settings; git checkout params\.yaml"):
        study.write(project, "small")


def test_the_study_is_of_scenes_after_coco_too(project):
    alone = study.settings(project, "small")
    path = project / "params.yaml"
    document = yaml.safe_load(path.read_text())
    coco = {"name": "coco", "format": "coco", "source": "/data/coco"}  # as `make coco` writes it
    document["data"] |= coco
    document["extractors"]["annotated"] = {"masks": "instances", "scene_graphs": "geometry"}
    path.write_text(yaml.safe_dump(document))
    found = study.write(project, "small")
    assert (found.data, found.extractors) == (alone.data, alone.extractors)


FULL = """
import resource, signal, sys
from pathlib import Path
from semtok import study
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
study.write(Path(sys.argv[1]), "small")
"""


def test_a_full_disk_leaves_params_alone(project):
    before = (project / "params.yaml").read_bytes()
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(project)], capture_output=True, text=True, check=False
    )
    assert "File too large" in done.stderr
    assert (project / "params.yaml").read_bytes() == before


def test_all_trainings_of_the_study_are_estimated():
    """Five seeds, and one training more for each rate that is not chosen."""
    found = study.settings(REPO, "small")
    train = replace(found.train, steps=3600, search=(0.1, 0.2), learning_rate=0.1)
    steps = dict.fromkeys(found.variants, 0.5)
    hours = times.of_steps(steps, replace(found, train=train))
    assert {each.hours for each in hours.values()} == {0.5 * 6}
    alone = times.of_steps(steps, replace(found, train=replace(train, search=())))
    assert {each.hours for each in alone.values()} == {0.5 * 5}


def test_the_command_counts_the_trainings_of_the_search(project):
    done = CliRunner().invoke(app, ["--project", str(project), "study", "small"])
    variants = len(study.settings(REPO, "small").variants)
    assert f"{variants} variants, {8 * variants} trainings (5 seeds and 3 more" in done.output


def test_the_estimate_needs_no_models_of_extraction(tmp_path):
    found = times._write_project(tmp_path, "small")
    wanted = [("token_shards", f"{each.tokenizer}-train") for each in found.variants.values()]
    stages = {name for name, _ in pipeline.upstream(found, *wanted)}
    assert stages == {"images", "index", "masks", "scene_graphs", "token_shards"}
