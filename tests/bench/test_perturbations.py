"""ARO's perturbations: what each of them moves, and what it leaves where it is."""

from hypothesis import given
from hypothesis import strategies as st

from semtok.bench.perturbations import perturbed
from semtok.data.words import words_of

TAGS = ("DT", "NN", "NNS", "JJ", "VBG", "IN")
captions = st.lists(st.sampled_from(TAGS), min_size=1, max_size=14)


def kinds(tags):
    return ["N" if tag.startswith("NN") else "J" if tag == "JJ" else "-" for tag in tags]


@given(captions, st.integers(0, 99))
def test_orders_are_those_that_a_perturbation_allows(tags, seed):
    words = [f"w{place}" for place in range(len(tags))]
    found = perturbed(words, tags, [seed])
    assert found == perturbed(words, tags, [seed])
    assert len(set(found)) == len(found) <= 4
    speech = dict(zip(words, kinds(tags), strict=True))
    threes = [words[n : n + 3] for n in range(0, len(words), 3)]

    def allowed(order):
        moved = [a for a, b in zip(words, order, strict=True) if a != b]
        same_kinds = [speech[word] for word in order] == kinds(tags)
        in_threes = [order[n : n + 3] for n in range(0, len(order), 3)]
        flat = [word for three in sorted(threes, key=lambda t: order.index(t[0])) for word in three]
        return (
            (same_kinds and all(speech[word] != "-" for word in moved))
            or (same_kinds and all(speech[word] == "-" for word in moved))
            or [sorted(each) for each in in_threes] == [sorted(each) for each in threes]
            or flat == order
        )

    for text in found:
        order = text.split()
        assert order != words
        assert sorted(order) == sorted(words)
        assert allowed(order)


def test_what_no_perturbation_changes_has_none():
    assert perturbed(["dog"], ["NN"], [0]) == []
    assert perturbed(["a", "a"], ["DT", "DT"], [0]) == []


def test_all_four_are_made_of_a_long_caption():
    words = [
        "a",
        "small",
        "dog",
        "is",
        "chasing",
        "the",
        "large",
        "red",
        "cat",
        "on",
        "the",
        "grass",
    ]
    tags = ["DT", "JJ", "NN", "VBZ", "VBG", "DT", "JJ", "JJ", "NN", "IN", "DT", "NN"]
    nouns, others, within, threes = perturbed(words, tags, [1])
    fixed = [place for place, tag in enumerate(tags) if tag not in ("NN", "JJ")]
    assert [nouns.split()[place] for place in fixed] == [words[place] for place in fixed]
    named = [place for place, tag in enumerate(tags) if tag in ("NN", "JJ")]
    assert [others.split()[place] for place in named] == [words[place] for place in named]
    assert sorted(within.split()[:3]) == sorted(words[:3])
    assert {" ".join(words[n : n + 3]) for n in range(0, 12, 3)} == {
        " ".join(threes.split()[n : n + 3]) for n in range(0, 12, 3)
    }


def test_words_have_no_punctuation_and_are_small():
    found = words_of("A man's T-shirt, on (the) grass.")
    assert found == ["a", "man's", "t-shirt", "on", "the", "grass"]
