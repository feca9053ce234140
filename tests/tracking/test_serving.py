"""The registered models, loaded and served as MLflow does it for anyone."""

import base64
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from semtok.predict import Prediction, predict
from semtok.tracking.sync import sync
from semtok.workspace import Workspace
from tests.tracking.served import served

pytestmark = pytest.mark.slow

HEIGHT, WIDTH = 20, 30
TEXTS = ["a red box", "a dog on a mat"]
MASKS = [
    {"size": [HEIGHT, WIDTH], "counts": [20, 200, 380]},
    [[15, 2, 28, 2, 28, 18, 15, 18]],
]
RELATIONS = [[0, "on", 1]]


@pytest.fixture(scope="module")
def jpeg(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("image") / "one.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def models(line, mlflow_server, tmp_path_factory) -> dict[str, str]:
    """Variant -> address of its registered model, at the session's server."""
    root = tmp_path_factory.mktemp("served")
    shutil.copytree(line / "artifacts" / "scenes", root / "artifacts" / "served")
    done = sync(Workspace(root, "served"), address=mlflow_server)
    return {
        variant: f"models:/{done.model}/{done.versions[f'{variant} seed 0']}"
        for variant in ("vit", "semantic")
    }


@pytest.fixture(scope="module")
def downloaded(models, mlflow_server, tmp_path_factory) -> dict[str, Path]:
    """Variant -> the model's files."""
    import mlflow

    mlflow.set_tracking_uri(mlflow_server)
    mlflow.set_registry_uri(mlflow_server)
    found = {}
    for variant, address in models.items():
        folder = tmp_path_factory.mktemp(variant)
        found[variant] = Path(mlflow.artifacts.download_artifacts(address, dst_path=str(folder)))
    return found


def expected(line: Path, variant: str, jpeg: bytes, **found: Any) -> Prediction:
    folder = line / "artifacts" / "scenes" / "checkpoint" / variant / "seed-0"
    return predict(folder, [jpeg], TEXTS, **found)


def assert_same(row: dict[str, Any], wanted: Prediction) -> None:
    np.testing.assert_allclose(row["image_embedding"], wanted.images[0], atol=1e-5)
    np.testing.assert_allclose(row["text_embeddings"], wanted.texts, atol=1e-5)
    np.testing.assert_allclose(row["similarities"], wanted.similarities[0], atol=1e-5)


@pytest.mark.parametrize("variant", ["vit", "semantic"])
def test_nothing_is_pickled_and_the_files_are_those_of_the_checkpoint(downloaded, line, variant):
    model = yaml.safe_load((downloaded[variant] / "MLmodel").read_text())
    flavor = model["flavors"]["python_function"]
    assert (downloaded[variant] / Path(flavor["model_code_path"]).name).exists()
    assert "python_model" not in flavor
    files = [each for each in downloaded[variant].rglob("*") if each.is_file()]
    assert not [each for each in files if each.suffix in (".pkl", ".pickle", ".pt", ".pth", ".bin")]
    assert (downloaded[variant] / flavor["code"] / "semtok" / "predict.py").exists()
    folder = line / "artifacts" / "scenes" / "checkpoint" / variant / "seed-0"
    kept = downloaded[variant] / flavor["artifacts"]["checkpoint"]["path"]
    for path in folder.iterdir():
        assert (kept / path.name).read_bytes() == path.read_bytes()
    columns = json.loads(model["signature"]["inputs"])
    assert [each["name"] for each in columns] == ["image", "texts", "masks", "relations"]
    requirements = (downloaded[variant] / "requirements.txt").read_text().splitlines()
    assert all("==" in each for each in requirements)


@pytest.mark.parametrize("variant", ["vit", "semantic"])
def test_answers_its_own_example(downloaded, variant):
    import mlflow

    loaded = mlflow.pyfunc.load_model(str(downloaded[variant]))
    (row,) = loaded.predict(loaded.input_example)
    assert len(row["similarities"]) == 2
    assert np.isfinite(row["image_embedding"]).all()


def test_loaded_vit_is_predict(downloaded, line, jpeg):
    import mlflow
    import pandas as pd

    loaded = mlflow.pyfunc.load_model(str(downloaded["vit"]))
    table = pd.DataFrame([{"image": base64.b64encode(jpeg).decode(), "texts": TEXTS}])
    (row,) = loaded.predict(table)
    assert_same(row, expected(line, "vit", jpeg))


@pytest.fixture(scope="module")
def semantic(models, mlflow_server, tmp_path_factory):
    with served(models["semantic"], mlflow_server, tmp_path_factory.mktemp("serving")) as model:
        yield model


@pytest.fixture(scope="module")
def row(jpeg) -> Callable[..., dict[str, Any]]:
    def make(**columns: Any) -> dict[str, Any]:
        return {"image": base64.b64encode(jpeg).decode(), "texts": TEXTS, **columns}

    return make


def test_served_semantic_is_predict(semantic, line, jpeg, row):
    (answer,) = semantic.ask([row(masks=MASKS, relations=RELATIONS)])
    assert_same(answer, expected(line, "semantic", jpeg, masks=[MASKS], relations=[RELATIONS]))


def test_rows_may_lack_an_image_or_captions_or_relations(semantic, line, jpeg, row):
    answers = semantic.ask(
        [
            {"image": None, "texts": TEXTS},
            row(masks=MASKS, texts=[]),
            row(masks=[], texts=TEXTS[:1]),
        ]
    )
    wanted = expected(line, "semantic", jpeg, masks=[MASKS])
    assert answers[0]["image_embedding"] is None
    assert answers[0]["similarities"] == []
    np.testing.assert_allclose(answers[0]["text_embeddings"], wanted.texts, atol=1e-5)
    np.testing.assert_allclose(answers[1]["image_embedding"], wanted.images[0], atol=1e-5)
    assert answers[1]["text_embeddings"] == []
    whole = expected(line, "semantic", jpeg, masks=[[]])
    np.testing.assert_allclose(answers[2]["similarities"], whole.similarities[0, :1], atol=1e-5)


def test_without_masks_it_says_what_it_needs(semantic, row):
    message = semantic.refused(row(masks=MASKS), row())
    assert "row 1: this model reads masks" in message
    assert "RLE" in message


def test_paths_are_not_accepted(semantic, row, tmp_path, jpeg):
    path = tmp_path / "one.jpg"
    path.write_bytes(jpeg)
    for text in (str(path), path.as_uri(), base64.b64encode(str(path).encode()).decode()):
        assert "JPEG or PNG" in semantic.refused(row(image=text, masks=MASKS))


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"image": 5}, "row 0: image: give the bytes of a JPEG or PNG file as base64"),
        ({"image": base64.b64encode(b"BM" + bytes(60)).decode()}, "row 0: not a readable JPEG"),
        ({"texts": "a caption"}, "row 0: texts: give a list of strings"),
        ({"texts": {"a": "caption"}}, "row 0: texts: give a list of strings"),
        ({"texts": 5}, "row 0: texts: give a list of strings"),
        ({"texts": [1]}, "row 0: texts: give a list of strings"),
        ({"texts": ["a caption", None]}, "row 0: texts: give a list of strings"),
        ({"texts": [["a caption"]]}, "row 0: texts: give a list of strings"),
        ({"texts": ["\ud800"]}, "caption 0: holds a lone surrogate"),
        ({"masks": [[[10**400, 0, 99, 0, 99, 9]]]}, "row 0: masks[0]: a polygon's coordinate"),
        ({"masks": "all"}, "row 0: masks: give a list"),
        ({"masks": [[[0, 0, 99, 0, 99, 9]]]}, "row 0: masks[0]: outside its image"),
        ({"relations": [[0, "on", 2]]}, "row 0: relations[0]: give [subject, predicate, object]"),
        ({"relations": [[True, "on", 0]]}, "row 0: relations[0]: give [subject, predicate, obj"),
        ({"relations": {}}, "row 0: relations: give a list"),
    ],
)
def test_a_faulty_request_is_answered_with_its_fault(semantic, row, columns, fault):
    assert fault in semantic.refused(row(**{"masks": MASKS, **columns}))


def test_an_empty_request_is_answered_with_what_to_give(semantic):
    for rows in ([], [{}], [{"picture": "x"}], [{"image": None}]):
        assert "give `image`, `texts`" in semantic.refused(*rows)
