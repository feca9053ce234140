"""What open_clip reads by name, by the libraries that it reads it with."""

import json

import pytest
from huggingface_hub import constants, hf_hub_download
from transformers import AutoConfig, AutoTokenizer

from semtok.bench.outside_offline import check_text_tower, offline
from semtok.errors import SemtokError
from tests.bench import tiny_clip, tiny_hub
from tests.bench.tiny_hub import HUB_ID


@pytest.fixture
def hub(tmp_path, monkeypatch):
    with tiny_hub.served(tiny_clip.clip(tmp_path / "tower"), tmp_path / "c", monkeypatch) as hub:
        yield hub


def model(folder, text):
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": {"text_cfg": text}}))
    return folder


def test_a_text_tower_by_name_is_read_from_the_cache_and_nobody_is_asked(hub, tmp_path):
    mine = model(tmp_path / "mine", {"hf_model_name": HUB_ID})
    told = f"mine: its text tower is built as {HUB_ID}, .*; fetch it: hf download {HUB_ID} config"
    with pytest.raises(SemtokError, match=told):
        check_text_tower(mine)
    with offline(), pytest.raises(OSError, match="connect"):
        AutoConfig.from_pretrained(HUB_ID)
    assert not hub.asked
    hf_hub_download(HUB_ID, "config.json")
    hub.asked.clear()
    check_text_tower(mine)
    with offline():
        assert AutoConfig.from_pretrained(HUB_ID).model_type == "clip"
    assert not hub.asked
    AutoConfig.from_pretrained(HUB_ID)
    assert hub.asked, "or this would prove nothing"


def test_a_text_tokenizer_of_a_folder_asks_nobody(hub):
    with offline():
        assert AutoTokenizer.from_pretrained(hub.folder)("a red cat")["input_ids"]
    assert not hub.asked
    assert constants.HF_HUB_OFFLINE is False


@pytest.mark.parametrize("text", [{}, {"width": 16}, {"hf_model_name": ""}, [], None])
def test_other_text_towers_are_none_of_its_business(tmp_path, text):
    check_text_tower(model(tmp_path / "mine", text))


def test_a_text_tower_in_a_folder_is_there(tmp_path):
    tower = tiny_clip.clip(tmp_path / "tower")
    check_text_tower(model(tmp_path / "mine", {"hf_model_name": str(tower)}))


def test_a_damaged_file_is_left_to_open_clip(tmp_path):
    mine = model(tmp_path / "mine", {})
    (mine / "open_clip_config.json").write_text("{")
    check_text_tower(mine)
