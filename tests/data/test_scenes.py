"""Scenes: composed, drawn and observed."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from semtok.data.scenes.catalogue import THINGS
from semtok.data.scenes.category import Category, Pose
from semtok.data.scenes.compose import scene
from semtok.data.scenes.observation import Observation, observe
from semtok.data.scenes.render import STUFF_ID, render
from semtok.data.scenes.scene import Patch, Scene, Thing
from semtok.data.scenes.vocabulary import ACTIONS, COLOURS, PREDICATES, SIZES, STUFF, TEXTURES

_BACKGROUND = Patch(((0, 0), (1, 0), (1, 1), (0, 1)), (120, 160, 120), STUFF.index("grass"))


def _thing(category: Category, **look: object) -> Thing:
    x0, _, x1, y1 = category.bounds()
    plain = {"colour": "red", "second": "blue", "texture": "plain", "size": "medium"}
    middle = 0.5 - (x0 + x1) / 2 * category.extent
    place = {"x": middle, "y": 0.8 - y1 * category.extent, "scale": category.extent}
    return Thing(category.name, **(plain | place | look))  # type: ignore[arg-type]


def _alone(*things: Thing, size: int = 128) -> Scene:
    return Scene(size, (_BACKGROUND,), things, (), light=0)


@pytest.fixture(scope="module")
def observations() -> list[Observation]:
    scenes = [scene(0, index, 96) for index in range(1, 121)]
    return [observe(each, render(each)[1]) for each in scenes]


def test_vocabulary_is_wide_enough() -> None:
    assert len(THINGS) >= 40
    assert len({category.supercategory for category in THINGS}) >= 6
    assert (len(COLOURS), len(TEXTURES), len(SIZES)) == (10, 4, 3)
    assert len(PREDICATES) >= 12
    assert len(ACTIONS) == 12
    names = [category.name for category in THINGS] + list(STUFF)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("category", THINGS, ids=lambda category: category.name)
def test_category_is_one_object_of_several_parts(category: Category) -> None:
    parts = category.drawn()
    assert len(parts) >= 3
    assert len({part.paint for part in parts}) >= 2
    assert any(part.paint == "main" for part in parts), "no part shows its colour"
    _, ids = render(_alone(_thing(category), size=192))
    _, pieces = ndimage.label(ids == 1, np.ones((3, 3)))
    assert pieces == 1


@pytest.mark.parametrize("category", THINGS, ids=lambda category: category.name)
def test_colour_and_texture_show(category: Category) -> None:
    red, ids = render(_alone(_thing(category)))
    green, same = render(_alone(_thing(category, colour="green")))
    assert np.array_equal(ids, same)
    inside = ids == 1
    changed = (red != green).any(-1)
    assert changed[inside].mean() > 0.2
    assert changed[~ndimage.binary_dilation(inside, iterations=2)].mean() == 0
    for texture in TEXTURES[1:]:
        textured, _ = render(_alone(_thing(category, texture=texture)))
        assert (red != textured).any(-1)[inside].mean() > 0.06


def test_scene_is_a_pure_function() -> None:
    assert scene(3, 7, 128) == scene(3, 7, 128)
    assert scene(3, 7, 128) != scene(4, 7, 128)
    assert scene(3, 7, 128) != scene(3, 8, 128)
    assert replace(scene(3, 7, 64), size=128) == scene(3, 7, 128)
    (image, ids), (again, same) = render(scene(3, 7, 128)), render(scene(3, 7, 128))
    assert np.array_equal(image, again)
    assert np.array_equal(ids, same)


@pytest.mark.parametrize("size", [64, 128, 224])
def test_any_size_shows_the_same_scene(size: int) -> None:
    for index in range(5):
        image, ids = render(scene(0, index, size))
        assert image.shape == (size, size, 3)
        assert image.dtype == ids.dtype == np.uint8
        assert ids.shape == (size, size)
        _, large = render(scene(0, index, 3 * size))
        assert (large[1::3, 1::3] == ids).mean() > 0.97


def test_id_map_is_what_the_colours_show() -> None:
    """Where the id map says that a thing is seen, painting the thing otherwise is seen."""
    for index in range(20):
        composed = scene(1, index, 128)
        image, ids = render(composed)
        for place, thing in enumerate(composed.things):
            rest = tuple(other for other in composed.things if other is not thing)
            without, _ = render(replace(composed, things=rest, relations=()))
            changed = (image.astype(int) - without).any(-1)
            mine = ndimage.binary_erosion(ids == place + 1)
            assert mine.sum() < 20 or changed[mine].mean() > 0.9


def test_scenes_have_two_to_eight_things_that_overlap(observations: list[Observation]) -> None:
    counts = [sum(each.thing is not None for each in seen.segments) for seen in observations]
    assert min(counts) >= 1
    assert max(counts) <= 8
    assert len(set(counts)) >= 6
    occluded = sum(
        any(each.predicate == "in front of" for each in seen.relations) for seen in observations
    )
    assert occluded > len(observations) / 4


def test_scenes_are_composed_of_two_to_eight_things() -> None:
    composed = [scene(0, index, 96) for index in range(1, 601)]
    assert {len(each.things) for each in composed} == set(range(2, 9))
    looks = [(t.colour, t.texture, t.size) for each in composed for t in each.things]
    for shown, words in zip(zip(*looks, strict=True), (COLOURS, TEXTURES, SIZES), strict=True):
        assert set(shown) == set(words)
    assert {t.category for each in composed for t in each.things} == {c.name for c in THINGS}
    assert {r.predicate for each in composed for r in each.relations} == {*ACTIONS, "on"}


def test_nearer_things_hide_farther_ones() -> None:
    tree, dog = (next(c for c in THINGS if c.name == name) for name in ("tree", "dog"))
    near, far = _thing(dog, depth=1.0, reach_depth=1.0), _thing(tree)
    _, alone = render(_alone(far))
    seen = observe(_alone(far, near), ids := render(_alone(far, near))[1])
    assert (ids == 1).sum() < (alone == 1).sum()
    assert {(each.subject, each.predicate, each.object) for each in seen.relations} >= {
        (1, "in front of", 0),
        (0, "behind", 1),
    }


def test_observation_agrees_with_the_pixels(observations: list[Observation]) -> None:
    for index, seen in enumerate(observations[:20], 1):
        _, ids = render(scene(0, index, 96))
        for segment in seen.segments:
            ys, xs = np.nonzero(ids == segment.number)
            assert segment.area == len(ys) >= 40 * (96 / 128) ** 2
            assert segment.box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            assert (segment.thing is None) == (segment.number >= STUFF_ID)


def test_what_is_nearly_hidden_is_not_observed() -> None:
    house, apple = (next(c for c in THINGS if c.name == name) for name in ("house", "apple"))
    hidden, hiding = _thing(apple, y=0.75), _thing(house, depth=1.0, reach_depth=1.0)
    seen = observe(_alone(hidden, hiding), render(_alone(hidden, hiding))[1])
    assert [segment.name for segment in seen.segments] == ["house", "grass"]


def test_spatial_relations_hold_in_the_boxes(observations: list[Observation]) -> None:
    found = set()
    for seen in observations:
        for each in seen.relations:
            a, b = seen.segments[each.subject].box, seen.segments[each.object].box
            found.add(each.predicate)
            if each.predicate == "left of":
                assert a[0] + a[2] < b[0] + b[2]
            elif each.predicate == "right of":
                assert a[0] + a[2] > b[0] + b[2]
            elif each.predicate in ("above", "over"):
                assert a[1] + a[3] < b[1] + b[3]
            elif each.predicate == "below":
                assert a[1] + a[3] > b[1] + b[3]
            elif each.predicate in ("in front of", "behind"):
                assert a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
            elif each.predicate == "beside":
                assert max(a[0] - b[2], b[0] - a[2]) >= 0
    assert found >= {*PREDICATES, "left of", "right of", "above", "below", "behind"}


def test_looking_shows_in_the_eyes() -> None:
    """The same figure, looking left and right, differs in its face and nowhere else."""
    man = _thing(THINGS[0])
    left, _ = render(_alone(replace(man, pose=Pose(gaze=(-1.0, 0.0)))))
    right, _ = render(_alone(replace(man, pose=Pose(gaze=(1.0, 0.0)))))
    ys, _ = np.nonzero((left != right).any(-1))
    assert len(ys) > 15
    assert ys.max() / 128 < man.y - 0.6 * man.scale
