"""Ranks against a full sort and a plain loop in float64, and what ties and memory do."""

import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch.utils._python_dispatch import TorchDispatchMode

from semtok.bench import ranking
from semtok.bench.ranking import ranks
from semtok.errors import SemtokError
from semtok.events import Progress


def by_full_sort(images, texts, pairs):
    """The definition, one case at a time: sort all candidates, of equal ones the wrong first."""
    similarities = images.astype(np.float64) @ texts.astype(np.float64).T
    similarities = similarities.round(9)  # equal up to the order of summation is equal

    def place(scores, right):
        order = np.lexsort((right, -scores))
        return 1 + np.flatnonzero(right[order])[0]

    belong = np.zeros(similarities.shape, bool)
    belong[pairs[:, 1], pairs[:, 0]] = True
    of_images = [place(*each) for each in zip(similarities, belong, strict=True)]
    of_texts = [place(*each) for each in zip(similarities.T, belong.T, strict=True)]
    return of_images, of_texts


def belonging(owners):
    """Pairs of a text and an image, where each text belongs to one image."""
    return torch.stack([torch.arange(len(owners)), owners], dim=1)


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@st.composite
def cases(draw):
    count = draw(st.integers(1, 6))
    # Few different values, so that ties are common.
    rows = arrays.arrays(
        np.int64, st.tuples(st.just(count), st.just(3)), elements=st.integers(1, 3)
    )
    images = draw(rows)
    extra = draw(st.lists(st.integers(0, count - 1), max_size=8))
    owners = draw(st.permutations([*range(count), *extra]))
    texts = draw(arrays.arrays(np.int64, (len(owners), 3), elements=st.integers(1, 3)))
    more = draw(st.sets(st.tuples(*(st.integers(0, n - 1) for n in (len(owners), count)))))
    pairs = draw(st.permutations(sorted({*enumerate(owners), *more})))
    return unit(images), unit(texts), np.array(pairs)


@given(cases(), st.sampled_from([1, 100, 2**20]))
def test_ranks_are_those_of_a_full_sort(case, block):
    found = ranks(*map(torch.from_numpy, case), block=block)
    assert tuple(each.tolist() for each in found) == by_full_sort(*case)


def by_plain_loop(similarities, pairs):
    """The definition without rounding: wrong candidates that reach the best right one."""
    right = set(map(tuple, pairs.tolist()))
    texts, images = map(range, similarities.shape)

    def place(cases):
        best = max(similarities[each] for each in cases if each in right)
        return 1 + sum(
            similarities[each] >= best - ranking.TIE for each in cases if each not in right
        )

    of_images = [place([(text, image) for text in texts]) for image in images]
    return of_images, [place([(text, image) for image in images]) for text in texts]


#: Too near to one another for float32, which has steps of 6e-8 there; the last two are ties.
NEAR = [0.5 + step for step in (-2e-5, -1e-7, -1e-9, 1e-9, 1e-5, 0, 1e-13)]


@st.composite
def near_ties(draw):
    """Texts whose similarity to each image is the number in its column, to the last bit."""
    count = draw(st.integers(1, 5))
    owners = draw(st.permutations([*range(count)] * 2))
    values = st.sampled_from([*NEAR, 0.4, 0.6, -0.5])
    texts = draw(arrays.arrays(np.float64, (len(owners), count), elements=values))
    return texts, belonging(torch.tensor(owners))


@given(near_ties(), st.sampled_from([0, 2, ranking._ONE_IN]), st.sampled_from([1, 2**20]))
def test_near_ties_are_told_apart_as_in_float64(case, one_in, block):
    """Whether they are computed one by one, all at once, or now this and now that."""
    texts, pairs = case
    with mock.patch.object(ranking, "_ONE_IN", one_in):
        found = ranks(torch.eye(texts.shape[1]), torch.from_numpy(texts), pairs, block=block)
    assert tuple(each.tolist() for each in found) == by_plain_loop(texts, pairs)


