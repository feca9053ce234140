"""Configs of detectron2 are plain values in local files; its own reader would run and fetch."""

from pathlib import Path

import pytest

from semtok.errors import SemtokError
from semtok.extract.detectron2 import configs


def written(folder: Path, **texts: str) -> Path:
    """Files by name; the path of the first."""
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder / f"{next(iter(texts))}.yaml"


def test_plain_values_in_files_that_build_on_each_other_are_let_through(tmp_path):
    base = written(tmp_path / "bases", base="MODEL: {MASK_ON: true}\n")
    path = written(
        tmp_path / "own",
        config="_BASE_: [../bases/base.yaml, middle.yaml]\nVERSION: 2\n",
        middle=f"_BASE_: {base}\nINPUT: {{MIN_SIZE_TRAIN: [640, 672]}}\n",
    )
    configs.check(path, "config")


@pytest.mark.parametrize("depth", [0, 1])
def test_a_file_that_would_run_something_is_refused(tmp_path, depth):
    """Wherever it stands in the chain."""
    evil = f"OUTPUT_DIR: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]\n"
    texts = {"config": evil} if depth == 0 else {"config": "_BASE_: base.yaml\n", "base": evil}
    with pytest.raises(SemtokError, match=r"^config: .*: no config of plain values") as refused:
        configs.check(written(tmp_path, **texts), "config")
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    "named",
    [
        "http://localhost/base.yaml",
        "https://localhost/base.yaml",
        "detectron2://base.yaml",
        "none.yaml",
        ".",
        "~nobody-at-all/base.yaml",
        "[config.yaml, 3]",
        '"\\0"',
        "{a: b}",
    ],
)
def test_a_base_that_is_no_local_file_is_refused(tmp_path, named):
    path = written(tmp_path, config=f"_BASE_: {named}\n")
    with pytest.raises(SemtokError, match=r"_BASE_") as refused:
        configs.check(path, "config")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("named", ["config.yaml", "other.yaml"])
def test_a_file_that_builds_on_itself_is_refused(tmp_path, named):
    path = written(tmp_path, config=f"_BASE_: {named}\n", other="_BASE_: config.yaml\n")
    with pytest.raises(SemtokError, match=r"config.yaml: builds on itself \(_BASE_\)"):
        configs.check(path, "config")


@pytest.mark.parametrize(
    "text", ["a: [", "- 1\n", "", "a: b: c", "\x07", "[" * 5000, "a: 2001-99-99"]
)
def test_what_is_no_config_is_refused(tmp_path, text):
    with pytest.raises(SemtokError, match=r"config: .*: no config") as refused:
        configs.check(written(tmp_path, config=text), "config")
    assert "\n" not in str(refused.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(SemtokError, match="no config of plain values"):
        configs.check(path, "config")
