"""The resume state: all that a training needs to go on, bit for bit, after a kill."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from semtok.tensors import write_tensors

_FILE = "state.safetensors"


@dataclass
class Position:
    """How far a training is.

    Attributes:
        step: steps done.
        seconds: spent in them.
        history: (step, name, value) of every metric so far.
    """

    step: int = 0
    seconds: float = 0.0
    history: list[tuple[int, str, float]] = field(default_factory=list)


def save(
    folder: Path,
    fingerprint: str,
    position: Position,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Replace the state in a folder; whenever the process dies, the old or the new one is whole.

    Args:
        folder: of this training alone; created.
        fingerprint: of all that the training's result depends on.
        position: how far it is.
        model: its state is kept; frozen parameters, which are what they were, are not.
        optimizer: over them.
    """
    tensors = {f"model.{name}": value for name, value in _state(model).items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
    tensors |= {f"random.{name}": value for name, value in _random_states().items()}
    metadata = {
        "fingerprint": fingerprint,
        "step": json.dumps(position.step),
        "seconds": json.dumps(position.seconds),
        "history": json.dumps(position.history),
    }
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{_FILE}.new"
    write_tensors(unfinished, tensors, metadata)
    with unfinished.open("rb") as stream:
        os.fsync(stream.fileno())
    unfinished.replace(folder / _FILE)


def load(
    folder: Path, fingerprint: str, model: nn.Module, optimizer: torch.optim.Optimizer
) -> Position | None:
    """Put the state of a folder into a model, its optimiser and torch's random generators.

    Args:
        folder: as given to `save`.
        fingerprint: of the training that wants to go on.
        model: of the same shape as the saved one.
        optimizer: over the same parameters.

    Returns:
        How far that training was; None, and nothing touched, where there is no state or one of a
        training with another fingerprint.
    """
    try:
        with safe_open(folder / _FILE, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("fingerprint") != fingerprint:
                return None
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError):
        return None
    _load_model(model, tensors)
    _load_moments(optimizer, tensors)
    torch.set_rng_state(tensors["random.cpu"])
    if torch.cuda.is_available() and "random.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random.cuda"])
    history = [(step, name, value) for step, name, value in json.loads(metadata["history"])]
    return Position(json.loads(metadata["step"]), json.loads(metadata["seconds"]), history)


def _load_model(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in _state(model).items():
            value.copy_(tensors[f"model.{name}"])


def _load_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, number, name = key.split(".")
            state.setdefault(int(number), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _state(model: nn.Module) -> dict[str, Tensor]:
    """What training changes: parameters, and the running means of batch norms."""
    frozen = {name for name, each in model.named_parameters() if not each.requires_grad}
    return {name: each for name, each in model.state_dict().items() if name not in frozen}


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states
