"""Captions of scenes: facts that hold, about what can be seen."""

import random
from dataclasses import replace

import pytest

from semtok.data.scenes.annotations import scene_graph
from semtok.data.scenes.captions import Caption, captions
from semtok.data.scenes.compose import scene
from semtok.data.scenes.facts import Description, Fact, holds
from semtok.data.scenes.observation import Observation, observe
from semtok.data.scenes.render import render
from semtok.data.scenes.scene import Relation, Thing
from semtok.data.scenes.segment import Segment
from semtok.data.scenes.vocabulary import COLOURS, PREDICATES, TEXTURES

Told = list[tuple[Observation, list[Caption]]]


@pytest.fixture(scope="module")
def told() -> Told:
    pairs = []
    for index in range(150):
        composed = scene(0, index, 96)
        seen = observe(composed, render(composed)[1])
        pairs.append((seen, captions(seen, random.Random(index))))
    return pairs


def test_five_different_captions_that_hold(told: Told) -> None:
    for seen, said in told:
        assert len(said) == len({caption.text for caption in said}) == 5
        assert all(holds(seen, caption.fact) for caption in said)


def test_captions_are_sentences(told: Told) -> None:
    for _, said in told:
        for caption in said:
            assert caption.text[0].isupper()
            assert caption.text.endswith(".")
            assert "  " not in caption.text and "{" not in caption.text
            assert len(caption.text.split()) <= 26
            assert " a a" not in caption.text and " a o" not in caption.text


def test_words_say_what_the_fact_claims(told: Told) -> None:
    """Every attribute in a text belongs to one of the fact's descriptions, and the other way."""
    attributes = {*COLOURS, *TEXTURES, "small", "large"}
    for _, said in told:
        for caption in said:
            described = [*caption.fact.described, *(d for _, d in caption.fact.counted)]
            claimed = sorted(
                word for d in described for word in (d.colour, d.texture, d.size) if word
            )
            spoken = caption.text.lower().rstrip(".").replace(",", "").split()
            assert sorted(word for word in spoken if word in attributes) == claimed
            text = caption.text.lower()
            assert all(each.name in text for each in caption.fact.described)


def test_captions_mention_only_what_is_seen(told: Told) -> None:
    for seen, said in told:
        visible = {segment.name for segment in seen.segments}
        for caption in said:
            mentioned = {each.name for each in caption.fact.described}
            assert mentioned | {kind.name for _, kind in caption.fact.counted} <= visible


def test_captions_tell_pictures_apart(told: Told) -> None:
    """Each caption is true of its picture and of few others: attributes and relations matter."""
    facts = [caption.fact for _, said in told for caption in said]
    true = sum(holds(seen, fact) for seen, _ in told for fact in facts)
    assert true < 0.05 * len(told) * len(facts)


def test_captions_are_not_the_annotated_graph(told: Told) -> None:
    """Captions mention relations that the annotations lack, and few say only what they say."""
    mentioned = annotated = said_by_graph = 0
    for index, (seen, said) in enumerate(told):
        true = {(e.subject, e.predicate, e.object) for e in seen.relations}
        kept = {(s, PREDICATES[p], o) for s, o, p in _annotated(seen, index)}
        assert kept <= true
        names = {(seen.segments[s].name, p, seen.segments[o].name) for s, p, o in kept}
        for fact in (caption.fact for caption in said):
            known = [
                (fact.described[e.subject].name, e.predicate, fact.described[e.object].name)
                in names
                for e in fact.relations
            ]
            mentioned += len(known)
            annotated += sum(known)
            bare = not any(d.colour or d.texture or d.size for d in fact.described)
            said_by_graph += bare and all(known) and not fact.counted
    assert 0.35 < annotated / mentioned < 0.65
    assert said_by_graph / (5 * len(told)) < 0.1


def _annotated(seen: Observation, index: int) -> list[list[int]]:
    record = scene_graph(seen, index + 1, "", "", random.Random(f"kept {index}"))
    return list(record["relations"])


def _segment(name: str, number: int, colour: str = "red") -> Segment:
    thing = Thing(name, colour, "blue", "plain", "small", 0.5, 0.5, 0.2)
    return Segment(name, number, 100, (0, 0, 10, 10), thing)


def test_holds_needs_the_same_thing_in_every_relation() -> None:
    """A man with a hat and another man with a ball are no man with a hat and a ball."""
    segments = tuple(_segment(name, i + 1) for i, name in enumerate(("man", "hat", "man", "ball")))
    man, hat, ball = Description("man"), Description("hat"), Description("ball")
    both = Fact((man, hat, ball), (Relation(0, "wearing", 1), Relation(0, "holding", 2)))
    apart = (Relation(0, "wearing", 1), Relation(2, "holding", 3))
    together = (Relation(0, "wearing", 1), Relation(0, "holding", 3))
    assert not holds(Observation(128, segments, apart), both)
    assert holds(Observation(128, segments, together), both)


def test_holds_checks_roles_attributes_and_counts() -> None:
    segments = (_segment("dog", 1, "red"), _segment("cat", 2, "blue"), _segment("dog", 3, "blue"))
    seen = Observation(128, segments, (Relation(0, "chasing", 1),))
    dog, cat = Description("dog"), Description("cat")
    assert holds(seen, Fact((dog, cat), (Relation(0, "chasing", 1),)))
    assert not holds(seen, Fact((cat, dog), (Relation(0, "chasing", 1),)))
    blue = replace(dog, colour="blue")
    assert not holds(seen, Fact((blue, cat), (Relation(0, "chasing", 1),)))
    assert holds(seen, Fact((blue, dog)))
    assert not holds(seen, Fact((blue, blue)))
    assert holds(seen, Fact(counted=((2, dog), (1, blue))))
    assert not holds(seen, Fact(counted=((1, dog),)))
    assert not holds(seen, Fact((Description("dog", size="large"),)))
