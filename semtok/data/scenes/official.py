"""Compositional benchmarks over the pictures of `scenes`, in their official file formats.

Each negative caption is false of its picture by the generator's own evaluation. Where a caption
exchanges or replaces something, its negative one is a caption of another row, and the other way
round (`siblings.py`, `contrasts.py`): to read the sentences alone is worth exactly nothing. That
cannot be where something is added to what is true, since who says more says what may be false.
"""

import random
import re
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from semtok.data.scenes import contrasts
from semtok.data.scenes.annotations import Record
from semtok.data.scenes.captions import definite, sentence, statement
from semtok.data.scenes.catalogue import THINGS
from semtok.data.scenes.facts import Description, Fact, is_arguable
from semtok.data.scenes.held_out import HeldOut
from semtok.data.scenes.observation import Observation
from semtok.data.scenes.speech import speech
from semtok.data.scenes.vocabulary import (
    CAPTION_PREDICATES,
    COLOURS,
    PREDICATES,
    SPATIAL_PREDICATES,
)

#: The kinds of siblings that exchange a look; the others exchange things.
_LOOKS = ("colour", "texture", "size")

#: Winoground's tags of what siblings exchange.
_TAGS = {
    "colour": "Adjective-Color",
    "texture": "Adjective-Texture",
    "size": "Adjective-Size",
    "roles": "Noun",
    "places": "Noun",
}

#: What ARO and VSR call a relation, where that is not its name here.
_RELATIONS = {"left of": "to the left of", "right of": "to the right of"}

#: SugarCrepe's subsets of contrasts, and what these replace.
_REPLACED = {
    "replace_att": contrasts.attributes,
    "replace_obj": contrasts.objects,
    "replace_rel": contrasts.relations,
}


@dataclass(frozen=True)
class Shown:
    """What there is to ask of a split's images.

    Attributes:
        pictures: image id -> what can be seen of it.
        siblings: the pairs of `annotations/siblings_SPLIT.json`.
        captions: the rows of `annotations/captions_SPLIT.json`.
        folder: of the images, in the data root.
        held: what no caption names, not even a false one; None: nothing is held out of the split.
    """

    pictures: Mapping[int, Observation]
    siblings: list[Record]
    captions: list[Record]
    folder: str
    held: HeldOut | None = None


def documents(splits: Sequence[Shown], seed: int) -> dict[str, Any]:
    """All files, each over all splits: path in the data root -> what it holds.

    Args:
        splits: images are asked about one another within theirs alone.
        seed: the data set's.
    """
    of_splits = [sugar_crepe(each, seed) for each in splits]
    subsets = {name: [row for rows in of_splits for row in rows[name]] for name in of_splits[0]}
    return {
        **{
            f"sugar_crepe/{name}.json": {str(n): row for n, row in enumerate(rows)}
            for name, rows in subsets.items()
        },
        "winoground/examples.jsonl": winoground([row for each in splits for row in each.siblings]),
        "aro/visual_genome_relation.json": [r for each in splits for r in vg_relation(each, seed)],
        "aro/visual_genome_attribution.json": [
            row for each in splits for row in vg_attribution(each, seed)
        ],
        "aro/coco_order.json": [row for each in splits for row in order(each, 0)],
        "aro/flickr30k_order.json": [row for each in splits for row in order(each, 1)],
        "vsr/all_vsr_validated_data.jsonl": [r for each in splits for r in vsr(each, seed)],
    }


def vg_relation(shown: Shown, seed: int) -> list[Record]:
    """The rows of ARO's VG-Relation (Yuksekgonul et al. 2023): who does it to whom."""
    rows = []
    for predicate in (*PREDICATES, *CAPTION_PREDICATES):
        rng = random.Random(f"vg_relation {seed} {predicate}")
        say = contrasts.roles(predicate)
        for each in contrasts.contrasts(shown.pictures, _first_of(shown), say, rng):
            ends = [fact.described for fact in each.facts]
            texts = [statement(subject, predicate, target) for subject, target in ends]
            for image, true, false in zip(each.images, texts, texts[::-1], strict=True):
                name = _RELATIONS.get(predicate, predicate)
                named = {"relation_name": name, "true_caption": true, "false_caption": false}
                rows.append(_boxed(image, shown.pictures[image]) | named)
    return rows


