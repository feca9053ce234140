"""The extractors' own networks once they are trained: read, told apart, run and measured."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from semtok.errors import SemtokError
from semtok.json_files import read_json

Network = TypeVar("Network", bound=nn.Module)

#: Raised with every change of an artifact's files or of their meaning.
FORMAT = 1


def load(folder: Path, network: Callable[[Mapping[str, Any]], Network]) -> list[Network]:
    """The networks of an artifact, one a fold, in evaluation mode.

    Args:
        folder: the artifact.
        network: makes a fresh one from `config.json`.

    Raises:
        SemtokError: a file is missing, damaged or of another format.
    """
    path = folder / "config.json"
    config = read_json(path)
    if config.get("format") != FORMAT:
        raise SemtokError(f"{path}: format {config.get('format')}, not {FORMAT}; train it again")
    found = []
    for fold in range(config["folds"]):
        each, weights = network(config), folder / f"fold-{fold}.safetensors"
        try:
            each.load_state_dict(load_file(weights))
        except (FileNotFoundError, SafetensorError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise SemtokError(f"{weights}: unreadable ({reason}); train it again") from None
        ready = each.to(device()).eval()
        found.append(ready.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
    return found


def identity(folder: Path) -> bytes:
    """What predictions depend on: the weights and the configuration, and not the clock."""
    total = hashlib.blake2b()
    for path in sorted([folder / "config.json", *folder.glob("fold-*.safetensors")]):
        total.update(path.read_bytes())
    return total.digest()


def device() -> torch.device:
    """CUDA where there is a device."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def size(network: nn.Module, look: Callable[[], object], images: int = 1) -> dict[str, float]:
    """Parameters of a network, and FLOPs of a look at one image; a multiply-add is two.

    Args:
        network: one of those that look.
        look: looks at so many images.
        images: FLOPs are the mean over them.
    """
    with FlopCounterMode(display=False) as counter:
        look()
    parameters = sum(each.numel() for each in network.parameters())
    return {"parameters": parameters, "flops_per_image": counter.get_total_flops() / images}
