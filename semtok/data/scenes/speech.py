"""The parts of speech of the captions' words, in the Penn Treebank's tags."""

from semtok.data.scenes.catalogue import THINGS
from semtok.data.scenes.vocabulary import COLOURS, SIZES, STUFF, TEXTURES
from semtok.data.words import words_of

_ADJECTIVES = frozenset((*COLOURS, *TEXTURES, *SIZES))
_NOUNS = frozenset(
    word
    for name in (
        *STUFF,
        "picture",
        "air",
        "hand",
        "top",
        *(name for each in THINGS for name in (each.name, each.singular) if name),
    )
    for word in name.split()
    if word != "of"
)
_PLURALS = frozenset(
    word
    for each in THINGS
    for word in (each.plural or f"{each.name}s").split()
    if word != "of" and word not in _NOUNS
)
_TAGS = {
    **dict.fromkeys(("a", "an", "the", "no", "both"), "DT"),
    **dict.fromkeys(("left", "right", "next", "close", "up", "higher", "lower", "down"), "RB"),
    **dict.fromkeys(("upside", "partly"), "RB"),
    **dict.fromkeys(("is", "are"), "VBZ"),
    **dict.fromkeys(("one", "two", "three", "four", "five", "six", "seven", "eight"), "CD"),
    "and": "CC",
    "there": "EX",
    "we": "PRP",
    "see": "VBP",
    "hidden": "VBN",
    "to": "TO",
    "hands": "NNS",
    "clothes": "NNS",
}


def speech(caption: str) -> list[str]:
    """The tag of each word, without punctuation.

    Args:
        caption: of `scenes`.
    """
    return [_tag(word) for word in words_of(caption)]


def _tag(word: str) -> str:
    if word in _TAGS:
        return _TAGS[word]
    for words, tag in ((_ADJECTIVES, "JJ"), (_NOUNS, "NN"), (_PLURALS, "NNS")):
        if word in words:
            return tag
    return "VBG" if word.endswith("ing") else "IN"
