"""Compositional benchmarks of `scenes`: official fields, and negative captions that are false."""

import json
import random
import re
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from semtok.data.halves import half
from semtok.data.scenes import Settings, contrasts, write
from semtok.data.scenes.catalogue import THING, THINGS
from semtok.data.scenes.contrasts import Contrast
from semtok.data.scenes.facts import Fact, holds, is_arguable
from semtok.data.scenes.held_out import HeldOut
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.picture import Picture
from semtok.data.scenes.segment import Segment
from semtok.data.scenes.siblings import pair
from semtok.data.scenes.vocabulary import COLOURS, TEXTURES

_SUBSETS = {
    *("add_att", "add_obj", "replace_att", "replace_obj", "replace_rel"),
    *("swap_att", "swap_obj"),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("official")
    write(folder, Settings(seed=3, size=48, train=1, val=60, novel=40))
    return folder


@pytest.fixture(scope="module")
def pictures() -> dict[int, Observation]:
    found = {}
    for index in range(20):
        made = pair(3, index, 48)
        found |= {4 * index + 2: made.first.observation, 4 * index + 4: made.second.observation}
    return found


def _json(root: Path, name: str) -> Any:
    return json.loads((root / name).read_text(encoding="utf-8"))


def _image(root: Path, file: str) -> Path:
    return root / ("novel2017" if int(Path(file).stem) > 1000 else "val2017") / file


def _both(root: Path, kind: str, table: str) -> list[dict[str, Any]]:
    """The rows of both splits."""
    names = [f"annotations/{kind}_{split}2017.json" for split in ("val", "novel")]
    return [row for name in names for row in _json(root, name)[table]]


def _half(file: str) -> str:
    """The half of an image, with its sibling's."""
    image = int(Path(file).stem)
    if image > 1000:
        return "novel"
    return half(image - 2 if image % 4 == 0 else image)


def test_sugar_crepe_has_its_seven_files_and_fields(root: Path) -> None:
    assert {path.stem for path in (root / "sugar_crepe").glob("*.json")} == _SUBSETS
    for name in _SUBSETS:
        document = _json(root, f"sugar_crepe/{name}.json")
        assert list(document) == [str(number) for number in range(len(document))]
        assert len(document) >= 20
        for row in document.values():
            assert set(row) == {"filename", "caption", "negative_caption"}
            assert _image(root, row["filename"]).is_file()
            assert row["caption"] != row["negative_caption"]


@pytest.mark.parametrize("salt", range(10))
@pytest.mark.parametrize("name", sorted(_SUBSETS - {"add_att", "add_obj"}))
def test_words_alone_are_right_as_often_as_wrong(root: Path, name: str, salt: int) -> None:
    """Whatever a scorer makes of the words, in val and in test."""
    right: dict[str, list[bool]] = {"val": [], "test": [], "novel": []}
    for row in _json(root, f"sugar_crepe/{name}.json").values():
        own, other = (
            zlib.crc32(f"{salt} {row[key]}".encode()) for key in ("caption", "negative_caption")
        )
        right[_half(row["filename"])].append(own > other)
    for found in right.values():
        assert found
        assert sum(found) == len(found) / 2


def test_added_things_are_not_there(root: Path) -> None:
    """By the annotations, which have every visible thing."""
    names = {each["id"]: each["name"] for each in _both(root, "instances", "categories")}
    there: dict[int, set[str]] = {}
    for each in _both(root, "instances", "annotations"):
        there.setdefault(each["image_id"], set()).add(names[each["category_id"]])
    for row in _json(root, "sugar_crepe/add_obj.json").values():
        said, more = (row[key].rstrip(".") for key in ("caption", "negative_caption"))
        assert more.startswith(said)
        added = more.removeprefix(said).removeprefix(", and ").partition(" ")[2]
        added = {"pair of glasses": "glasses"}.get(added, added)
        assert added in names.values()
        assert added not in there[int(Path(row["filename"]).stem)]


def test_added_looks_are_a_word_more(root: Path) -> None:
    for row in _json(root, "sugar_crepe/add_att.json").values():
        said, more = (
            Counter(re.sub(r"\ban\b", "a", row[key].lower()).rstrip(".").split())
            for key in ("caption", "negative_caption")
        )
        (colour,) = (more - said - Counter(["in"])).elements()  # a man in red
        assert colour in COLOURS
        assert not said - more


def test_added_looks_are_never_those_that_val_holds_out(root: Path) -> None:
    """Of the words alone: a category's colour that is held out stands right before it."""
    held = HeldOut(3)
    names = {name: each.name for each in THINGS for name in (each.name, each.singular) if name}
    wrong: dict[bool, int] = {True: 0, False: 0}
    for row in _json(root, "sugar_crepe/add_att.json").values():
        said = row["negative_caption"].lower()
        wrong[_half(row["filename"]) == "novel"] += any(
            re.search(rf"\b{held.colour(name)} {word}\b|\b{word} in {held.colour(name)}\b", said)
            for word, name in names.items()
        )
    assert wrong[False] == 0 < wrong[True]


@pytest.mark.parametrize("say", [contrasts.attributes, contrasts.objects, contrasts.relations])
def test_each_side_of_a_contrast_is_true_of_its_own_picture_alone(
    pictures: dict[int, Observation], say: contrasts.Say
) -> None:
    sibling = {image: image - 2 for image in pictures if image % 4 == 0}
    found = _contrasts(pictures, sibling, say)
    assert len(found) >= 10
    for each in found:
        one, other = (pictures[image] for image in each.images)
        assert holds(one, each.facts[0]) and not is_arguable(other, each.facts[0])
        assert holds(other, each.facts[1]) and not is_arguable(one, each.facts[1])
        assert len({half(sibling.get(image, image)) for image in each.images}) == 1
    taken = [image for each in found for image in each.images]
    assert len(set(taken)) == len(taken)


def _contrasts(
    pictures: dict[int, Observation], sibling: dict[int, int], say: contrasts.Say
) -> list[Contrast]:
    return contrasts.contrasts(pictures, sibling, say, random.Random(0))


def test_sides_of_a_contrast_differ_in_one_respect(pictures: dict[int, Observation]) -> None:
    def parts(fact: Fact) -> list[Any]:
        ends = [(d.name, d.colour, d.texture, d.size) for d in fact.described]
        return [value for end in ends for value in end] + [r.predicate for r in fact.relations]

    for say in (contrasts.attributes, contrasts.objects, contrasts.relations):
        for each in _contrasts(pictures, {}, say):
            one, other = map(parts, each.facts)
            assert sum(a != b for a, b in zip(one, other, strict=True)) == 1


def test_winoground_has_its_fields_and_the_siblings(root: Path) -> None:
    lines = (root / "winoground/examples.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = _both(root, "siblings", "pairs")
    assert len(lines) == len(pairs) == 50
    for number, (line, siblings) in enumerate(zip(lines, pairs, strict=True)):
        row = json.loads(line)
        assert list(row) == [
            *("id", "image_0", "image_1", "caption_0", "caption_1"),
            *("tag", "secondary_tag", "num_main_preds", "collapsed_tag"),
        ]
        assert row["id"] == number
        for end, word in (("0", "first"), ("1", "second")):
            assert int(row[f"image_{end}"]) == siblings[f"{word}_image_id"]
            assert _image(root, f"{row[f'image_{end}']}.jpg").is_file()
            assert row[f"caption_{end}"] == siblings[f"{word}_caption"]
        assert (row["collapsed_tag"] == "Object") == (row["tag"] == "Noun")
        assert row["num_main_preds"] in (1, 2)


_PAIRS = ("visual_genome_relation", "visual_genome_attribution")


@pytest.mark.parametrize("salt", range(10))
@pytest.mark.parametrize("name", _PAIRS)
def test_words_alone_are_worth_nothing_in_aro(root: Path, name: str, salt: int) -> None:
    right: dict[str, list[bool]] = {"val": [], "test": [], "novel": []}
    for row in _json(root, f"aro/{name}.json"):
        yes, no = (
            zlib.crc32(f"{salt} {row[key]}".encode()) for key in ("true_caption", "false_caption")
        )
        right[_half(row["image_path"])].append(yes > no)
    for found in right.values():
        assert found
        assert sum(found) == len(found) / 2


def test_aro_has_its_fields_and_the_same_words(root: Path) -> None:
    for name, field in zip(_PAIRS, ("relation_name", "attributes"), strict=True):
        for row in _json(root, f"aro/{name}.json"):
            assert set(row) == {
                *("image_id", "image_path", "bbox_x", "bbox_y", "bbox_w", "bbox_h"),
                *("true_caption", "false_caption", field),
            }
            assert _image(root, row["image_path"]).is_file()
            assert [row[f"bbox_{side}"] for side in "xywh"] == [0, 0, 48, 48]
            yes, no = row["true_caption"].split(), row["false_caption"].split()
            assert yes != no and sorted(yes) == sorted(no)
            named = [row[field]] if field == "relation_name" else row[field]
            assert all(each in row["true_caption"] for each in named)


@pytest.fixture(scope="module")
def statements(root: Path) -> list[dict[str, Any]]:
    """The rows of VSR."""
    text = (root / "vsr/all_vsr_validated_data.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_vsr_has_its_fields_and_each_caption_once_true_and_once_false(
    root: Path, statements: list[dict[str, Any]]
) -> None:
    assert len(statements) >= 60
    of_image: dict[str, list[int]] = {}
    told: Counter[tuple[str, str, int]] = Counter()
    for row in statements:
        assert list(row) == [
            *("image", "image_link", "caption", "label", "relation"),
            *("annotator_id", "vote_true_validator_id", "vote_false_validator_id"),
            "reference_frame",
        ]
        assert (root / row["image_link"]).is_file()
        assert f" is {row['relation']} the " in row["caption"] or row["relation"] == "in front of"
        of_image.setdefault(row["image"], []).append(row["label"])
        told[_half(row["image"]), row["caption"], row["label"]] += 1
    assert all(sorted(labels) == [0, 1] for labels in of_image.values())
    for split, caption, label in told:
        assert told[split, caption, 0] == told[split, caption, 1], (caption, label)
    assert {_half(row["image"]) for row in statements} == {"val", "test", "novel"}


def test_vsr_is_true_of_the_pictures_where_it_says_so(statements: list[dict[str, Any]]) -> None:
    """By the predicates that pictures list, and not by the evaluation that made the rows."""
    said: dict[str, set[str]] = {}
    for index in range(8):
        made = pair(3, index, 48, HeldOut(3))
        for image, seen in ((4 * index + 2, made.first), (4 * index + 4, made.second)):
            names = [THING[s.name].singular or s.name if s.thing else "" for s in _segments(seen)]
            said[f"{image:012d}.jpg"] = {
                f"The {names[each.subject]} is {words} the {names[each.object]}."
                for each in seen.observation.relations
                for words in (each.predicate, f"to the {each.predicate}")
            }
    rows = [row for row in statements if row["image"] in said]
    assert {row["label"] for row in rows} == {0, 1}
    for row in rows:
        assert (row["caption"] in said[row["image"]]) == (row["label"] == 1)


def _segments(seen: Picture) -> tuple[Segment, ...]:
    return seen.observation.segments


def test_orders_ask_different_captions(root: Path) -> None:
    coco, flickr = (_json(root, f"aro/{name}_order.json") for name in ("coco", "flickr30k"))
    assert [each["image"] for each in coco] == [each["image"] for each in flickr]
    pairs = zip(coco, flickr, strict=True)
    assert not [one for one, other in pairs if one["caption"] == other["caption"]]


@pytest.mark.parametrize("name", ["coco_order", "flickr30k_order"])
def test_orders_have_a_caption_an_image_and_the_tag_of_each_word(root: Path, name: str) -> None:
    rows = _json(root, f"aro/{name}.json")
    names = {each["id"]: each["file_name"] for each in _both(root, "captions", "images")}
    captions = _both(root, "captions", "annotations")
    own = {(names[each["image_id"]], each["caption"]) for each in captions}
    assert len(rows) == len(names)
    for row in rows:
        (caption,), (tags,) = row["caption"], row["tags"]
        assert (Path(row["image"]).name, caption) in own
        assert (root / row["image"]).is_file()
        words = caption.lower().replace(",", "").rstrip(".").split()
        assert len(tags) == len(words)
        for word, tag in zip(words, tags, strict=True):
            assert (word in {*COLOURS, *TEXTURES, "small", "large"}) == (tag == "JJ")
            if word in ("dog", "bear", "grass", "boy"):
                assert tag == "NN"
            if word in ("dogs", "boys", "men"):
                assert tag == "NNS"
