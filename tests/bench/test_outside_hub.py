"""Models of a hub that speaks as the real one does: what is fetched, kept, and refused."""

import json
import shutil
import sys

import pyarrow as pa
import pytest
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from semtok.bench.outside_folders import of_folder
from semtok.bench.outside_hub import of_hub
from semtok.bench.outside_scoring import score
from semtok.data.index import CAPTIONS, SIBLINGS, TRUTH, Annotations
from semtok.errors import SemtokError
from semtok.events import Progress, ignore
from tests.bench import tiny_clip, tiny_hub
from tests.bench.tiny_hub import COMMIT, HUB_ID

SMALL = {"config.json", "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model beside all that a model of the hub may have and nothing reads."""
    folder = tiny_clip.clip(tmp_path_factory.mktemp("hub") / "model")
    for name in ("pytorch_model.bin", "README.md", "model.fp16.safetensors", "onnx/model.onnx"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"not asked for")
    (folder / "onnx/config.json").write_text("{}")
    return folder


@pytest.fixture
def hub(model, tmp_path, monkeypatch):
    with tiny_hub.served(model, tmp_path / "cache", monkeypatch) as hub:
        yield hub


def fetched(hub):
    files = f"/{HUB_ID}/resolve/{COMMIT}/"
    return {path.removeprefix(files) for how, path in hub.asked if how == "GET" and files in path}


def refused(fault, revision=COMMIT, hub_id=HUB_ID):
    with pytest.raises(SemtokError, match=fault) as caught:
        of_hub(hub_id, revision, ignore).read()
    assert "\n" not in str(caught.value)


def test_scores_are_those_of_the_folder_and_a_second_run_asks_nobody(
    hub, model, image_files, tmp_path
):
    root = tmp_path / "root"
    images = {"test": image_files(root, tiny_clip.pictures(root, 6))}
    rows = [(n, 1 + n // 2, f"a cat and {n} mats") for n in range(12)]
    captions = pa.table([*map(list, zip(*rows, strict=True))], CAPTIONS.columns)
    empty = (schema.columns.empty_table() for schema in (TRUTH, SIBLINGS))
    asked = images, Annotations(captions, *empty), ["retrieval"]
    wanted = score(of_folder(model), *asked, tmp_path / "folder")
    told = []
    found = score(of_hub(HUB_ID, COMMIT, told.append), *asked, tmp_path / "hub", None, told.append)
    assert found.equals(wanted)
    facts = json.loads((tmp_path / "hub/model.json").read_text())
    assert (facts["hub"], facts["revision"]) == (HUB_ID, COMMIT)
    assert fetched(hub) == {*SMALL, "model.safetensors"}
    size = (model / "model.safetensors").stat().st_size
    assert Progress("fetching the weights", size, size, "bytes") in told
    hub.stop()
    again = score(of_hub(HUB_ID, COMMIT, told.append), *asked, tmp_path / "again")
    assert again.equals(wanted)
    assert (tmp_path / "again/model.json").read_bytes() == (
        tmp_path / "hub/model.json"
    ).read_bytes()


def test_a_connection_that_breaks_off_is_mended(hub):
    hub.cut = "model.safetensors"
    of_hub(HUB_ID, COMMIT, ignore).read()
    assert [path for how, path in hub.asked if how == "GET" and path.endswith(".safetensors")] == [
        f"/{HUB_ID}/resolve/{COMMIT}/model.safetensors"
    ] * 2


def test_weights_in_parts_are_fetched_whole(hub, tmp_path):
    hub.folder = shutil.copytree(hub.folder, tmp_path / "parts")
    weights = load_file(hub.folder / "model.safetensors")
    (hub.folder / "model.safetensors").unlink()
    names = sorted(weights)
    parts = [names[::2], names[1::2]]
    files = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    for file, part in zip(files, parts, strict=True):
        save_file({name: weights[name] for name in part}, hub.folder / file, {"format": "pt"})
    place = {name: file for file, part in zip(files, parts, strict=True) for name in part}
    index = hub.folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": place}))
    of_hub(HUB_ID, COMMIT, ignore).read()
    assert fetched(hub) == {*SMALL, index.name, *files}


def test_of_open_clip_its_own_weights_are_fetched(hub, tmp_path, monkeypatch):
    hub.folder = tmp_path / "open"
    hub.folder.mkdir()
    for name in ("open_clip_config.json", "config.json"):  # timm's, which names no kind of model
        (hub.folder / name).write_text(json.dumps({"of": name}))
    for name in ("open_clip_model.safetensors", "model.safetensors", "open_clip_model.bin"):
        (hub.folder / name).write_text(name)
    monkeypatch.setitem(sys.modules, "open_clip", None)
    refused("scoring it needs open_clip, which needs torchvision")
    assert fetched(hub) == {"open_clip_config.json", "config.json", "open_clip_model.safetensors"}


@pytest.mark.parametrize(
    ("hub_id", "revision", "fault"),
    [
        (HUB_ID, "", f"main is commit {COMMIT} today and may move; .*: revision: {COMMIT}$"),
        (HUB_ID, "main", f"main is commit {COMMIT} today"),
        (HUB_ID, COMMIT[:7], f"has no revision {COMMIT[:7]}; its commits: http://.*/commits/main"),
        (HUB_ID, "0" * 40, "has no revision 00000000"),
        ("some/other", COMMIT, "some/other: is not at http://127.* or private; .*hf auth login"),
        ("models/of/mine", COMMIT, "models/of/mine: is no id of the hub; write OWNER/NAME"),
    ],
)
def test_what_the_hub_does_not_have_is_refused_by_name(hub, hub_id, revision, fault):
    refused(fault, revision, hub_id)


def test_a_gated_model_asks_for_a_token_and_takes_it(hub, monkeypatch):
    hub.gated = True
    refused("is gated; accept its terms at http://.*/someone/tiny-clip, .* HF_TOKEN=hf_")
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    assert of_hub(HUB_ID, COMMIT, ignore).read().facts()["model"] == "CLIPModel"


def test_a_model_without_safetensors_is_refused_and_nothing_is_unpickled(hub, tmp_path):
    hub.folder = shutil.copytree(hub.folder, tmp_path / "pickled")
    (hub.folder / "model.safetensors").unlink()
    refused(f"has no model.safetensors at {COMMIT[:7]}, and others are not unpickled")
    assert fetched(hub) == SMALL


@pytest.fixture
def impatient(monkeypatch):
    """The client tries again and again for half a minute: here at once."""
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda seconds: None)


def test_without_a_network_it_says_what_is_missing(hub, monkeypatch, impatient):
    hub.stop()
    for revision in (COMMIT, "main"):
        refused(r"is not whole in .*cache, and http://127.* cannot be reached \(", revision)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(r"cannot be reached \(OfflineModeIsEnabled\); check .* HF_HUB_OFFLINE")


def test_what_is_fetched_by_half_is_no_model(hub, impatient):
    hub.broken = "model.safetensors"
    refused("http://127.* answers 500; try again")
    hub.stop()
    refused(r"is not whole in .* cannot be reached \(")


def test_a_cache_that_cannot_be_written_is_named(hub, tmp_path):
    (tmp_path / "cache").write_text("a file where a folder should be")
    refused(r"cannot be written into .*cache \(")


def test_without_the_client_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    refused(r"scoring it needs .*pip install -c constraints.txt -e '\.\[clip\]'")
