"""Truth: what is true of what, against a plain loop, and in the files."""

import json
import random
from pathlib import Path

from semtok.data.scenes import Settings, write
from semtok.data.scenes.captions import captions
from semtok.data.scenes.compose import scene
from semtok.data.scenes.facts import Description, Fact, is_arguable
from semtok.data.scenes.observation import Observation, observe
from semtok.data.scenes.render import render
from semtok.data.scenes.truth import truth


def _seen(index: int) -> Observation:
    composed = scene(0, index, 64)
    return observe(composed, render(composed)[1])


def test_truth_is_what_holds_one_by_one() -> None:
    observations = [_seen(index) for index in range(60)]
    facts = [
        caption.fact
        for index, seen in enumerate(observations)
        for caption in captions(seen, random.Random(index))
    ]
    found = truth(facts, observations)
    assert found == [
        [place for place, seen in enumerate(observations) if is_arguable(seen, fact)]
        for fact in facts
    ]
    assert sum(map(len, found)) > 1.2 * len(facts)  # many are true of other pictures too


def test_what_claims_little_is_true_of_much() -> None:
    observations = [_seen(index) for index in range(5)]
    none = Fact(counted=((0, Description("no such thing")),))
    assert truth([Fact(), none], observations) == [[0, 1, 2, 3, 4]] * 2


def test_the_file_says_what_is_true_of_val(tmp_path: Path) -> None:
    write(tmp_path, Settings(seed=3, size=64, train=2, val=30))
    folder = tmp_path / "annotations"
    assert not (folder / "truth_train2017.json").exists()
    pairs = json.loads((folder / "truth_val2017.json").read_text())["pairs"]
    said = json.loads((folder / "captions_val2017.json").read_text())["annotations"]
    assert pairs == sorted(pairs)
    own = {(each["id"], each["image_id"]) for each in said}
    found = set(map(tuple, pairs))
    assert own < found and len(found) == len(pairs)
    assert {image_id for _, image_id in found} == {image_id for _, image_id in own}
    # Equal captions are true of the same images.
    true_of = {caption_id: {i for c, i in found if c == caption_id} for caption_id, _ in own}
    same: dict[str, set[int]] = {}
    for each in said:
        assert same.setdefault(each["caption"], true_of[each["id"]]) == true_of[each["id"]]
