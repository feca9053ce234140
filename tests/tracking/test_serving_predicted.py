"""A registered model that brings its trained extractor along, given raw images over HTTP."""

import base64
import hashlib
import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from semtok import params_file, pipeline
from semtok.bench.embedding import Model
from semtok.data.index import split_images
from semtok.extract.crossfit import folds_of
from semtok.extract.raw import RawExtractor
from semtok.params import ExtractorSettings
from semtok.predict import predict
from semtok.tracking.sync import sync
from semtok.workspace import Workspace
from tests import small_line
from tests.test_predicted import VARIANT, predicted
from tests.tracking.served import Served, served

pytestmark = pytest.mark.slow

TEXTS = ["a man pulling a cart", "two cats"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Workspace:
    """The line up to the tokens of test and a model of predicted masks and relations."""
    params = yaml.safe_load((small_line.REPOSITORY / "params.yaml").read_text())
    params["variants"] = {"vit": params["variants"]["vit"]}
    predicted(small_line.shrunk(params))
    params["data"]["name"] = "raw"
    params["train"]["seeds"] = [0]
    workspace = small_line.start(tmp_path_factory.mktemp("predicted") / "line", params)
    wanted = (("checkpoint", VARIANT), ("token_shards", "semantic_predicted-test"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")  # nobody: it trains untracked
        for key in pipeline.upstream(params_file.load(workspace.root / "params.yaml"), *wanted):
            small_line.run(workspace.root, *key)
    return workspace


@pytest.fixture(scope="module")
def model(trained, mlflow_server, tmp_path_factory):
    """It, registered, and served where there is no project."""
    done = sync(trained, address=mlflow_server)
    address = f"models:/{done.model}/{done.versions[f'{VARIANT} seed 0']}"
    elsewhere = trained.root.with_name("elsewhere")
    shutil.move(trained.root / "artifacts", elsewhere)
    with served(address, mlflow_server, tmp_path_factory.mktemp("serving")) as running:
        shutil.move(elsewhere, trained.root / "artifacts")
        yield running


@pytest.fixture(scope="module")
def images(trained) -> dict[int, bytes]:
    """The files of test, by image id."""
    test, root = split_images(trained.input("index"), "test"), trained.input("images")
    ids, paths = (test[name].to_pylist() for name in ("image_id", "path"))
    return {each: (root / path).read_bytes() for each, path in zip(ids, paths, strict=True)}


def ask(model: Served, *images: bytes) -> np.ndarray:
    answers = model.ask([{"image": base64.b64encode(each).decode()} for each in images])
    return np.array([each["image_embedding"] for each in answers])


def training(trained: Workspace) -> Path:
    return trained.input("checkpoint", VARIANT) / "seed-0"


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_it_is_predict_with_the_networks_of_the_line(model, trained, images):
    settings = params_file.load(trained.root / "params.yaml").extractors["predicted"]
    assert settings == ExtractorSettings("detector", "relation_model", settings.settings)
    networks = {
        "masks": trained.input("detector", "study"),
        "scene_graphs": trained.input("relation_model", "study"),
    }
    extractor = RawExtractor(settings, networks)
    files = [*images.values()]
    wanted = predict(training(trained), files, TEXTS, extractor=extractor)
    np.testing.assert_allclose(ask(model, *files), wanted.images, atol=1e-5)
    (answer,) = model.ask([{"image": base64.b64encode(files[0]).decode(), "texts": TEXTS}])
    np.testing.assert_allclose(answer["similarities"], wanted.similarities[0], atol=1e-5)
    nothing = predict(training(trained), files, TEXTS, [[]] * len(files))
    assert np.abs(wanted.images - nothing.images).max(axis=1).min() > 1e-4


def test_where_the_fold_is_the_rows_own_the_embedding_is_that_of_its_scores(model, trained, images):
    loaded = Model(training(trained))
    shards = loaded.open_shards(trained.input("token_shards", "semantic_predicted-test"))
    scored = loaded.embed_images(shards).numpy()
    row_of = {each: number for number, each in enumerate(shards.image_ids.tolist())}
    folds = len([*trained.input("detector", "study").glob("fold-*")])
    alike = []
    for image_id, data in images.items():
        own, of_bytes = folds_of(
            np.array([image_id, int.from_bytes(hashlib.sha256(data).digest()[:7])]), folds
        )
        if own == of_bytes:
            alike.append(image_id)
    assert alike
    answers = ask(model, *(images[each] for each in alike))
    np.testing.assert_allclose(answers, scored[[row_of[each] for each in alike]], atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (700, 2), (2000, 1500)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_any_picture_is_answered(model, size, mode):
    (answer,) = ask(model, png(Image.new(mode, size, 128 if mode == "L" else (9, 99, 199))))
    assert np.linalg.norm(answer) == pytest.approx(1, abs=1e-4)


def test_many_at_once_and_several_clients_are_answered_alike(model, images):
    files = [*images.values()]
    together = ask(model, *files)
    with ThreadPoolExecutor(2) as clients:
        alone = list(clients.map(lambda data: ask(model, data)[0], files * 3))
    np.testing.assert_allclose(alone, np.concatenate([together] * 3), atol=1e-5)


def test_relations_without_masks_are_refused(model, images):
    image = base64.b64encode(next(iter(images.values()))).decode()
    for relations, fault in (([[0, "on", 1]], "0 given masks"), ({}, "give a list")):
        assert fault in model.refused({"image": image, "relations": relations})
