"""The checkpoint: a trained model as safetensors, JSON and Parquet, in one folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from semtok.errors import SemtokError
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.parsing import parse
from semtok.tables import write_table
from semtok.tensors import write_tensors
from semtok.tokens.collate import Collate
from semtok.tokens.shards import TokenShards
from semtok.train.history import HISTORY
from semtok.train.text_tokenizer import TextTokenizer

#: Raised with every change of the folder's files or of their meaning.
FORMAT = 1

#: A served model is asked by several threads, and a new name takes its row in several steps.
_NAMING = Lock()


@dataclass(frozen=True)
class Checkpoint:
    """A model with all that turns images and captions into its inputs.

    Attributes:
        model: in evaluation mode.
        text_tokenizer: for `model.encode_text`.
        tokens: scheme and settings of the tokenizer, as token shards name them.
        collate: for `model.encode_image`.
    """

    model: ImageTextModel
    text_tokenizer: TextTokenizer
    tokens: Mapping[str, Any]
    collate: Collate

    def vocabulary(self, names: Sequence[str]) -> tuple[str, ...]:
        """The vocabulary in which the model has a row for predicates, to number them by.

        Args:
            names: of some predicates. A model that learned a table knows those of its training
                alone, and others have id 0; one that reads names knows all.
        """
        trained = self.model.config.vision.predicates
        named = getattr(self.model.vision.embedding, "named", None)
        if named is None:
            return trained
        with _NAMING:
            for name in dict.fromkeys((*trained, *names)):
                if name not in named.names:
                    # Alone, since how a sum is rounded may depend on what is encoded beside it.
                    ids = self.text_tokenizer.encode([name]).to(self.model.log_scale.device)
                    with torch.no_grad():
                        named.add(name, self.model.encode_text(ids)[0])
            return tuple(named.names)

    def open_shards(self, folder: Path) -> TokenShards:
        """Open token shards of the tokenizer that the model was trained with.

        Raises:
            SemtokError: they come from another one.
        """
        shards = TokenShards(folder)
        if (vocabulary := self.vocabulary(shards.predicates)) != shards.predicates:
            shards = TokenShards(folder, vocabulary)
        if shards.tokens != self.tokens:
            raise SemtokError(
                f"{folder}: holds tokens of {_named(shards.tokens)}, but the model was trained on "
                f"{_named(self.tokens)}; train it again, or tokenize with those settings"
            )
        return shards


def save(
    folder: Path,
    checkpoint: Checkpoint,
    history: list[tuple[int, str, float]],
    training: Mapping[str, Any],
) -> None:
    """Write a checkpoint.

    Args:
        folder: created where it is missing; the caller publishes it whole.
        checkpoint: what `load` is to give back.
        history: (step, name, value).
        training: how the model came about, for `training.json`.
    """
    config = {
        "format": FORMAT,
        "model": checkpoint.model.config.as_json(),
        "tokens": checkpoint.tokens,
        "collate": asdict(checkpoint.collate),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", checkpoint.model.state_dict())
    _write_json(folder / "config.json", config)
    _write_json(folder / "training.json", training)
    (folder / "text_tokenizer.json").write_text(
        checkpoint.text_tokenizer.as_json(), encoding="utf-8"
    )
    columns = zip(*history, strict=True) if history else ((), (), ())
    table = pa.table(dict(zip(HISTORY.columns.names, map(list, columns), strict=True)))
    write_table(folder / "history.parquet", table, HISTORY)


def load(folder: Path, device: str = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Args:
        folder: with model.safetensors, config.json and text_tokenizer.json.
        device: where the model goes.

    Raises:
        SemtokError: a file is missing, damaged or of another format; says which.
    """
    path, config = _config(folder)
    model = ImageTextModel(ModelConfig.from_json(config["model"], f"{path}: model"))
    _load_weights(model, folder / "model.safetensors")
    return Checkpoint(
        model=model.to(device).eval(),
        text_tokenizer=TextTokenizer.load(folder / "text_tokenizer.json"),
        tokens=config["tokens"],
        collate=parse(Collate, config["collate"], f"{path}: collate"),
    )


def shape(folder: Path) -> tuple[ModelConfig, Mapping[str, Any]]:
    """What was trained, without its weights: the model's shape, and `Checkpoint.tokens`.

    Raises:
        SemtokError: as `load`.
    """
    path, config = _config(folder)
    return ModelConfig.from_json(config["model"], f"{path}: model"), config["tokens"]


def _config(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        found = config["format"]
    except FileNotFoundError:
        raise SemtokError(f"{path}: no such file; run the checkpoint stage") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SemtokError(f"{path}: no checkpoint's config ({error}); train again") from None
    if found != FORMAT:
        raise SemtokError(f"{path}: format {found}, this semtok reads {FORMAT}; train again")
    return path, config


def _load_weights(model: ImageTextModel, path: Path) -> None:
    try:
        model.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise SemtokError(f"{path}: no such file; run the checkpoint stage") from None
    except SafetensorError as error:
        raise SemtokError(f"{path}: damaged ({error}); restore it or train again") from None
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise SemtokError(f"{path}: does not fit config.json beside it ({reason})") from None


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _named(tokens: Mapping[str, Any]) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in sorted(tokens["settings"].items()))
    return f"{tokens['scheme']} ({settings})"
