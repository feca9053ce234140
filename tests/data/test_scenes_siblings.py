"""Siblings: what they share, what tells them apart, and what words alone are worth."""

import json
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semtok.data.scenes import Settings, write
from semtok.data.scenes.scene import Relation, Scene, Thing
from semtok.data.scenes.siblings import Pair, pair
from semtok.data.scenes.swaps import KINDS, swaps
from semtok.errors import SemtokError

_LOOKS = {"colour", "texture", "size"}


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [pair(2, index, 64) for index in range(4 * len(KINDS))]


def _things(of: Pair, which: str) -> list[Thing]:
    return list(getattr(of, which).scene.things)


def test_kinds_take_turns(pairs: list[Pair]) -> None:
    assert Counter(each.kind for each in pairs) == dict.fromkeys(KINDS, 4)


def test_siblings_show_the_same_things_on_the_same_backdrop(pairs: list[Pair]) -> None:
    for each in pairs:
        assert each.first.scene.backdrop == each.second.scene.backdrop
        assert each.first.scene.relations == each.second.scene.relations
        seen = [
            Counter(segment.name for segment in side.observation.segments)
            for side in (each.first, each.second)
        ]
        assert seen[0] == seen[1]
        assert (each.first.image != each.second.image).any()


def test_two_things_differ_and_the_rest_is_left_alone(pairs: list[Pair]) -> None:
    for each in pairs:
        both = zip(_things(each, "first"), _things(each, "second"), strict=True)
        changed = [(a, b) for a, b in both if a != b]
        assert len(changed) == 2
        (a, new_a), (b, new_b) = changed
        if each.kind in _LOOKS:
            assert (new_a.category, new_b.category) == (a.category, b.category)
            for look in _LOOKS:
                was, now = (
                    (getattr(x, look), getattr(y, look)) for x, y in ((a, b), (new_a, new_b))
                )
                assert now == (was[::-1] if look == each.kind else was)
        elif each.kind == "roles":
            assert (new_a.category, new_b.category) == (b.category, a.category)
            assert (new_a.colour, new_b.texture) == (b.colour, a.texture)
            assert (new_a.pose, new_b.pose) == (a.pose, b.pose)
        else:
            assert (new_a.x, new_a.y, new_b.x, new_b.y) == (b.x, b.y, a.x, a.y)
            assert (new_a.category, new_a.colour) == (a.category, a.colour)


def _words(text: str) -> list[str]:
    return sorted(text.lower().replace(".", "").split())


def test_captions_are_the_same_words_in_another_order(pairs: list[Pair]) -> None:
    for each in pairs:
        assert each.first_caption != each.second_caption
        assert _words(each.first_caption) == _words(each.second_caption)
        assert each.first_caption[0].isupper() and each.first_caption.endswith(".")


def test_captions_of_a_swapped_look_name_both_looks(pairs: list[Pair]) -> None:
    for each in pairs:
        if each.kind in _LOOKS:
            both = zip(_things(each, "first"), _things(each, "second"), strict=True)
            (a, _), (b, _) = [(a, b) for a, b in both if a != b]
            for thing in (a, b):
                assert getattr(thing, each.kind) in _words(each.first_caption)


def test_a_pair_is_a_pure_function_of_seed_and_index() -> None:
    one, again, other = pair(0, 3, 48), pair(0, 3, 48), pair(1, 3, 48)
    assert (one.first.scene, one.second.scene) == (again.first.scene, again.second.scene)
    assert one.first_caption == again.first_caption
    assert one.first.scene != other.first.scene
    assert np.array_equal(one.second.image, again.second.image)


def test_every_swap_is_of_two_different_things() -> None:
    found = [swap for kind in KINDS for swap in swaps(kind, pair(0, 0, 32).first.scene)]
    assert found
    for swap in found:
        i, j = swap.places
        assert swap.scene.things[i].category != swap.scene.things[j].category
        assert all(one != other for one, other in swap.facts)


def _scene(names: tuple[str, ...], *relations: Relation, **look: object) -> Scene:
    plain = {"colour": "red", "second": "blue", "texture": "plain", "size": "medium"}
    things = tuple(
        Thing(name, **(plain | look), x=0.3 + 0.3 * n, y=0.8, scale=0.2)  # type: ignore[arg-type]
        for n, name in enumerate(names)
    )
    return Scene(64, (), things, relations, light=0)


def test_roles_are_exchanged_by_those_that_can_play_both() -> None:
    chase, hold = Relation(0, "chasing", 1), Relation(0, "holding", 1)
    (swap,) = swaps("roles", _scene(("dog", "cow"), chase))
    assert [thing.category for thing in swap.scene.things] == ["cow", "dog"]
    assert not swaps("roles", _scene(("dog", "suitcase"), chase))
    assert not swaps("roles", _scene(("dog", "dog"), chase))
    (swap,) = swaps("roles", _scene(("boy", "apple", "girl"), hold))
    assert swap.places == (0, 2)
    assert not swaps("roles", _scene(("man", "apple", "girl"), hold))  # of another size
    assert not swaps("roles", _scene(("boy", "apple", "girl")))  # nobody does anything


def test_places_and_sizes_are_exchanged_where_nothing_else_depends_on_them() -> None:
    alone, held = _scene(("dog", "cow")), _scene(("boy", "dog"), Relation(0, "holding", 1))
    assert len(swaps("places", alone)) == 1
    assert not swaps("places", held)
    assert not swaps("size", alone)  # both are medium
    small = replace(alone.things[0], size="small")
    large = replace(alone.things[1], size="large")
    (swap,) = swaps("size", replace(alone, things=(small, large)))
    assert [thing.size for thing in swap.scene.things] == ["large", "small"]
    grown = [
        now.scale / was.scale for now, was in zip(swap.scene.things, (small, large), strict=True)
    ]
    assert grown == pytest.approx([1.34 / 0.74, 0.74 / 1.34])


def test_what_is_too_small_to_show_siblings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("semtok.data.scenes.siblings._TRIALS", 0)
    with pytest.raises(SemtokError, match=r"scenes.size: 32 is too small to show siblings"):
        pair(0, 0, 32)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siblings")
    write(folder, Settings(seed=2, size=48, train=1, val=21))
    return folder


def _read(root: Path, name: str, table: str) -> list[dict]:
    text = (root / "annotations" / f"{name}_val2017.json").read_text()
    return list(json.loads(text)[table])


def test_all_images_but_an_odd_one_have_a_sibling(root: Path) -> None:
    assert not (root / "annotations/siblings_train2017.json").exists()
    ids = [
        (row["first_image_id"], row["second_image_id"]) for row in _read(root, "siblings", "pairs")
    ]
    assert ids == [(4 * k + 2, 4 * k + 4) for k in range(10)]
    assert [each["id"] for each in _read(root, "captions", "images")] == list(range(2, 44, 2))


@pytest.mark.parametrize("salt", range(20))
def test_words_alone_are_right_as_often_as_wrong(root: Path, salt: int) -> None:
    """Whatever a scorer makes of the words, of each pair it gets one image right and one wrong."""

    def score(text: str) -> int:
        return zlib.crc32(f"{salt} {text}".encode())

    right = []
    for row in _read(root, "siblings", "pairs"):
        first, second = score(row["first_caption"]), score(row["second_caption"])
        right += [first > second, second > first]
    assert sum(right) == len(right) / 2
