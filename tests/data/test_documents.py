"""Readers of annotation files: what they accept, and what they say of damaged ones."""

import gc
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semtok.data import documents
from semtok.errors import SemtokError

PATH = Path("annotations/some.json")


def test_fields_are_read_column_by_column():
    document = {"images": [{"id": 1, "name": "a", "more": 0}, {"id": 2, "name": "b"}]}
    assert documents.columns(PATH, document, "images", {"id": int, "name": str}) == [
        [1, 2],
        ["a", "b"],
    ]
    assert documents.columns(PATH, {"images": []}, "images", {"id": int}) == [[]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"id": 1}, {}], r"some.json: images\[1\].id: missing; expected an integer of 64 bits"),
        ([{"id": "1"}], r"images\[0\].id: '1' is not an integer"),
        ([{"id": True}], r"images\[0\].id: True is not an integer"),
        ([{"id": 1.0}], r"images\[0\].id: 1.0 is not an integer"),
        ([{"id": 2**63}], r"images\[0\].id: 9223372036854775808 is not an integer"),
        ([{"id": None}], r"images\[0\].id: None is not an integer"),
        ([7], r"images\[0\]: expected an object"),
        (["id"], r"images\[0\]: expected an object"),
        ({"id": 1}, "images: expected a list"),
        (None, "images: expected a list"),
    ],
)
def test_the_first_bad_row_is_named(rows, message):
    with pytest.raises(SemtokError, match=message):
        documents.columns(PATH, {"images": rows}, "images", {"id": int})


@pytest.mark.parametrize("text", ["nice \ud83d", "\udce9.png", "\ude00\ud83d", "a" * 50 + "\ud800"])
def test_a_text_that_no_table_can_hold_is_named(tmp_path, text):
    write(tmp_path, "some.json", {"rows": [{"name": "é \U0001f600"}, {"name": 7}, {"name": text}]})
    document = documents.read_json(tmp_path / "annotations/some.json")
    fault = (
        r"some.json: rows\[2\].name: '.* has half of a surrogate pair in it; correct it or the file"
    )
    with pytest.raises(SemtokError, match=fault) as caught:
        documents.columns(PATH, document, "rows", {"name": (str, int)})
    assert str(caught.value).isascii()


@given(st.lists(st.text(st.characters(exclude_categories=()))))
def test_any_text_that_utf8_has_is_read_and_no_other(texts):
    rows = [{"a": text} for text in texts]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        with pytest.raises(SemtokError, match="half of a surrogate pair"):
            documents.columns(PATH, {"rows": rows}, "rows", {"a": str})
    else:
        assert documents.columns(PATH, {"rows": rows}, "rows", {"a": str}) == [texts]


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([]) | st.just({})
)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), VALUES) | VALUES))
def test_any_rows_are_read_or_refused_in_one_line(rows):
    try:
        first, second = documents.columns(
            PATH, {"rows": rows}, "rows", {"a": int, "b": (str, list)}
        )
    except SemtokError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(f"{PATH}: rows[")
    else:
        assert [{"a": a, "b": b} for a, b in zip(first, second, strict=True)] == rows


def test_a_missing_file_and_one_cut_off_say_what_to_do(tmp_path):
    path = tmp_path / "captions.json"
    with pytest.raises(SemtokError, match=r"captions.json: missing; "):
        documents.read_json(path)
    whole = json.dumps({"images": [{"id": 1, "file_name": "äé"}]}, ensure_ascii=False).encode()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(SemtokError, match=r"no complete JSON .*; download it again") as caught:
            documents.read_json(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(b"[]")
    with pytest.raises(SemtokError, match="holds no object; expected an object"):
        documents.read_json(path)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(st.characters(exclude_categories=())),  # halves of surrogate pairs, too
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(JSON, max_size=4), st.booleans())
def test_whatever_json_reads_is_read(tmp_path_factory, rows, ascii_only):
    path = tmp_path_factory.mktemp("json") / "some.json"
    text = json.dumps(rows, ensure_ascii=ascii_only)
    path.write_bytes(text.encode(errors="surrogatepass"))
    try:
        expected = json.loads(path.read_bytes())
    except UnicodeDecodeError:
        with pytest.raises(SemtokError, match="no complete JSON"):
            documents.read_json(path, list)
    else:
        assert repr(documents.read_json(path, list)) == repr(expected)


def test_large_files_are_read_by_what_needs_less_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "_QUICK", 1)
    monkeypatch.setattr("orjson.loads", lambda content: pytest.fail("orjson was asked"))
    write(tmp_path, "some.json", {"a": [1, 2.5]})
    assert documents.read_json(tmp_path / "annotations/some.json") == {"a": [1, 2.5]}


def test_the_collector_is_paused_and_left_as_it_was():
    for was_on in (True, False):
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(KeyError), documents.collector_paused():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is was_on
    gc.enable()


def write(root: Path, name: str, document: object) -> None:
    path = root / "annotations" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