def vg_attribution(shown: Shown, seed: int) -> list[Record]:
    """The rows of ARO's VG-Attribution: which of two looks is which of two things'."""
    rows = []
    rng = random.Random(f"vg_attribution {seed}")
    for each in contrasts.contrasts(shown.pictures, _first_of(shown), contrasts.owners, rng):
        texts = [" and ".join(map(definite, fact.described)) for fact in each.facts]
        for image, fact, true, false in zip(
            each.images, each.facts, texts, texts[::-1], strict=True
        ):
            looks = [d.colour or d.texture or d.size for d in fact.described]
            named = {"attributes": looks, "true_caption": true, "false_caption": false}
            rows.append(_boxed(image, shown.pictures[image]) | named)
    return rows


def _boxed(image: int, seen: Observation) -> Record:
    """An image as ARO names it, and all of it as the box."""
    box = {"bbox_x": 0, "bbox_y": 0, "bbox_w": seen.size, "bbox_h": seen.size}
    return {"image_id": str(image), "image_path": f"{image:012d}.jpg", **box}


def order(shown: Shown, place: int) -> list[Record]:
    """ARO's COCO-Order and Flickr30k-Order: a caption an image, with each word's part of speech.

    Args:
        shown: the images.
        place: of the caption among those of its image, so that no two files ask the same ones.
    """
    own: dict[int, list[str]] = {}
    for each in shown.captions:
        own.setdefault(each["image_id"], []).append(each["caption"])
    return [
        {
            "image": f"{shown.folder}/{image:012d}.jpg",
            "caption": [texts[place]],
            "tags": [speech(texts[place])],
        }
        for image, texts in own.items()
    ]


def vsr(shown: Shown, seed: int) -> list[Record]:
    """VSR's rows (Liu et al. 2023): where one thing is to another, once true and once false."""
    rows = []
    rng = random.Random(f"vsr {seed}")
    for each in contrasts.contrasts(shown.pictures, _first_of(shown), _places, rng):
        said = []
        for fact in each.facts:
            predicate = fact.relations[0].predicate
            text = statement(fact.described[0], predicate, fact.described[1])
            said.append((f"{text[0].upper()}{text[1:]}.", _RELATIONS.get(predicate, predicate)))
        for image, own in zip(each.images, said, strict=True):
            rows += [_judged(f"{shown.folder}/{image:012d}.jpg", *one, one == own) for one in said]
    return rows


def _places(seen: Observation) -> Iterator[tuple[Hashable, Fact]]:
    """Of all relations those of places."""
    for key, fact in contrasts.relations(seen):
        if fact.relations[0].predicate in (*SPATIAL_PREDICATES, *CAPTION_PREDICATES):
            yield key, fact


def _judged(file: str, caption: str, relation: str, true: bool) -> Record:
    """A row of VSR's file; what people would have voted, the generator knows."""
    named = {"image": file.rpartition("/")[2], "image_link": file, "caption": caption}
    votes = {"vote_true_validator_id": "[]", "vote_false_validator_id": "[]"}
    judged = {"label": int(true), "relation": relation, "annotator_id": 0}
    return {**named, **judged, **votes, "reference_frame": None}


