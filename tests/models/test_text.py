import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from semtok.errors import SemtokError
from semtok.models.text import ClipText, ScratchText, pretrained_tower, text_encoder

END = 2
CONFIG = ScratchText(vocabulary=20, context=9, end=END, width=16, depth=2, heads=2)


@pytest.fixture(scope="module")
def tower(tmp_path_factory):
    """A tiny CLIP text model with random weights, saved as transformers does."""
    torch.manual_seed(0)
    settings = CLIPTextConfig(
        vocab_size=20, hidden_size=16, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=9, projection_dim=12,
        bos_token_id=1, eos_token_id=END, pad_token_id=0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tower")
    CLIPTextModelWithProjection(settings).save_pretrained(folder)
    return folder


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**20), length=st.integers(1, 8), padding=st.integers(0, 20))
def test_what_follows_the_end_says_nothing(seed, length, padding) -> None:
    torch.manual_seed(seed)
    model = text_encoder(CONFIG, 12).double()
    ids = torch.randint(3, 20, (2, 9))
    ids[:, length] = END
    other = ids.clone()
    other[:, length + 1 :] = padding % 20
    torch.testing.assert_close(model(other), model(ids), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(model(ids[:, : length + 1]), model(ids), rtol=1e-9, atol=1e-11)
    other = ids.clone()
    other[:, 0] = 3 + (ids[:, 0] - 2) % 17
    assert not torch.allclose(model(other), model(ids))


@pytest.mark.parametrize("ends", [[3, 8, 0], [8, 8, 8]])
def test_the_end_token_is_what_causal_blocks_make_of_it(ends) -> None:
    torch.manual_seed(0)
    model = text_encoder(CONFIG, 12).double()
    ids = torch.randint(3, 20, (3, 9))
    ids[range(3), ends] = END
    x = model.token[ids] + model.position
    for block in model.blocks:
        x = block(x, causal=True)
    read = model.projection(model.norm(x[range(3), ends]))
    expected = read / read.square().sum(1, keepdim=True).sqrt()
    torch.testing.assert_close(model(ids), expected, rtol=1e-10, atol=1e-12)


def test_flops_are_what_torch_counts() -> None:
    model = text_encoder(CONFIG, 12)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(torch.full((3, 7), END))
    assert 3 * model.flops(7) == counter.get_total_flops()


def test_clip_tower_gives_what_transformers_gives_and_is_frozen(tower) -> None:
    config, weights = pretrained_tower(str(tower))
    # What a checkpoint does with it: JSON and weights, no folder of the tower.
    config = ClipText(**json.loads(json.dumps({"tower": config.tower})))
    model = text_encoder(config, 12)
    model.load_state_dict(weights)
    ids = torch.tensor([[1, 7, 8, END, 0, 0], [1, 9, 10, 11, 12, END]])
    reference = CLIPTextModelWithProjection.from_pretrained(tower).eval()
    expected = torch.nn.functional.normalize(reference(input_ids=ids).text_embeds, dim=-1)
    found = model.train()(ids)
    torch.testing.assert_close(found, expected)
    assert not found.requires_grad
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(ids)
    assert 2 * model.flops(6) == counter.get_total_flops()


def test_clip_tower_of_another_dimension(tower) -> None:
    config, _ = pretrained_tower(str(tower))
    with pytest.raises(SemtokError, match=r"encoder\.embedding: 64 .* set it to 12"):
        text_encoder(config, 64)


def test_clip_tower_that_is_not_there(tmp_path) -> None:
    with pytest.raises(SemtokError, match=r"text\.tower: .*no CLIP text model there"):
        pretrained_tower(str(tmp_path))


def test_clip_tower_without_its_projection(tower, tmp_path) -> None:
    CLIPTextModel.from_pretrained(tower).save_pretrained(tmp_path)
    with pytest.raises(SemtokError, match=r"no weights for text_projection\.weight"):
        pretrained_tower(str(tmp_path))
