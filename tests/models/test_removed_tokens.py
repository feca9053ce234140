"""A token set of which tokens are removed is one that never had them."""

from dataclasses import replace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from semtok.models.adaptive import run
from semtok.models.encoder import VisionConfig, VisualTokenEncoder
from semtok.params import EncoderSettings
from semtok.tokens.batch import SUPERPIXEL, TokenBatch

NAMES = ("on", "under", "holding")
SEMANTIC = VisionConfig(16, None, True, NAMES, True, True, True, registers=1)
GRID = VisionConfig(48, 4, False, (), False, False, False)


def encoder(vision, depth=3):
    torch.manual_seed(0)
    made = VisualTokenEncoder(vision, EncoderSettings(16, depth, 2, 2.0, 12)).eval()
    for table in made.bias.parameters():
        torch.nn.init.normal_(table)
    return made


def never_had(batch, among):
    """The same images, whose token sets never had some of their tokens: rows are cut out."""
    left = [torch.nonzero(each)[:, 0] for each in among & batch.valid]
    longest = max(map(len, left))

    def cut(field, fill):
        found = torch.full((len(left), longest, *field.shape[2:]), fill, dtype=field.dtype)
        for image, places in enumerate(left):
            found[image, : len(places)] = field[image, places]
        return found

    def moved(pointers):
        found = torch.full_like(pointers, -1)
        for image, places in enumerate(left):
            new = {-1: -1} | {int(old): number for number, old in enumerate(places)}
            flat = [new.get(int(each), -1) for each in pointers[image].flatten()]
            found[image] = torch.tensor(flat).view(pointers.shape[1:])
        return found

    edges = batch.edges.clone()
    for column in (0, 1, 3):
        edges[..., column] = moved(batch.edges[..., column])
    return TokenBatch(
        cut(batch.features, 0),
        cut(batch.geometry, 0.0),
        cut(batch.kind, 0),
        cut(batch.valid, False),
        edges,
        moved(cut(batch.neighbours, -1)),
    )


COUNTS = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=3)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**20), counts=COUNTS, kept=st.floats(0, 1))
def test_removed_tokens_were_never_there(regions_of, seed, counts, kept):
    batch = regions_of(seed, *map(list, zip(*counts, strict=True)))
    random = torch.Generator().manual_seed(seed)
    among = torch.rand(batch.kind.shape, generator=random) < kept
    model = encoder(SEMANTIC)
    with torch.no_grad():
        found = run(model, batch, among=among).embedding
        torch.testing.assert_close(
            found, model(never_had(batch, among)), rtol=0, atol=1e-6, check_dtype=True
        )


def test_removed_patches_leave_the_others_in_their_place(patches_of):
    batch, model = patches_of(0, 5), encoder(GRID)
    among = torch.rand(batch.kind.shape, generator=torch.Generator().manual_seed(1)) < 0.6
    with torch.no_grad():
        found = run(model, batch, among=among).embedding
        masked = model(replace(batch, valid=among))
        torch.testing.assert_close(found, masked, rtol=0, atol=1e-6)
        assert (found - model(batch)).abs().max() > 0.01


def test_masked_keys_stay_away(related_of):
    vision = VisionConfig(48, 4, True, NAMES, True, True, False, key_mask=True)
    batch, model = related_of(0, [3, 2], [2, 3]), encoder(vision)
    foreground = batch.valid & (torch.arange(batch.valid.shape[1]) % 3 > 0)
    batch = replace(batch, foreground=foreground)
    with torch.no_grad():
        torch.testing.assert_close(
            run(model, batch, among=batch.valid).embedding, model(batch), rtol=0, atol=1e-6
        )


def test_superpixels_are_removed_too():
    vision = VisionConfig(16, None, True, (), False, False, False, geometry_dim=256)
    model = encoder(vision, depth=2)
    random = torch.Generator().manual_seed(0)
    shape = (3, 7)
    batch = TokenBatch(
        features=torch.randint(0, 256, (*shape, 16), generator=random, dtype=torch.uint8),
        geometry=torch.rand(*shape, 256, generator=random),
        kind=torch.full(shape, SUPERPIXEL),
        valid=torch.arange(7)[None] < torch.tensor([[7], [4], [6]]),
        edges=torch.empty(3, 0, 4, dtype=torch.int64),
        neighbours=torch.empty(*shape, 0, dtype=torch.int64),
    )
    among = torch.rand(shape, generator=random) < 0.5
    with torch.no_grad():
        found = run(model, batch, among=among).embedding
        torch.testing.assert_close(found, model(never_had(batch, among)), rtol=0, atol=1e-6)
