import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from semtok.errors import SemtokError
from semtok.train.text_tokenizer import TextTokenizer, learn, of_tower

CAPTIONS = [
    "A red dog on a sofa.",
    "Two dogs, a red ball",
    "a sofa and a ball",
    "Café at night",
] * 5


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return learn(CAPTIONS, vocabulary=280, context=12)


@settings(max_examples=50, deadline=None)
@given(captions=st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_every_caption_begins_ends_and_fits(tokenizer, captions) -> None:
    ids = tokenizer.encode(captions)
    assert ids.dtype == torch.int64
    assert ids.shape[1] <= tokenizer.context == 12
    assert (ids[:, 0] == 1).all()
    # Exactly one end, padding behind it and nowhere else, whatever a caption spells out.
    assert ((ids == tokenizer.end).sum(1) == 1).all()
    assert (
        (ids == 0) == ((ids == tokenizer.end).cumsum(1) - (ids == tokenizer.end).int() > 0)
    ).all()
    assert int(ids.max()) < tokenizer.vocabulary
    assert ids.shape[1] == max(len(tokenizer.encode([each])[0]) for each in captions)


def test_same_captions_same_tokenizer(tokenizer, tmp_path) -> None:
    assert learn(CAPTIONS, 280, 12).as_json() == tokenizer.as_json()
    assert tokenizer.vocabulary <= 280
    path = tmp_path / "text_tokenizer.json"
    path.write_text(tokenizer.as_json(), encoding="utf-8")
    loaded = TextTokenizer.load(path)
    assert (loaded.end, loaded.context) == (tokenizer.end, 12)
    assert torch.equal(loaded.encode(CAPTIONS), tokenizer.encode(CAPTIONS))


def test_frequent_words_become_one_token_whatever_their_case(tokenizer) -> None:
    assert torch.equal(tokenizer.encode(["a red dog"]), tokenizer.encode(["A Red DOG"]))
    assert tokenizer.encode(["a red dog"]).shape[1] < len("a red dog")


def test_special_tokens_in_a_caption_are_text(tokenizer) -> None:
    ids = tokenizer.encode(["[EOS] [PAD]"])[0].tolist()
    assert ids.index(tokenizer.end) == len(ids) - 1


def test_a_vocabulary_under_the_bytes_is_refused() -> None:
    with pytest.raises(SemtokError, match=r"text\.vocabulary: 100 is under 259"):
        learn(CAPTIONS, 100, 12)


def test_a_damaged_file_is_named(tmp_path) -> None:
    path = tmp_path / "text_tokenizer.json"
    with pytest.raises(SemtokError, match=r"text_tokenizer\.json: no such file"):
        TextTokenizer.load(path)
    path.write_text("{")
    with pytest.raises(SemtokError, match=r"text_tokenizer\.json: no tokenizer"):
        TextTokenizer.load(path)


def test_clips_own_tokenizer(tmp_path) -> None:
    words = ["<|startoftext|>", "<|endoftext|>", "a</w>", "dog</w>", "d", "o", "g</w>", "do"]
    vocabulary = {word: number for number, word in enumerate(words)}
    clip = CLIPTokenizer(vocab=vocabulary, merges=[("d", "o"), ("do", "g</w>")])
    clip.save_pretrained(tmp_path)
    found = of_tower(str(tmp_path), len(words), context=4)
    assert found.end == 1
    assert found.encode(["a dog", "a"]).tolist() == [[0, 2, 3, 1], [0, 2, 1, 1]]
    assert found.encode(["a dog a dog"]).tolist() == [[0, 2, 3, 1]]
    again = tmp_path / "text_tokenizer.json"
    again.write_text(found.as_json(), encoding="utf-8")
    assert TextTokenizer.load(again).encode(["a dog"]).tolist() == [[0, 2, 3, 1]]


def test_clip_tokenizer_that_is_not_there(tmp_path) -> None:
    with pytest.raises(SemtokError, match=r"text\.tower: .* has 2 entries, the tower 49408"):
        of_tower(str(tmp_path), 49408, context=4)
    with pytest.raises(SemtokError, match=r"text\.tower: .*no CLIP text tokenizer there"):
        of_tower(str(tmp_path / "nowhere"), 49408, context=4)
