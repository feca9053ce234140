"""novel2017 shows combinations that the other pictures never do: by what the files say."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import pytest

from semtok.data.scenes import Settings, write
from semtok.data.scenes.catalogue import THINGS
from semtok.data.scenes.compose import scene
from semtok.data.scenes.held_out import NOVELTIES, HeldOut
from semtok.data.scenes.siblings import pair
from semtok.data.scenes.swaps import KINDS
from semtok.data.scenes.vocabulary import ACTIONS, COLOURS, TEXTURES

SETTINGS = Settings(seed=4, size=64, train=240, val=60, novel=60)
KNOWN, NOVEL = ("train2017", "val2017"), "novel2017"
HELD = HeldOut(SETTINGS.seed)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("novel")
    write(folder, SETTINGS)
    return folder


def _json(root: Path, name: str) -> Any:
    return json.loads((root / "annotations" / name).read_text(encoding="utf-8"))


def _triples(root: Path, splits: tuple[str, ...]) -> Counter[tuple[str, str, str]]:
    """Annotated relations of a split's images, by the names of their ends."""
    psg = _json(root, "psg.json")
    names = psg["thing_classes"] + psg["stuff_classes"]
    found: Counter[tuple[str, str, str]] = Counter()
    for item in psg["data"]:
        if item["file_name"].startswith(splits):
            ends = [names[each["category_id"]] for each in item["segments_info"]]
            for subject, target, predicate in item["relations"]:
                found[ends[subject], psg["predicate_classes"][predicate], ends[target]] += 1
    return found


def _sentences(root: Path, splits: tuple[str, ...]) -> list[str]:
    """All sentences of a split: captions, and what siblings are told apart by."""
    found = []
    for split in splits:
        captions = _json(root, f"captions_{split}.json")["annotations"]
        found += [each["caption"] for each in captions]
        if split != "train2017":
            pairs = _json(root, f"siblings_{split}.json")["pairs"]
            found += [each[f"{end}_caption"] for each in pairs for end in ("first", "second")]
    return found


def _said(sentences: list[str]) -> Counter[tuple[str, str]]:
    """(colour or texture, category) of all noun phrases, by a grammar of our own."""
    looks = rf"(?:({'|'.join(TEXTURES)}) )?(?:({'|'.join(COLOURS)}) )?"
    by_noun = {}
    for each in THINGS:
        for noun in (each.name, each.singular, each.plural or f"{each.name}s"):
            by_noun[noun] = each
    nouns = "|".join(sorted(filter(None, by_noun), key=len, reverse=True))
    before = re.compile(rf"\b{looks}({nouns})\b")
    clothes = re.compile(rf"\b({nouns}) in {looks}")
    found: Counter[tuple[str, str]] = Counter()
    for sentence in sentences:
        phrases = [(m[1], m[2], m[3]) for m in before.finditer(sentence.lower())]
        phrases += [(m[2], m[3], m[1]) for m in clothes.finditer(sentence.lower())]
        for texture, colour, noun in phrases:
            found.update((look, by_noun[noun].name) for look in (texture, colour) if look)
    return found


def _held_looks() -> set[tuple[str, str]]:
    return {
        (look, each.name)
        for each in THINGS
        for look in (HELD.colour(each.name), HELD.texture(each.name))
    }


@pytest.mark.slow
def test_no_annotation_of_train_or_val_has_an_action_that_is_held_out(root: Path) -> None:
    known, novel = _triples(root, KNOWN), _triples(root, (NOVEL,))
    assert not [triple for triple in known if HELD.action(*triple)]
    assert len([triple for triple in novel if HELD.action(*triple)]) > 5


def test_no_sentence_of_train_or_val_has_a_look_that_is_held_out(root: Path) -> None:
    known, novel = _said(_sentences(root, KNOWN)), _said(_sentences(root, (NOVEL,)))
    assert known.total() > 500
    assert not known.keys() & _held_looks()
    assert len(novel.keys() & _held_looks()) > 5


