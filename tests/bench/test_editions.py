"""An official file that its makers have replaced is refused, by its checksum."""

import hashlib
import re

import pytest

from semtok.bench import editions, official, sugar_crepe, vsr
from semtok.errors import SemtokError

NAME = "sugar_crepe/swap_obj.json"


@pytest.fixture
def index(tmp_path):
    path = tmp_path / "benchmarks" / NAME
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    return tmp_path


def test_any_other_file_is_taken_as_it_is(index):
    assert official.find(index, NAME, "there") == index / "benchmarks" / NAME


def test_an_earlier_edition_is_refused_with_the_expected_checksum(index, monkeypatch):
    found = hashlib.sha256(b"{}").hexdigest()
    monkeypatch.setattr(editions, "SUPERSEDED", {found})
    wanted = f"SHA-256 {found}, expected {editions.CURRENT[NAME]}; .*from there"
    with pytest.raises(SemtokError, match=f"an earlier edition of {NAME}: {wanted}"):
        official.find(index, NAME, "there")


def test_a_stated_checksum_is_held_to(index):
    found = hashlib.sha256(b"{}").hexdigest()
    editions.hold(index, {NAME: found})
    with pytest.raises(SemtokError, match=f"SHA-256 {found}, expected {'0' * 64}"):
        editions.hold(index, {NAME: "0" * 64})
    with pytest.raises(SemtokError, match=f"put aro/coco_order.json .*SHA-256 {'0' * 64}"):
        editions.hold(index, {NAME: found, "aro/coco_order.json": "0" * 64})


def test_every_file_of_known_editions_has_its_checksum_and_none_is_superseded():
    subsets = {f"sugar_crepe/{each}.json" for each in sugar_crepe.SUBSETS}
    assert set(editions.CURRENT) == subsets | {vsr.FILE}
    checksums = [*editions.CURRENT.values(), *editions.SUPERSEDED]
    assert len(set(checksums)) == 17
    assert all(re.fullmatch("[0-9a-f]{64}", each) for each in checksums)
