import numpy as np
import pytest
import torch

from semtok.models.image_text import ImageTextModel
from semtok.tokens.batch import INTANGIBLE
from semtok.train import checkpoint, validation
from semtok.train.batches import Data
from semtok.train.captions import Captions
from semtok.train.train import train


@pytest.fixture(scope="module")
def trained(arguments, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    given = arguments("semantic", steps=4)
    train(**given, staging=folder, resume=folder / "resume")
    loaded = checkpoint.load(folder)
    shards = loaded.open_shards(given["val_shards"])
    captions = Captions(given["captions"], shards.image_ids)
    return loaded.model, Data(shards, captions, loaded.collate, loaded.text_tokenizer)


def test_validation_agrees_with_a_plain_computation(trained) -> None:
    model, data = trained
    found = validation.validate(model, data, batch_size=8)
    assert model.training
    with torch.no_grad():
        images = model.encode_image(data.collate(data.shards.rows(np.arange(20)))).double()
        captions = data.captions.first(data.shards.image_ids)
        texts = model.encode_text(data.text_tokenizer.encode(captions)).double()
    similarity = images @ texts.T
    own = similarity.diagonal()
    assert found["val/image_to_text_r1"] == pytest.approx(_wins(similarity, own))
    assert found["val/text_to_image_r1"] == pytest.approx(_wins(similarity.T, own))
    logits = similarity * model.logit_scale.item()
    losses = []
    for batch in (logits[:8, :8], logits[8:16, 8:16]):  # the last four images are an easier batch
        for each in (batch, batch.T):
            losses.append((each.logsumexp(1) - each.diagonal()).mean().item())
    assert found["val/loss"] == pytest.approx(np.mean(losses), rel=1e-5)


def _wins(similarity: torch.Tensor, own: torch.Tensor) -> float:
    rivals = (similarity >= own[:, None]).sum(1) - 1  # itself is no rival; a tie is one
    return float((rivals == 0).double().mean())


def test_size_is_the_mean_of_each_images(trained: tuple[ImageTextModel, Data]) -> None:
    model, data = trained
    batch = data.collate(data.shards.rows(np.arange(20)))
    tokens = batch.valid.sum(1).tolist()
    intangible = (batch.kind == INTANGIBLE).sum(1).tolist()
    flops = [model.vision.flops(*each) for each in zip(tokens, intangible, strict=True)]
    assert set(tokens) == {3, 5}
    assert validation.size(model, data) == {
        "tokens_per_image": pytest.approx(np.mean(tokens)),
        "flops_per_image": pytest.approx(np.mean(flops)),
    }
