"""Captions are embedded once, and of many no more are held than is said."""

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from semtok.bench import remembered
from semtok.bench.remembered import RememberedTexts
from semtok.events import Progress, ignore


def vector_of(caption):
    return np.random.default_rng([*caption.encode()]).normal(size=3).astype(np.float32)


class Encoder:
    """Embeds captions, and knows which of its batches somebody still holds."""

    def __init__(self):
        self.captions, self.batches = [], []
        self.held = 0

    def __call__(self, captions):
        self.captions += captions
        batch = np.stack([vector_of(each) for each in captions])
        self.batches.append((weakref.ref(batch), len(batch)))
        self.held = max(self.held, self.rows())
        return torch.from_numpy(batch)

    def rows(self):
        return sum(count for batch, count in self.batches if batch() is not None)


@given(
    st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=30), min_size=1, max_size=5),
    st.integers(1, 9),
    st.integers(1, 5),
)
def test_vectors_are_those_of_their_captions(calls, most, batch):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(remembered, "REMEMBERED", most)
        texts, encode = RememberedTexts(), Encoder()
        for numbers in calls:
            captions = [f"caption {each}" for each in numbers]
            found = texts.get(captions, encode, batch, ignore)
            np.testing.assert_array_equal(found, np.stack([vector_of(each) for each in captions]))
            assert len(texts._vectors) <= most


def test_one_call_holds_no_more_than_is_remembered_and_a_batch(monkeypatch):
    """Beside what it returns; a part of a batch must not hold the whole of it."""
    monkeypatch.setattr(remembered, "REMEMBERED", 7)
    texts, encode, held = RememberedTexts(), Encoder(), []

    def emit(event):
        assert isinstance(event, Progress)
        held.append(encode.rows() + len(texts._vectors))

    captions = [f"caption {n}" for n in range(50)]
    texts.get(captions, encode, 4, emit)
    assert max(held) <= 7 + 4
    assert encode.rows() == 0, "what is remembered are copies"
    assert len(encode.captions) == 50


def test_the_latest_are_remembered_and_of_too_many_the_first(monkeypatch):
    monkeypatch.setattr(remembered, "REMEMBERED", 6)
    texts, encode = RememberedTexts(), Encoder()

    def asks(names):
        encode.captions.clear()
        texts.get([*names], encode, 2, ignore)
        return "".join(encode.captions)

    assert asks("abcab") == "abc"
    assert asks("cde") == "de"
    assert asks("xy") == "xy"  # and a was not asked for longest
    assert asks("bcdexy") == ""
    assert asks("a") == "a"
    assert asks("mnopqrstu") == "mnopqrstu"
    assert asks("mnopqrstu") == "stu", "else a split of more would never find any"
