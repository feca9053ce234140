"""Visual Genome's files are read row by row, and what is wrong with them is said."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from semtok.data import visual_genome
from semtok.data.visual_genome import FOLDER, RELATIONSHIPS, Image, Relationship
from semtok.errors import SemtokError
from tests.visual_genome_files import image, relationship, write

BOXES = st.tuples(*[st.integers(-5, 900)] * 4)
ROWS = st.dictionaries(
    st.integers(1, 10**7),
    st.lists(st.tuples(st.integers(0, 10**7), st.text(max_size=4), BOXES, BOXES), max_size=3),
    max_size=4,
)


@given(ROWS, st.sampled_from([None, 0, 2]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_as_they_were_written(tmp_path: Path, rows, indent):
    path = tmp_path / RELATIONSHIPS
    path.parent.mkdir(parents=True, exist_ok=True)
    document = [
        {"image_id": key, "relationships": [relationship(*row) for row in found]}
        for key, found in rows.items()
    ]
    path.write_text(json.dumps(document, indent=indent, ensure_ascii=indent is None) + "\n")
    found = dict(visual_genome.relationships(tmp_path))
    assert found == {key: [Relationship(*row) for row in given] for key, given in rows.items()}


def test_a_file_that_breaks_off_anywhere_is_no_file(tmp_path: Path):
    rows = [relationship(1, "ON", (1, 2, 3, 4), (5, 6, 7.5, 8)), relationship(2, "a, ]", *BOX2)]
    write(tmp_path, [], {1: rows, 2: []})
    path = tmp_path / RELATIONSHIPS
    whole = path.read_bytes()
    assert len(dict(visual_genome.relationships(tmp_path))) == 2
    for end in {0, 1, 9, *range(len(whole) - 1, 0, -7)}:
        path.write_bytes(whole[:end])
        with pytest.raises(SemtokError, match=r"relationships\.json: (no complete|holds no)"):
            dict(visual_genome.relationships(tmp_path))


BOX2 = ((0, 0, 9, 9), (3, 3, 9, 9))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.__setitem__(1, 3), r"\[1\]: expected an image_id and a list"),
        (lambda rows: rows[1].pop("relationships"), r"\[1\]: expected an image_id and a list"),
        (lambda rows: rows[1].update(image_id="7"), r"\[1\]: expected an image_id and a list"),
        (
            lambda rows: rows[1]["relationships"][1].pop("predicate"),
            r"\[1\]\.relationships\[1\]\.predicate: missing; expected a text",
        ),
        (
            lambda rows: rows[1]["relationships"][1].update(object=None),
            r"\[1\]\.relationships\[1\]\.object: None is not an object",
        ),
        (
            lambda rows: rows[1]["relationships"][0]["subject"].update(w="wide"),
            r"\[1\]\.relationships\.subject\[0\]\.w: 'wide' is not an integer of 64 bits or a num",
        ),
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, change, words):
    rows = [relationship(number, "on", *BOX2) for number in range(2)]
    write(tmp_path, [], {6: rows, 7: rows})
    document = json.loads((tmp_path / RELATIONSHIPS).read_text())
    change(document)
    (tmp_path / RELATIONSHIPS).write_text(json.dumps(document))
    with pytest.raises(SemtokError, match=rf"relationships\.json: {words}") as refused:
        dict(visual_genome.relationships(tmp_path))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"relationships": []}'])
def test_what_is_no_list_is_named(tmp_path: Path, content):
    write(tmp_path, [], {})
    (tmp_path / RELATIONSHIPS).write_bytes(content)
    with pytest.raises(SemtokError, match=r"relationships\.json: holds no list"):
        dict(visual_genome.relationships(tmp_path))


def test_what_is_not_there_is_named(tmp_path: Path):
    assert visual_genome.images(tmp_path) is None
    assert visual_genome.aliases(tmp_path) == {}
    with pytest.raises(SemtokError, match=r"relationships\.json: missing; put it there"):
        dict(visual_genome.relationships(tmp_path))


def test_images_are_cocos_in_a_size_of_their_own(tmp_path: Path):
    write(tmp_path, [image(2401, 7, 800, 600), image(2402, None, 500, 281)], {})
    assert visual_genome.images(tmp_path) == {2401: Image(7, 800, 600)}
    write(tmp_path, [image(2401, 7, 800, 600), image(2401, 8, 500, 281)], {})
    with pytest.raises(SemtokError, match=r"image_data\.json: an image_id comes twice"):
        visual_genome.images(tmp_path)


def test_the_first_of_a_line_of_aliases_stands_for_all(tmp_path: Path):
    text = "on,are on,ON TOP_OF\nin front of,on,in-front of\nwith\n\n , has\n"
    write(tmp_path, [], {}, aliases=text)
    assert visual_genome.aliases(tmp_path) == {
        "on": "on",
        "are on": "on",
        "on top of": "on",
        "in front of": "in front of",
        "with": "with",
        "has": "has",
    }
    (tmp_path / FOLDER / "relationship_alias.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(SemtokError, match=r"relationship_alias\.txt: no text"):
        visual_genome.aliases(tmp_path)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("ON", "on"),
        ("  sitting  on\n", "sitting on"),
        ("in-front_of.", "in front of"),
        ("à côté", "à côté"),
        ("...", ""),
    ],
)
def test_predicates_are_small_letters_and_words(written, name):
    assert visual_genome.normal(written) == name
