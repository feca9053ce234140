"""Train one variant with one seed: token shards and captions in, a checkpoint out."""

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from semtok.events import Emit, ignore
from semtok.models.auxiliary import auxiliary_heads
from semtok.models.class_table import ClassText
from semtok.models.encoder import VisionConfig
from semtok.models.image_text import ImageTextModel, ModelConfig
from semtok.models.text import ScratchText, TextConfig, pretrained_tower
from semtok.params import CLASSES, EncoderSettings, TextSettings, TrainSettings, VariantSettings
from semtok.tokens.batch import PATCH
from semtok.tokens.collate import Collate
from semtok.tokens.shards import TokenShards
from semtok.train import (
    checkpoint,
    distributed,
    earlier,
    hardware,
    loop,
    processes,
    requirements,
    validation,
)
from semtok.train.batches import Data
from semtok.train.captions import Captions
from semtok.train.objective import Objective
from semtok.train.spending import spending
from semtok.train.text_tokenizer import TextTokenizer, learn, of_classes, of_tower
from semtok.workspace import fingerprint

#: Images of val at once, and of all, that say what gates keep.
_MEASURED = 100, 1000


def train(
    train_shards: Path,
    val_shards: Path,
    captions: pa.Table,
    variant: VariantSettings,
    encoder: EncoderSettings,
    text: TextSettings,
    settings: TrainSettings,
    seed: int,
    staging: Path,
    resume: Path,
    source: str,
    provenance: Mapping[str, Any],
    emit: Emit = ignore,
    probe: Callable[[], Mapping[str, float]] = dict,
) -> None:
    """Train a model, on CUDA where there is a device, and write its checkpoint.

    Of several processes that train together the first alone writes, and all return when it has.

    Args:
        train_shards: token shards of the training split.
        val_shards: of the validation split, by the same tokenizer.
        captions: the index's captions: caption_id, image_id, caption; of both splits at least.
        variant: what differs.
        encoder: the shared blocks.
        text: the shared text side.
        settings: the shared recipe.
        seed: of weights, batches and captions.
        staging: folder to write the checkpoint into.
        resume: folder for the resume state of this variant and seed. It stays, so that nothing
            is lost if the checkpoint is refused afterwards: remove it once that is published.
        source: fingerprint of the code; what another code has begun is not resumed.
        provenance: what the caller knows (commit, dirty tree, the search of the learning rate);
            goes to training.json.
        emit: told of progress and metrics.
        probe: measures the machine; its values become part of the history.

    Raises:
        SemtokError: shards and settings do not fit together, or the training diverged.
    """
    device = distributed.join(settings.batch_size)
    collate = Collate(
        variant.patch_size, variant.intangible, variant.permute_relations, seed, variant.features
    )
    shards = TokenShards(train_shards)
    own_captions = Captions(captions, shards.image_ids)
    text_config, text_tokenizer, text_weights = _text_side(text, own_captions)
    vision = _vision(shards, collate, variant)
    data = Data(
        shards,
        own_captions,
        collate,
        text_tokenizer,
        bool(variant.auxiliary),
        variant.gates.budgets if variant.gates else None,
        variant.keep_tokens,
    )

    torch.manual_seed(seed)
    model = ImageTextModel(ModelConfig(encoder, vision, text_config)).to(device)
    if text_weights is not None:
        model.text.load_state_dict(text_weights)
    # After the model, which so starts as it does without them.
    heads = auxiliary_heads(variant.auxiliary, encoder.width, len(shards.predicates) + 1)
    trained = checkpoint.Checkpoint(model, text_tokenizer, shards.tokens, collate)

    shards_of_val = trained.open_shards(val_shards)
    val = Data(shards_of_val, Captions(captions, shards_of_val.image_ids), collate, text_tokenizer)
    same = earlier.premises(
        train_shards, val_shards, captions, variant, encoder, text, settings, source
    )
    identity = fingerprint(same, str(seed), str(settings.learning_rate))
    done = loop.fit(
        Objective(model, heads.to(device)),
        lambda first_step: data.training(settings.batch_size, seed, first_step),
        settings,
        lambda: validation.validate(model, val, settings.batch_size),
        resume,
        identity,
        emit,
        probe,
    )
    if not processes.leads():
        distributed.wait()
        return
    facts = {
        "seed": seed,
        "premises": same,
        "steps": done.step,
        "learning_rate": settings.learning_rate,
        "training_seconds": done.seconds,
        "images_per_second": done.step * settings.batch_size / done.seconds,
        "device": hardware.name(device),
        "threads": torch.get_num_threads(),
        "processes": processes.count(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "parameters": model.parameters_by_role(),
        "auxiliary_parameters": sum(each.numel() for each in heads.parameters()),
        **validation.size(model, data),
        **_spending(model.eval(), val),
        **provenance,
    }
    checkpoint.save(staging, trained, done.history, facts)
    distributed.wait()


def _text_side(
    text: TextSettings, captions: Captions
) -> tuple[TextConfig, TextTokenizer, dict[str, Tensor] | None]:
    """The text encoder's configuration, its text tokenizer, and weights where it is pre-trained."""
    if text.tower == "scratch":
        tokenizer = learn(captions.every(), text.vocabulary, text.context)
        config = ScratchText(
            vocabulary=tokenizer.vocabulary,
            context=text.context,
            end=tokenizer.end,
            width=text.width,
            depth=text.depth,
            heads=text.heads,
        )
        return config, tokenizer, None
    if text.tower == CLASSES:
        tokenizer = of_classes(captions.every())
        return ClassText(len(tokenizer.classes)), tokenizer, None
    clip, weights = pretrained_tower(text.tower)
    context = min(text.context, clip.tower["max_position_embeddings"])
    return clip, of_tower(text.tower, clip.tower["vocab_size"], context), weights


def _spending(model: ImageTextModel, val: Data) -> dict[str, Any]:
    if model.config.vision.gates is None:
        return {}
    measured = (batch.tokens for batch in val.in_order(*_MEASURED))
    found = spending(model, measured)
    # What scores take: an image is encoded within a full budget, of which gates leave some.
    return {"spending": found, "flops_per_image": found[-1]["flops"]}


def _vision(shards: TokenShards, collate: Collate, variant: VariantSettings) -> VisionConfig:
    """What the encoder has to expect, from the token set of one image."""
    rows = shards.rows(np.arange(1))
    requirements.check(variant, rows, shards.folder)
    sample = collate(rows)
    patches = int((sample.kind[0] == PATCH).sum()) or None
    return VisionConfig(
        feature_dim=sample.features.shape[-1],
        patches=patches,
        # Patches know their place by a table of their own, all other tokens by their geometry.
        geometry=patches is None or variant.intangible,
        predicates=shards.predicates,
        intangible=variant.intangible,
        relation_bias=variant.relation_bias,
        neighbour_bias=variant.neighbour_bias,
        encoder=variant.encoder,
        bias_mode=variant.bias_mode,
        bias_value=variant.bias_value,
        predicate_embedding=variant.predicate_embedding,
        clusters=variant.clusters,
        cluster_order=variant.cluster_order,
        registers=variant.registers,
        key_mask=variant.key_mask is not None,
        gates=variant.gates,
        geometry_dim=sample.geometry.shape[-1],
    )
