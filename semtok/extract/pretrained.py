"""Models of transformers that were trained elsewhere: found on this machine, read, told apart.

No stage asks the network, unpickles weights or runs code that comes with a model.
"""

import hashlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from semtok.errors import SemtokError, installing
from semtok.extract.trained import device

#: Files that say what a model computes; what `hf download` notes beside them does not count.
_TELLING = ("*.json", "*.txt", "*.safetensors")


def locate(name: str, setting: str, project: Path) -> Path:
    """The folder of a model.

    Args:
        name: a folder that `save_pretrained` wrote, or the id of a model that is in the hub's cache
            on this machine.
        setting: names it in errors.
        project: the folder that relative names of folders start from.

    Raises:
        SemtokError: it is neither; says how to fetch it.
    """
    folder = project / name
    if (folder / "config.json").is_file():
        return folder
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, local_files_only=True))
    except ImportError:
        raise _not_installed(setting) from None
    except (OSError, ValueError):  # no id at all, or none that was fetched
        raise SemtokError(
            f"{setting}: {name}: no folder of a model (config.json), nor in the hub's cache here; "
            f"fetch it: hf download {name}"
        ) from None


def read(folder: Path, setting: str, loader: str, what: str, **options: Any) -> Any:
    """What a class of transformers reads from a folder.

    Args:
        folder: as `locate` gives it.
        setting: names the model in errors.
        loader: the class.
        what: it reads, for errors.
        options: of its `from_pretrained`.

    Raises:
        SemtokError: transformers is not installed, or the folder holds no such thing.
    """
    try:
        import transformers
    except ImportError:
        raise _not_installed(setting) from None
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        return getattr(transformers, loader).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
    except Exception as error:  # of many kinds, as many libraries read the files
        reason = str(error).strip().partition("\n")[0]
        raise SemtokError(f"{setting}: {folder}: holds no {what} ({reason})") from None


def read_weights(folder: Path, setting: str, loader: str) -> Any:
    """A model with all of its weights, in evaluation mode, on a GPU where there is one.

    Args:
        folder, setting, loader: as of `read`.

    Raises:
        SemtokError: as `read`, or a weight is missing or is none of safetensors.
    """
    network, report = read(
        folder,
        setting,
        loader,
        "safetensors that fit its config.json",
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
    )
    if missing := sorted(report["missing_keys"]):
        raise SemtokError(
            f"{setting}: {folder}: has no weights for {', '.join(missing[:3])}; save all of it"
        )
    network.requires_grad_(False).eval()
    return network.to(device())


def identity(folder: Path) -> bytes:
    """What a model's answers depend on: its files, by name and content, and their reader."""
    total = hashlib.blake2b(version("transformers").encode())
    for path in sorted(each for pattern in _TELLING for each in folder.glob(pattern)):
        with path.open("rb") as stream:
            total.update(path.name.encode())
            total.update(hashlib.file_digest(stream, hashlib.blake2b).digest())
    return total.digest()


def _not_installed(setting: str) -> SemtokError:
    return SemtokError(f"{setting}: reading it needs transformers; {installing('clip')}")