def winoground(siblings: list[Record]) -> list[Record]:
    """Winoground's rows (Thrush et al. 2022): the pairs of siblings."""
    return [
        {
            "id": number,
            "image_0": f"{each['first_image_id']:012d}",
            "image_1": f"{each['second_image_id']:012d}",
            "caption_0": each["first_caption"],
            "caption_1": each["second_caption"],
            "tag": _TAGS[each["kind"]],
            "secondary_tag": "",
            # All verbs of these captions are participles.
            "num_main_preds": max(1, len(re.findall(r"\w+ing\b", each["first_caption"]))),
            # There, adjectives are told from nouns as relations from objects.
            "collapsed_tag": "Relation" if each["kind"] in _LOOKS else "Object",
        }
        for number, each in enumerate(siblings)
    ]


def sugar_crepe(shown: Shown, seed: int) -> dict[str, list[Record]]:
    """SugarCrepe's seven files (Hsieh et al. 2023): name of a subset -> its rows."""
    first_of = _first_of(shown)
    rows: dict[str, list[Record]] = {}
    for name, add in (("add_att", _more_said), ("add_obj", _more_seen)):
        rng = random.Random(f"{name} {seed}")
        firsts = {image: seen for image, seen in shown.pictures.items() if image not in first_of}
        made = {image: add(seen, shown.held, rng) for image, seen in firsts.items()}
        rows[name] = [_row(image, *texts) for image, texts in made.items() if texts]
    for name, say in _REPLACED.items():
        rng = random.Random(f"{name} {seed}")
        rows[name] = [
            row
            for each in contrasts.contrasts(shown.pictures, first_of, say, rng)
            for row in _both_ways(each.images, each.captions)
        ]
    for name, swapped in (("swap_att", True), ("swap_obj", False)):
        rows[name] = [
            row
            for each in shown.siblings
            if (each["kind"] in _LOOKS) == swapped
            for row in _both_ways(
                (each["first_image_id"], each["second_image_id"]),
                (each["first_caption"], each["second_caption"]),
            )
        ]
    return rows


def _first_of(shown: Shown) -> dict[int, int]:
    """Of two siblings the second id -> the first."""
    return {each["second_image_id"]: each["first_image_id"] for each in shown.siblings}


def _both_ways(images: tuple[int, int], captions: tuple[str, str]) -> list[Record]:
    """A row an image: the caption of each is the negative one of the other."""
    return [_row(images[0], *captions), _row(images[1], *captions[::-1])]


def _row(image: int, caption: str, negative: str) -> Record:
    return {"filename": f"{image:012d}.jpg", "caption": caption, "negative_caption": negative}


def _more_said(
    seen: Observation, held: HeldOut | None, rng: random.Random
) -> tuple[str, str] | None:
    """A true sentence, and the same with a colour that makes it false."""

    def add(fact: Fact, word: str) -> Fact | None:
        first, *others = fact.described
        if held and held.colour(first.name) == word:
            return None
        return Fact((Description(first.name, colour=word), *others), fact.relations)

    return _false_addition(seen, rng, add, list(COLOURS))


def _more_seen(
    seen: Observation, held: HeldOut | None, rng: random.Random
) -> tuple[str, str] | None:
    """A true sentence, and the same with a thing that is not there: nothing else of it is said."""
    return _false_addition(
        seen,
        rng,
        lambda fact, word: Fact((*fact.described, Description(word)), fact.relations),
        # A second one of what is there might be read as the first.
        sorted({each.name for each in THINGS} - {each.name for each in seen.segments}),
    )


def _false_addition(
    seen: Observation,
    rng: random.Random,
    add: Callable[[Fact, str], Fact | None],
    words: list[str],
) -> tuple[str, str] | None:
    facts = [fact for _, fact in contrasts.relations(seen)]
    if not facts:
        return None
    fact = rng.choice(facts)
    rng.shuffle(words)
    spoken = rng.getrandbits(32)  # both choose the same words
    for word in words:
        more = add(fact, word)
        if more and not is_arguable(seen, more):
            said = [sentence(each, random.Random(spoken)) for each in (fact, more)]
            return said[0], said[1]
    return None
