"""Tiny CLIP and SigLIP models of transformers with random weights, saved as real ones are."""

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    CLIPConfig,
    CLIPModel,
    PreTrainedTokenizerFast,
    SiglipConfig,
    SiglipModel,
)

SIDE, PATCH, WIDTH, MLP, DEPTH, CONTEXT = 32, 8, 16, 24, 2, 12
_SHAPE = {
    "hidden_size": WIDTH,
    "intermediate_size": MLP,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 2,
}
_VISION = {**_SHAPE, "image_size": SIDE, "patch_size": PATCH}


def clip(folder: Path, seed: int = 0) -> Path:
    """Save a CLIP with its image processor, which crops, and its text tokenizer."""
    words, ids = text_tokenizer()
    words.save_pretrained(folder)
    text = {**_SHAPE, "max_position_embeddings": CONTEXT, **ids}
    config = CLIPConfig(text_config=text, vision_config=_VISION, projection_dim=10)
    sides = {"size": {"shortest_edge": SIDE}, "crop_size": {"height": SIDE, "width": SIDE}}
    _save(CLIPModel(config), folder, seed, {"image_processor_type": "CLIPImageProcessor", **sides})
    return folder


def siglip(folder: Path, seed: int = 0, text_width: int = WIDTH) -> Path:
    """Save a SigLIP likewise; its captions are embedded in `text_width` numbers."""
    words, ids = text_tokenizer()
    words.save_pretrained(folder)
    text = {**_SHAPE, "max_position_embeddings": CONTEXT, "projection_size": text_width, **ids}
    config = SiglipConfig(text_config=text, vision_config=_VISION)
    sides = {"size": {"height": SIDE, "width": SIDE}}
    settings = {"image_processor_type": "SiglipImageProcessor", **sides}
    _save(SiglipModel(config), folder, seed, settings)
    return folder


def pictures(root: Path, count: int = 5) -> list[str]:
    """Write noise of different sizes, one of it grey; returns the paths below `root`."""
    random = np.random.default_rng(0)
    names = []
    for number in range(count):
        shape = (40 + 7 * number, 70 - 5 * number) + ((3,) if number else ())
        names.append(f"val2017/{number + 1:012d}.png")
        path = root / names[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, shape, np.uint8)).save(path)
    return names


def text_tokenizer() -> tuple[PreTrainedTokenizerFast, dict[str, int]]:
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    words = Tokenizer(models.BPE())
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        special_tokens=[*special.values()], initial_alphabet=alphabet, show_progress=False
    )
    words.train_from_iterator(["a red cat sits on a mat"] * 3, trainer)
    ids = {name: words.get_vocab()[token] for name, token in special.items()}
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[("<s>", ids["bos_token"]), ("</s>", ids["eos_token"])],
    )
    named = {f"{name}_id": number for name, number in ids.items()}
    return (
        PreTrainedTokenizerFast(tokenizer_object=words, **special),
        {"vocab_size": words.get_vocab_size(), **named},
    )


def _save(model: CLIPModel | SiglipModel, folder: Path, seed: int, processor: dict) -> None:
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(0.1 * torch.randn(each.shape, generator=random))
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
