"""The folder mlflow/ is configuration, and never what `import mlflow` finds."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "mlflow"

_PRINT = "import mlflow; print(mlflow.start_run.__module__, mlflow.__file__)"


@pytest.mark.slow
@pytest.mark.parametrize(
    "way",
    [
        ["-c", _PRINT],  # the root is first on the path
        ["-m", "timeit", "-n", "1", "-r", "1", "-s", _PRINT, "pass"],  # and here too
    ],
    ids=["-c", "-m"],
)
def test_import_mlflow_from_the_root_finds_the_library(way):
    done = subprocess.run(
        [sys.executable, *way], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "mlflow.tracking.fluent" in done.stdout
    assert str(FOLDER) not in done.stdout


@pytest.mark.slow
def test_import_mlflow_in_a_test_finds_the_library(tmp_path):
    # pytest puts the root on the path by the setting `pythonpath`, and -m does so as well.
    test = tmp_path / "test_it.py"
    test.write_text("def test_it():\n    import mlflow\n    assert callable(mlflow.start_run)\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), str(test)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_holds_configuration_alone():
    names = {each.name for each in FOLDER.iterdir()} - {".env"}
    assert names == {".gitignore", "README.md", "server.env", "docker-compose.yaml"}
    assert not (ROOT / "mlflow.py").exists()


@pytest.fixture
def compose() -> dict:
    return yaml.safe_load((FOLDER / "docker-compose.yaml").read_text())


def test_team_server_is_the_version_that_was_tested(compose):
    build = compose["services"]["mlflow"]["build"]["dockerfile_inline"]
    assert re.search(r"mlflow==(\S+)", build).group(1) == version("mlflow")


def test_images_are_pinned(compose):
    for service in compose["services"].values():
        image = service.get("image", "built:here")
        assert re.fullmatch(r"[\w/.-]+:[\w.]*[\d.]+|built:here", image), image


def test_no_secret_is_written_down_and_nothing_is_open(compose):
    services = compose["services"]
    for service in services.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY", name):
                assert re.fullmatch(r"\$\{[A-Z_0-9]+(:\?.+)?\}", value), name
    assert [name for name, service in services.items() if "ports" in service] == ["mlflow"]
    assert services["mlflow"]["ports"] == ["${MLFLOW_BIND:-127.0.0.1}:5000:5000"]


def test_volumes_and_files_that_are_named_exist(compose):
    mounted = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
    }
    assert mounted == set(compose["volumes"])
    assert (FOLDER / compose["services"]["mlflow"]["env_file"]).exists()
    for service in compose["services"].values():
        assert set(service.get("depends_on", [])) <= set(compose["services"])


def test_settings_are_variables_that_mlflow_knows():
    from mlflow import environment_variables

    lines = (FOLDER / "server.env").read_text().splitlines()
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    assert pairs
    for name, _, value in pairs:
        assert hasattr(environment_variables, name), name
        assert value
