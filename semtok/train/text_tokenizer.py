"""The text tokenizer: captions -> ids, learned from the training captions, CLIP's own, or names."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from torch import Tensor

from semtok.errors import SemtokError, installing

_PAD, _BEGIN, _END = "[PAD]", "[BOS]", "[EOS]"

#: Stands for all that is no name of a class; no caption is empty.
_UNKNOWN = ""

_NAMED = 10  # classes, in a message


class TextTokenizer:
    """Captions -> ids: begin, the caption (cut to the context), end, padding."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Wrap a tokenizer that truncates, pads and adds its begin and end tokens itself."""
        # A caption that spells out "[EOS]" means the letters.
        tokenizer.encode_special_tokens = True
        self._tokenizer = tokenizer

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return int(self._tokenizer.get_vocab_size())

    @property
    def context(self) -> int:
        """The longest row that `encode` returns."""
        truncation = self._tokenizer.truncation
        assert truncation is not None
        return int(truncation["max_length"])

    @property
    def end(self) -> int:
        """Id of the token that ends a caption: also the last one of an empty caption."""
        return int(self._tokenizer.encode("").ids[-1])

    def encode(self, captions: Sequence[str]) -> Tensor:
        """Ids of B captions: [B, L] int64, padded to the longest of them, L <= context.

        Raises:
            SemtokError: captions are to be names of classes, and one is not.
        """
        ids = [each.ids for each in self._tokenizer.encode_batch(list(captions))]
        if classes := self.classes:
            for caption, row in zip(captions, ids, strict=True):
                if len(row) != 1 or row[0] >= len(classes):
                    known = ", ".join(classes[:_NAMED]) + (", ..." if classes[_NAMED:] else "")
                    raise SemtokError(
                        f"{caption!r}: is no class that training has shown; there are "
                        f"{len(classes)}: {known}"
                    )
        return torch.tensor(ids)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of classes by their ids, where captions are such names; else none."""
        if not isinstance(self._tokenizer.model, models.WordLevel):
            return ()
        ids: dict[str, int] = self._tokenizer.get_vocab()
        return tuple(sorted(ids, key=ids.__getitem__)[:-1])  # the last is `_UNKNOWN`

    def as_json(self) -> str:
        """The tokenizer in the format of the library `tokenizers`."""
        return str(self._tokenizer.to_str(pretty=True))

    @classmethod
    def load(cls, path: Path) -> "TextTokenizer":
        """Read what `as_json` gave.

        Raises:
            SemtokError: the file is missing or no tokenizer.
        """
        try:
            tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SemtokError(f"{path}: no such file; run the checkpoint stage") from None
        except Exception as error:  # the library raises nothing narrower
            raise SemtokError(f"{path}: no tokenizer ({error}); run its stage again") from None
        return cls(tokenizer)


def learn(captions: Iterable[str], vocabulary: int, context: int) -> TextTokenizer:
    """Learn a byte-level BPE (Sennrich et al. 2016, on bytes as in GPT-2), in lower case.

    The same captions give the same ids. No caption has unknown tokens: bytes are the alphabet.

    Args:
        captions: the training captions.
        vocabulary: entries, 259 (the bytes and three special tokens) or more; fewer are learned
            where the captions hold fewer pairs that repeat.
        context: longest row in tokens, begin and end included.

    Raises:
        SemtokError: the vocabulary is too small.
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if vocabulary < (smallest := len(alphabet) + 3):
        raise SemtokError(f"text.vocabulary: {vocabulary} is under {smallest}, the bytes alone")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[_PAD, _BEGIN, _END],
        initial_alphabet=alphabet,
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    ids = {name: tokenizer.get_vocab()[name] for name in (_PAD, _BEGIN, _END)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_BEGIN} $A {_END}",
        special_tokens=[(_BEGIN, ids[_BEGIN]), (_END, ids[_END])],
    )
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(pad_id=ids[_PAD], pad_token=_PAD)
    return TextTokenizer(tokenizer)


def of_classes(captions: Iterable[str]) -> TextTokenizer:
    """Take each caption as one word, the name of a class: ids 0..C-1 in alphabetical order.

    Args:
        captions: the training captions, names of classes.
    """
    names = sorted(set(captions))
    ids = {name: place for place, name in enumerate([*names, _UNKNOWN])}
    return TextTokenizer(Tokenizer(models.WordLevel(ids, unk_token=_UNKNOWN)))


def of_tower(name: str, vocabulary: int, context: int) -> TextTokenizer:
    """The text tokenizer of a CLIP model.

    Args:
        name: as `pretrained_tower`.
        vocabulary: entries that the tower knows.
        context: longest row in tokens, begin and end included.

    Raises:
        SemtokError: transformers is not installed, or there is no tokenizer of that tower.
    """
    try:
        from transformers import CLIPTokenizer
    except ImportError:
        raise SemtokError(f"text.tower: needs transformers; {installing('clip')}") from None
    try:
        clip = CLIPTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SemtokError(f"text.tower: {name}: no CLIP text tokenizer there ({reason})") from None
    tokenizer = clip.backend_tokenizer
    # Where a folder holds no tokenizer, transformers gives one that knows no words.
    if (found := tokenizer.get_vocab_size()) != vocabulary:
        raise SemtokError(
            f"text.tower: {name}: its tokenizer has {found} entries, the tower {vocabulary}; "
            "save the tower's own tokenizer beside it"
        )
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(pad_id=clip.pad_token_id, pad_token=clip.pad_token)
    return TextTokenizer(tokenizer)