class Products(TorchDispatchMode):
    """Rounds the factors of products in float32 as TF32 does, to 10 bits, where that is allowed."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        allowed = torch.get_float32_matmul_precision() != "highest"
        if allowed and func is torch.ops.aten.mm.default and args[0].dtype == torch.float32:
            args = [(each.view(torch.int32) & -(2**13)).view(torch.float32) for each in args]
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("allow", [None, "high", "tf32"])
def test_what_tf32_would_round_away_decides(allow):
    """Whether it is allowed for all devices or, by the older switch, for CUDA alone."""
    random = np.random.default_rng(2)
    images = unit(random.normal(size=(40, 32)))
    owners = random.permutation(np.arange(40).repeat(3))
    texts = unit(images[owners] + 1.2 * random.normal(size=(120, 32)))
    case = images, texts, belonging(torch.from_numpy(owners)).numpy()
    try:
        if allow == "tf32":
            torch.backends.cuda.matmul.allow_tf32 = True
        elif allow:
            torch.set_float32_matmul_precision(allow)
        with Products():
            found = ranks(*map(torch.from_numpy, case))
    finally:
        torch.set_float32_matmul_precision("highest")
    assert tuple(each.tolist() for each in found) == by_full_sort(*case)


@pytest.mark.parametrize("scale", [1e-9, 1e-6])
def test_images_that_are_almost_copies_are_told_apart(scale):
    random = np.random.default_rng(1)
    images = unit(random.normal(size=(8, 32))).astype(np.float64).repeat(4, axis=0)
    images += scale * random.normal(size=images.shape)
    owners = torch.from_numpy(random.permutation(np.arange(32).repeat(3)))
    texts = images[owners] + scale * random.normal(size=(96, 32))
    found = ranks(torch.from_numpy(images), torch.from_numpy(texts), belonging(owners))
    similarities = np.array([[float(np.dot(text, image)) for image in images] for text in texts])
    assert tuple(each.tolist() for each in found) == by_plain_loop(
        similarities, belonging(owners).numpy()
    )


def test_ranks_of_many_random_vectors_are_those_of_a_full_sort():
    random = np.random.default_rng(0)
    images = unit(random.normal(size=(60, 16)))
    owners = random.permutation(np.arange(60).repeat(5))
    texts = unit(images[owners] + random.normal(size=(300, 16)))
    case = images, texts, belonging(torch.from_numpy(owners)).numpy()
    found = ranks(*map(torch.from_numpy, case), block=4096)
    assert tuple(each.tolist() for each in found) == by_full_sort(*case)


def test_a_perfect_model_is_first_everywhere():
    images = torch.eye(7)
    owners = torch.arange(7).repeat_interleave(5)
    of_images, of_texts = ranks(images, images[owners], belonging(owners))
    assert set(of_images.tolist()) == set(of_texts.tolist()) == {1}


@pytest.mark.parametrize("width", [3, 128])
def test_a_constant_model_is_last_everywhere(width):
    vector = torch.nn.functional.normalize(torch.linspace(-1, 2, width), dim=0)
    owners = torch.arange(40).repeat_interleave(5)
    of_images, of_texts = ranks(
        vector.expand(40, -1), vector.expand(200, -1), belonging(owners), block=9999
    )
    assert set(of_images.tolist()) == {1 + 200 - 5}  # behind every caption of another image
    assert set(of_texts.tolist()) == {40}


class Work(TorchDispatchMode):
    """Counts products in float64, and how many places were listed at once at most."""

    def __init__(self):
        super().__init__()
        self.products, self.places = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        self.products += func is torch.ops.aten.mm.default and found.dtype == torch.float64
        if func is torch.ops.aten.nonzero.default:
            self.places = max(self.places, len(found))
        return found


@pytest.mark.parametrize("scale", [0.0, 1e-7])
def test_vectors_that_are_nearly_all_the_same_are_multiplied_once(scale):
    """One product in float64 a block serves both directions, and no pairs are listed."""
    random = np.random.default_rng(3)
    images = unit(np.ones((32, 8)) + scale * random.normal(size=(32, 8)))
    owners = random.permutation(np.arange(32).repeat(5))
    texts = unit(np.ones((160, 8)) + scale * random.normal(size=(160, 8)))
    rows = 20
    with Work() as work:
        found = ranks(
            torch.from_numpy(images),
            torch.from_numpy(texts),
            belonging(torch.from_numpy(owners)),
            block=8 * 32 * rows,
        )
    assert work.products == 160 / rows
    assert work.places <= rows * 32 / ranking._ONE_IN
    similarities = texts.astype(np.float64) @ images.astype(np.float64).T
    wanted = by_plain_loop(similarities, belonging(torch.from_numpy(owners)).numpy())
    assert tuple(each.tolist() for each in found) == wanted


def test_an_equal_caption_of_another_image_stands_before_its_own():
    images = torch.eye(3)
    texts = torch.stack([images[0], images[0], images[1], images[2]])
    of_images, of_texts = ranks(images, texts, belonging(torch.tensor([0, 1, 1, 2])))
    assert of_images.tolist() == [2, 1, 1]
    assert of_texts.tolist() == [1, 3, 1, 1]


def test_similarities_held_at_once_stay_within_the_block():
    images, owners = torch.eye(10), torch.arange(10).repeat_interleave(10)
    starts = []

    def emit(event):
        assert isinstance(event, Progress)
        starts.append(event.done)

    ranks(images, images[owners], belonging(owners), block=8 * 10 * 7, emit=emit)
    assert starts == [*range(0, 100, 7), 100]


@pytest.mark.slow
@pytest.mark.parametrize("different", [5000, 1])
def test_memory_stays_bounded_at_5000_images_and_25000_captions(different):
    """In float64 the whole matrix would take 1000 MB; where all are alike, all are near ties."""
    code = f"""
import resource, torch
from semtok.bench.ranking import ranks
torch.set_num_threads(1)
images = torch.nn.functional.normalize(torch.randn({different}, 8), dim=1)
images = images.repeat(5000 // {different}, 1)
owners = torch.arange(5000).repeat_interleave(5)
right = torch.stack([torch.arange(25000), owners], dim=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ranks(images, images[owners], right)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(out.stdout) < 250


@pytest.mark.slow
@pytest.mark.parametrize(
    ("switch", "bounded"),
    [
        ("pass", True),
        ("torch.set_float32_matmul_precision('medium')", False),
        ("torch.backends.cuda.matmul.allow_tf32 = True", False),
        ("torch.backends.cuda.matmul.fp32_precision = 'tf32'", False),
    ],
)
def test_every_switch_that_allows_tf32_is_seen(switch, bounded):
    """In a process of its own, as not every switch can be put back."""
    code = f"""
import torch
from semtok.bench.ranking import _is_bounded
{switch}
print(_is_bounded())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(bounded)


def test_what_is_not_finite_is_refused():
    images = torch.eye(3)
    images[1, 1] = torch.nan
    with pytest.raises(SemtokError, match="not finite"):
        ranks(images, torch.eye(3), belonging(torch.arange(3)))


def test_an_image_without_captions_is_refused():
    with pytest.raises(SemtokError, match="an image has no caption"):
        ranks(torch.eye(3), torch.eye(3)[:2], belonging(torch.arange(2)))
    with pytest.raises(SemtokError, match="a caption has no image"):
        ranks(torch.eye(3), torch.eye(3), torch.tensor([[0, 0], [0, 1], [0, 2], [1, 1]]))
