"""What files call false, and what truth leaves out, by their own words and boxes alone.

Sentences are read by a grammar of our own, and judged by the boxes of instances and the relations
of PSG: nothing of what made them.
"""

import json
import re
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from semtok.data.scenes import Settings, write
from semtok.data.scenes.catalogue import THINGS
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.scene import Relation, Thing
from semtok.data.scenes.segment import Segment

SPLITS = ("val2017", "novel2017")
NOUNS = {noun: each.name for each in THINGS for noun in (each.name, each.singular) if noun}

Box = tuple[float, float, float, float]  # x0, y0, x1, y1
#: Words of places -> whether the first box lies wholly to that side of the second.
SIDES: dict[str, Callable[[Box, Box], bool]] = {
    **dict.fromkeys(("left of", "to the left of"), lambda a, b: a[2] <= b[0]),
    **dict.fromkeys(("right of", "to the right of"), lambda a, b: a[0] >= b[2]),
    **dict.fromkeys(("above", "higher up than"), lambda a, b: a[3] <= b[1]),
    **dict.fromkeys(("below", "lower down than"), lambda a, b: a[1] >= b[3]),
}
NOUN = "(" + "|".join(sorted(NOUNS, key=len, reverse=True)) + ")"
SENTENCE = re.compile(
    rf"(?:there is |a picture of |we see )?(?:a|an|the) {NOUN} (?:is )?"
    rf"({'|'.join(sorted((*SIDES, 'holding'), key=len, reverse=True))}) (?:a|an|the) {NOUN}\.?"
)


class Said(NamedTuple):
    subject: str
    words: str
    object: str


def _read(sentence: str) -> Said | None:
    """A sentence of two things and nothing else: neither looks nor further things."""
    found = SENTENCE.fullmatch(sentence.lower())
    return Said(NOUNS[found[1]], found[2], NOUNS[found[3]]) if found else None


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arguable")
    write(folder, Settings(seed=3, size=48, train=1, val=160, novel=40))
    return folder


@pytest.fixture(scope="module")
def boxes(root: Path) -> dict[int, list[tuple[str, Box]]]:
    """What is annotated in each image: names and boxes."""
    found: dict[int, list[tuple[str, Box]]] = {}
    for split in SPLITS:
        document = _json(root, f"annotations/instances_{split}.json")
        names = {each["id"]: each["name"] for each in document["categories"]}
        for each in document["annotations"]:
            x, y, w, h = each["bbox"]
            box = (x, y, x + w, y + h)
            found.setdefault(each["image_id"], []).append((names[each["category_id"]], box))
    return found


def _json(root: Path, name: str) -> Any:
    return json.loads((root / name).read_text(encoding="utf-8"))


def _false(root: Path) -> Iterator[tuple[int, str]]:
    """Images, and sentences that files call false of them."""
    for path in sorted((root / "sugar_crepe").glob("*.json")):
        for row in json.loads(path.read_text()).values():
            yield int(Path(row["filename"]).stem), row["negative_caption"]
    for row in _json(root, "aro/visual_genome_relation.json"):
        yield int(row["image_id"]), row["false_caption"]
    for line in (root / "vsr/all_vsr_validated_data.jsonl").read_text().splitlines():
        row = json.loads(line)
        if not row["label"]:
            yield int(Path(row["image"]).stem), row["caption"]
    for split in SPLITS:
        for each in _json(root, f"annotations/siblings_{split}.json")["pairs"]:
            yield each["first_image_id"], each["second_caption"]
            yield each["second_image_id"], each["first_caption"]


def _shows(things: list[tuple[str, Box]], said: Said) -> bool:
    return any(
        (name, other) == (said.subject, said.object) and SIDES[said.words](box, beside)
        for (name, box), (other, beside) in permutations(things, 2)
    )


#: Of two things of 40 pixels in a picture of 400, the first one nearer and at 100, 100: what it
#: does to the second, where that one is, and what one may say besides.
@pytest.mark.parametrize(
    ("holding", "corner", "arguable"),
    [
        ((), (30, 30), {"1 left of 0", "0 right of 1", "1 above 0", "0 below 1",
                        "0 beside 1", "1 beside 0"}),
        ((), (300, 100), {"0 left of 1", "1 right of 0"}),
        ((), (110, 240), {"0 above 1", "1 below 0", "0 over 1", "0 in front of 1", "1 behind 0"}),
        ((), (110, 110), {"0 in front of 1", "1 behind 0", "0 beside 1", "1 beside 0"}),
        (("carrying",), (300, 100), {"0 holding 1", "0 left of 1", "1 right of 0"}),
        (("riding",), (300, 100), {"0 sitting on 1", "0 on 1", "0 left of 1", "1 right of 0"}),
        (("standing on",), (300, 100), {"0 on 1", "0 left of 1", "1 right of 0"}),
    ],
)  # fmt: skip
def test_what_may_be_said_besides(
    holding: tuple[str, ...], corner: tuple[int, int], arguable: set[str]
) -> None:
    segments = tuple(
        Segment("cup", place + 1, 1600, (x, y, x + 40, y + 40),
                Thing("cup", "red", "blue", "plain", "small", 0.5, 0.5, 0.2,
                      depth=1.0 - place, grounded=True))
        for place, (x, y) in enumerate([(100, 100), corner])
    )  # fmt: skip
    relations = tuple(Relation(0, each, 1) for each in holding)
    seen = Observation(400, segments, relations)
    told = {f"{each.subject} {each.predicate} {each.object}" for each in seen.arguable}
    assert told == arguable | {f"0 {each} 1" for each in holding}


def test_no_box_lies_where_a_false_sentence_says(
    root: Path, boxes: dict[int, list[tuple[str, Box]]]
) -> None:
    judged = [(image, said) for image, text in _false(root) if (said := _read(text))]
    judged = [each for each in judged if each[1].words in SIDES]
    assert len(judged) > 50
    assert not [each for each in judged if _shows(boxes[each[0]], each[1])]


def test_who_carries_something_is_never_said_not_to_hold_it(root: Path) -> None:
    psg = _json(root, "annotations/psg.json")
    names, predicates = psg["thing_classes"] + psg["stuff_classes"], psg["predicate_classes"]
    carried = {
        (int(item["image_id"]), *(names[ends[each]] for each in (subject, target)))
        for item in psg["data"]
        for ends in [[each["category_id"] for each in item["segments_info"]]]
        for subject, target, predicate in item["relations"]
        if predicates[predicate] == "carrying"
    }
    held = [(image, said) for image, text in _false(root) if (said := _read(text))]
    held = [each for each in held if each[1].words == "holding"]
    assert carried and held
    assert not [each for each in held if (each[0], each[1].subject, each[1].object) in carried]


def test_truth_has_all_images_whose_boxes_lie_as_a_caption_says(
    root: Path, boxes: dict[int, list[tuple[str, Box]]]
) -> None:
    asked = 0
    for split in SPLITS:
        pairs = _json(root, f"annotations/truth_{split}.json")["pairs"]
        own = _json(root, f"annotations/captions_{split}.json")
        images = [each["id"] for each in own["images"]]
        for caption in own["annotations"]:
            said = _read(caption["caption"])
            if said is None or said.words not in SIDES:
                continue
            true = {image for caption_id, image in pairs if caption_id == caption["id"]}
            shown = {image for image in images if _shows(boxes.get(image, []), said)}
            asked += len(shown)
            assert shown <= true, caption
    assert asked > 10
