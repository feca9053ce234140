"""Tiny segmenters of transformers with random weights, saved as real ones are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers

from tests.bench.tiny_clip import text_tokenizer

LABELS = {0: "cat", 1: "mat", 2: "sky"}

_SWIN = transformers.SwinConfig(
    image_size=64,
    patch_size=4,
    embed_dim=8,
    depths=[1, 1, 1, 1],
    num_heads=[1, 1, 2, 2],
    window_size=4,
    out_features=["stage1", "stage2", "stage3", "stage4"],
)
_RESNET = transformers.ResNetConfig(
    embedding_size=8,
    hidden_sizes=[8, 8, 16, 16],
    depths=[1, 1, 1, 1],
    layer_type="basic",
    out_features=["stage1", "stage2", "stage3", "stage4"],
)
_DETR = {
    "d_model": 32,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_ffn_dim": 16,
    "decoder_ffn_dim": 16,
    "encoder_attention_heads": 8,
    "decoder_attention_heads": 8,
    "num_queries": 8,
}
_UNIVERSAL = {
    "backbone_config": _SWIN,
    "hidden_dim": 32,
    "encoder_feedforward_dim": 32,
    "dim_feedforward": 32,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "num_attention_heads": 2,
    "num_queries": 8,
}
_CLASSIFIERS = ("class_labels_classifier.bias", "class_predictor.bias", "class_embed.bias")
_SHORTEST = {"shortest_edge": 64, "longest_edge": 96}


def mask2former(folder: Path) -> Path:
    """One that stretches pictures to a square."""
    config = transformers.Mask2FormerConfig(
        **_UNIVERSAL, feature_size=32, mask_feature_size=32, id2label=LABELS
    )
    network = transformers.Mask2FormerForUniversalSegmentation(config)
    size = {"height": 64, "width": 64}
    return _save(
        network, folder, {"image_processor_type": "Mask2FormerImageProcessor", "size": size}
    )


def maskformer(folder: Path) -> Path:
    """One whose pictures keep their shape."""
    config = transformers.MaskFormerConfig(
        backbone_config=_SWIN,
        decoder_config=transformers.DetrConfig(**_DETR),
        fpn_feature_size=32,
        mask_feature_size=32,
        id2label=LABELS,
    )
    network = transformers.MaskFormerForInstanceSegmentation(config)
    settings = {"image_processor_type": "MaskFormerImageProcessor", "size": _SHORTEST}
    return _save(network, folder, settings)


def oneformer(folder: Path) -> Path:
    """One that is told its task, and whose image processor would fetch names of classes."""
    words, _ = text_tokenizer()
    words.save_pretrained(folder)
    config = transformers.OneFormerConfig(
        **_UNIVERSAL,
        mask_dim=32,
        conv_dim=32,
        text_encoder_width=16,
        text_encoder_context_length=16,
        text_encoder_num_layers=1,
        text_encoder_vocab_size=len(words),
        text_encoder_proj_layers=1,
        text_encoder_n_ctx=2,
        task_seq_len=16,
        num_classes=len(LABELS),
        id2label=LABELS,
        is_training=False,
    )
    network = transformers.OneFormerForUniversalSegmentation(config)
    settings = {
        "image_processor_type": "OneFormerImageProcessor",
        "size": _SHORTEST,
        "class_info_file": "coco_panoptic.json",
        "repo_path": "shi-labs/oneformer_demo",
    }
    return _save(network, folder, settings)


def detr(folder: Path) -> Path:
    """A DETR-panoptic; with random weights all of its queries draw one mask."""
    config = transformers.DetrConfig(backbone_config=_RESNET, **_DETR, id2label=LABELS)
    network = transformers.DetrForSegmentation(config)
    settings = {"image_processor_type": "DetrImageProcessor", "size": _SHORTEST}
    return _save(network, folder, settings)


def sam2(folder: Path) -> Path:
    """A SAM 2 for 64 x 64 pixels, as those of the hub: its config is that for videos."""
    hiera = transformers.Sam2HieraDetConfig(
        hidden_size=4,
        num_attention_heads=1,
        image_size=[64, 64],
        blocks_per_stage=[1, 1, 1, 1],
        embed_dim_per_stage=[4, 8, 16, 32],
        num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[],
        window_positional_embedding_background_size=[4, 4],
    )
    vision = transformers.Sam2VisionConfig(
        backbone_config=hiera,
        backbone_channel_list=[32, 16, 8, 4],
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        fpn_hidden_size=16,
    )
    prompts = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
    decoder = {
        "hidden_size": 16,
        "mlp_dim": 16,
        "num_attention_heads": 2,
        "iou_head_hidden_dim": 16,
    }
    config = transformers.Sam2Config(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    settings = {
        "image_processor_type": "Sam2ImageProcessorFast",
        "processor_class": "Sam2VideoProcessor",
        "size": {"height": 64, "width": 64},
        "mask_size": {"height": 16, "width": 16},
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }
    network = transformers.Sam2Model(config)
    with torch.no_grad():  # or all masks are unstable
        for head in network.mask_decoder.output_hypernetworks_mlps:
            head.proj_out.weight.mul_(300)
    _save(network, folder, settings)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"model_type": "sam2_video"}))
    return folder


UNIVERSAL: dict[str, Callable[[Path], Path]] = {
    each.__name__: each for each in (mask2former, maskformer, oneformer, detr)
}


def written(kind: str, folder: Path) -> Path:
    """Write one of `UNIVERSAL`, or `sam2`, always the same."""
    torch.manual_seed(0)
    return ({**UNIVERSAL, "sam2": sam2})[kind](folder)


def _save(network: Any, folder: Path, processor: dict) -> Path:
    random = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in network.parameters():
            each.add_(0.15 * torch.randn(each.shape, generator=random))
        for name, each in network.named_parameters():
            if name.endswith(_CLASSIFIERS):
                each[-1] -= 5  # or most of what is seen is nothing
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return folder
