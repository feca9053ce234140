"""A tiny model of open_clip with random weights, saved as its hub has them."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

SIDE, PATCH, WIDTH, DEPTH, CONTEXT = 32, 8, 64, 2, 12
_MODEL = {
    "embed_dim": 10,
    "vision_cfg": {"image_size": SIDE, "layers": DEPTH, "width": WIDTH, "patch_size": PATCH},
    "text_cfg": {
        "context_length": CONTEXT,
        "vocab_size": 49408,  # of open_clip's own text tokenizer
        "width": 16,
        "heads": 2,
        "layers": DEPTH,
    },
}


def save(folder: Path, **vision: Any) -> Path:
    """Save one, with other settings of its vision side; open_clip has to be installed."""
    from open_clip.model import CLIP

    torch.manual_seed(0)
    config = {**_MODEL, "vision_cfg": _MODEL["vision_cfg"] | vision}
    parts = {name: each for name, each in config.items() if name != "embed_dim"}
    model = CLIP(config["embed_dim"], **parts)
    random = {
        name: each + 0.1 * torch.randn_like(each) if each.is_floating_point() else each
        for name, each in _weights(model)
    }
    folder.mkdir(parents=True)
    save_file(random, folder / "open_clip_model.safetensors")
    sizes = {"mean": [0.5] * 3, "std": [0.25] * 3, "interpolation": "bicubic"}
    document = {"model_cfg": config, "preprocess_cfg": sizes}
    (folder / "open_clip_config.json").write_text(json.dumps(document))
    return folder


def _weights(model: torch.nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [(name, each.detach().contiguous()) for name, each in model.state_dict().items()]