def test_each_part_of_what_is_held_out_is_known_from_training(root: Path) -> None:
    said = _said(_sentences(root, ("train2017",)))
    assert {look for look, _ in said} == {*COLOURS, *TEXTURES} - {"plain"}
    categories = {
        each["category_id"] for each in _json(root, "instances_train2017.json")["annotations"]
    }
    assert len(categories) == len(THINGS)
    assert {predicate for _, predicate, _ in _triples(root, ("train2017",))} >= set(ACTIONS)


@pytest.mark.parametrize("index", range(len(KINDS) * len(NOVELTIES)))
def test_both_siblings_show_what_is_held_out(index: int) -> None:
    novel, known = (pair(4, index, 64, HELD, novel) for novel in (True, False))
    for seen in (novel.first, novel.second):
        assert HELD.shown(seen.observation)
    for seen in (known.first, known.second):
        assert not HELD.within(seen.scene)


@pytest.mark.slow
@pytest.mark.parametrize("novelty", NOVELTIES)
def test_novel_scenes_have_one_combination_and_as_many_things_as_others(novelty: str) -> None:
    found, counts = [], []
    for index in range(200):
        composed = scene(4, index, 64, HELD, novelty)
        found.append(HELD.within(composed))
        counts.append(len(composed.things))
        words = {word for each in found[-1] for word in each}
        kinds = {"colour": set(COLOURS), "texture": set(TEXTURES), "action": set(ACTIONS)}
        assert words & kinds[novelty]
    # Two arms hold two things: only an encounter does several things at once.
    assert novelty == "action" or all(len(each) == 1 for each in found)
    others = [len(scene(4, index, 64, HELD).things) for index in range(200)]
    assert abs(sum(counts) - sum(others)) / 200 < 0.6  # three standard errors


def test_novel_images_are_a_split_of_their_own(root: Path) -> None:
    ids = {
        split: {each["id"] for each in _json(root, f"captions_{split}.json")["images"]}
        for split in (*KNOWN, NOVEL)
    }
    assert [len(each) for each in ids.values()] == [240, 60, 60]
    assert len(set.union(*ids.values())) == 360
    for image_id in ids[NOVEL]:
        assert cv2.imread(str(root / NOVEL / f"{image_id:012d}.jpg")).shape == (64, 64, 3)
    assert set(_json(root, "psg.json")["test_image_ids"]) == {
        str(each) for each in ids["val2017"] | ids[NOVEL]
    }
    truth = _json(root, "truth_novel2017.json")["pairs"]
    assert {image_id for _, image_id in truth} == ids[NOVEL]
    assert len(_json(root, "siblings_novel2017.json")["pairs"]) == 30


def test_segment_ids_have_24_bits(root: Path) -> None:
    segments = [
        info["id"]
        for entry in _json(root, "panoptic_novel2017.json")["annotations"]
        for info in entry["segments_info"]
    ]
    assert max(segments) < 256**3


def test_growing_the_novel_split_changes_no_other_picture(root: Path, tmp_path: Path) -> None:
    write(tmp_path, Settings(seed=4, size=64, train=5, val=2, novel=4))
    for path in tmp_path.glob("*2017/*.jpg"):
        assert path.read_bytes() == (root / path.relative_to(tmp_path)).read_bytes()


def test_another_seed_holds_out_others() -> None:
    other = HeldOut(5)
    assert any(other.colour(each.name) != HELD.colour(each.name) for each in THINGS)
    triples = [(a.name, p, b.name) for a in THINGS for b in THINGS for p in ACTIONS]
    share = sum(HELD.action(*each) for each in triples) / len(triples)
    assert share == pytest.approx(1 / 8, abs=0.01)
    assert not any(HELD.action(a.name, "left of", b.name) for a in THINGS for b in THINGS)


def test_official_files_of_benchmarks_are_about_novel_images_too(root: Path) -> None:
    files = {
        row["filename"]
        for path in (root / "sugar_crepe").glob("*.json")
        for row in json.loads(path.read_text(encoding="utf-8")).values()
    }
    for folder, asked in (("train2017", False), ("val2017", True), (NOVEL, True)):
        assert bool(files & {path.name for path in (root / folder).iterdir()}) == asked, folder
