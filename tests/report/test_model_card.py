"""What a card says of readers of captions, and of classifiers, of which other things hold."""

from collections.abc import Sequence

import pytest

from semtok.bench.costs import Costs, Parameters
from semtok.bench.intervals import Interval
from semtok.report.model_card import Facts, Line, sections

COUNTS = {"images": 16, "captions": 16, "licences": {"not stated": 16}}
SEEN = {"seen_images": 0, "seen_captions": 16}


def card(tower: str, kind: str, corrupted: Sequence[Line] = ()) -> str:
    """The card of a training of such a text side on such data."""
    facts = Facts(
        model="semtok-toy",
        version="3",
        variant="vit",
        seed="0",
        address="models:/semtok-toy/3",
        label="",
        told="It reads pixels alone: no masks or relations are an input.",
        identity={},
        data={"train": COUNTS, "test": COUNTS | SEEN},
        settings={"text.tower": tower, "data.format": kind},
        costs=Costs(
            parameters=Parameters(1, 1, 0, 1, 1),
            tokens_per_image=16,
            flops_per_image=1e6,
            training_seconds=1,
            learning_rate=1e-3,
        ),
        scores=[],
        corrupted=corrupted,
        beside=[],
        beside_metric="R@1",
        seeds=1,
        lineage=[],
        confidence=0.95,
    )
    return "\n\n".join(sections(facts))


def test_a_classifier_is_told_of_as_one() -> None:
    text = card("classes", "class_folders")
    assert "A classifier: it gives each image one of the classes it learned." in text
    assert "demonstrations of image classification" in text
    assert "texts (its classes)" in text
    assert "| split | images | images seen | licences of the images |" in text
    for false in ("caption", "retrieval", "Its text side", "one space"):
        assert false not in text


def test_a_reader_of_captions_is_told_of_as_one() -> None:
    text = card("scratch", "coco")
    assert "it embeds images and English captions in one space" in text
    assert "demonstrations of image-text retrieval" in text
    assert "| test | 16 | 16 | 0 | 16 | not stated 16 |" in text
    assert "classif" not in text
    assert "Its text side is `some/clip`, frozen." in card("some/clip", "coco")


def test_spoilt_pictures_have_a_table_where_they_were_measured() -> None:
    name = "retrieval_corrupted test image_to_text/blur"
    line = Line(name, "R@1", Interval(12.0, 10.0, 14.5), Interval(12.0, 9.0, 15.0), 1.0, None)
    told = card("scratch", "coco", [line]).partition("## Corruption\n\n")[2].partition("\n\n##")[0]
    assert told.splitlines()[-1] == f"| {name} | R@1 | 12.0 [10.0, 14.5] |"
    assert "not measured" not in card("scratch", "coco", [line])
    without = card("scratch", "coco")
    assert "## Corruption\n\nNot measured." in without
    assert "- How it does on spoilt pictures was not measured." in without


@pytest.mark.parametrize("kind", ["scenes", "scene_classes"])
def test_pictures_drawn_here_come_under_the_licence_of_here(kind: str) -> None:
    assert "drawn by semtok" in card("scratch", kind)
    assert "ask its source" in card("scratch", "coco")
