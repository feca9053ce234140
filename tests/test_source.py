"""What a result depends on of the code."""

import shutil
from dataclasses import replace
from pathlib import Path

import grimp
import pytest

from semtok import params_file, pipeline, runner
from semtok.errors import SemtokError
from semtok.params import FETCHED, RemoteModelSettings
from semtok.source import check_own, closure, listed_files, source_fingerprint, used_files

REPOSITORY = Path(__file__).parents[1]
PARAMS = params_file.load(REPOSITORY / "params.yaml")
KEYS = list(pipeline.all_keys(PARAMS))


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """The imports as another tool sees them."""
    return grimp.build_graph("semtok", cache_dir=None)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: "@".join(filter(None, key)))
def test_closure_is_what_is_imported(key, graph):
    stage = pipeline.stages()[key[0]]
    roots = {name for name in stage.modules(PARAMS, key[1]) if name in graph.modules}
    assert roots
    wanted = roots.union(*(graph.find_upstream_modules(root) for root in roots))
    found = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
        for path in closure(REPOSITORY, roots)
    }
    packages = {name for name in graph.modules if (REPOSITORY / name.replace(".", "/")).is_dir()}
    assert found - packages == wanted - packages


def copied(root: Path) -> Path:
    shutil.copytree(REPOSITORY / "semtok", root / "semtok")
    return root


def test_a_tokenizer_depends_on_itself_and_not_on_the_others(tmp_path):
    root = copied(tmp_path)
    stage = pipeline.stages()["token_shards"]

    def fingerprints() -> list[str]:
        found = []
        for partition in ("grid-train", "semantic-train"):
            files = used_files(root, stage.source, stage.modules(PARAMS, partition))
            found.append(source_fingerprint(root, files))
        return found

    grid, semantic = fingerprints()
    (root / "semtok/tokens/superpixel.py").write_text("NEW = 1\n")
    assert fingerprints() == [grid, semantic]
    (root / "semtok/tokens/grid.py").write_text("# edited\n")
    assert fingerprints()[0] != grid
    assert fingerprints()[1] == semantic
    shared = root / "semtok/tokens/pixels.py"
    shared.write_text(shared.read_text() + "# edited\n")
    assert fingerprints()[1] != semantic


def test_a_registered_version_depends_on_every_backend_and_tokenizer(tmp_path):
    root = copied(tmp_path)
    stage = pipeline.stages()["remote_scores"]
    models = {
        "reigning": RemoteModelSettings(registered="models:/semtok-scenes/3"),
        "clip": RemoteModelSettings(hub="openai/clip-vit-large-patch14"),
    }
    params = replace(PARAMS, remote_models=models)

    def fingerprints() -> list[str]:
        found = []
        for partition in models:
            files = used_files(root, stage.source, stage.modules(params, partition))
            found.append(source_fingerprint(root, files))
        return found

    reigning, clip = fingerprints()
    for name in ("tokens/grid.py", "extract/superpixels/merging.py", "extract/detector/network.py"):
        path = root / "semtok" / name
        path.write_text(path.read_text() + "# edited\n")
        before, (reigning, now) = reigning, fingerprints()
        assert reigning != before
        assert now == clip, "a model of the hub runs none of them"


def test_fetched_data_depend_on_their_own_sources_alone(tmp_path):
    root = copied(tmp_path)
    stage = pipeline.stages()["images"]
    data = replace(PARAMS.data, format="coco", source=FETCHED, fetch=("coco", "coco/karpathy"))
    params = replace(PARAMS, data=data)

    def fingerprint() -> str:
        return source_fingerprint(root, used_files(root, stage.source, stage.modules(params, None)))

    before = fingerprint()
    (root / "semtok/data/sources/voc.py").write_text("# edited\n")
    assert fingerprint() == before
    for name in ("sources/coco.py", "download/http.py"):
        path = root / "semtok/data" / name
        path.write_text(path.read_text() + "# edited\n")
        assert fingerprint() != before
        before = fingerprint()


def test_a_project_is_not_run_by_the_code_of_another(tmp_path):
    root = copied(tmp_path)
    shutil.copy(REPOSITORY / "params.yaml", root)
    with pytest.raises(SemtokError) as caught:
        runner.run("images", root, scratch=True)
    told = f"{root}/semtok: not the code that runs, which is {REPOSITORY}/semtok; export PYTHONPATH"
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert not (root / ".semtok").exists()


def test_a_copy_of_an_experiment_is_told_where_to_set_its_path(tmp_path):
    root = tmp_path / ".dvc/tmp/exps/tmp1a2b"
    (root / "semtok").mkdir(parents=True)
    with pytest.raises(SemtokError, match=r"export PYTHONPATH=\. before .*`dvc queue start`$"):
        check_own(root)


def test_what_is_not_listed_does_not_count(tmp_path):
    root = copied(tmp_path)
    before = used_files(root, ["semtok/tokens"], ["semtok.tokens.grid"])
    assert root / "semtok/tokens/grid.py" in before
    assert all("tokens" in path.parts for path in before)


def test_sources_are_python_files_of_folders_and_named_files(tmp_path):
    for name in ("a.py", "c/b.py", "notes.txt"):
        path = tmp_path / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    assert listed_files(tmp_path, ["src"]) == [tmp_path / "src/a.py", tmp_path / "src/c/b.py"]
    assert listed_files(tmp_path, ["src/a.py", "src/c"]) == listed_files(tmp_path, ["src"])
    with pytest.raises(SemtokError, match=r"missing.py: no such file"):
        source_fingerprint(tmp_path, listed_files(tmp_path, ["src/missing.py"]))
