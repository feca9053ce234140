"""Pixels -> superpixels by levels of merging: the tokenizer of SPiT (arXiv 2408.07680).

Vertices are pixels at first, and edges join neighbours (of 4). At each level every vertex keeps the
one of its edges that scores highest, and what hangs together by kept edges becomes a vertex of the
next level. An edge between two vertices scores by the cosine of their features; the edge of a
vertex with itself, which a merged one has, by how large it is already. Regions so grow about
fourfold a level. At last, if asked for, neighbours whose features hardly differ become one.

The images of a batch are one graph without edges between them, and nothing that one image is
compared with comes from another. All sums are of whole numbers and all choices among equals go by
the number of the edge, so the order in which a device adds or compares changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from semtok.tokens.superpixel.vertices import pixel_features

#: How far a size counts, in standard deviations, for or against a vertex staying as it is.
_CLIP = 0.75

#: Features are averaged as multiples of this.
_UNIT = 2.0**-30

#: Edges of equal score are ordered by their number times this odd number, modulo 2^32: by the
#: numbers themselves, plain areas would merge into rows.
_SHUFFLE = 0x9E3779B1
_UNSHUFFLE = pow(_SHUFFLE, -1, 2**32)
_LOWER = 2**32 - 1  # bits of a number modulo 2^32


@dataclass(frozen=True)
class Partition:
    """The regions of B images of H x W pixels, each pixel in one, each connected (of 4).

    Attributes:
        labels: [B, H, W] int64, the region of each pixel. Regions are counted through the batch, in
            the images' order and within an image in the order of their first pixels.
        counts: [B] int64, regions of each image; they sum to R.
    """

    labels: Tensor
    counts: Tensor

    @property
    def image(self) -> Tensor:
        """[R] int64, the image of each region."""
        return _owners(self.counts)


def superpixels(
    images: Tensor, levels: int, compactness: float = 0.0, final_threshold: float = 0.0
) -> Partition:
    """Cut images into superpixels.

    Args:
        images: [B, H, W, 3] uint8 RGB, on any device.
        levels: T, how often vertices merge; 0 leaves pixels.
        compactness: how much the roundness of what would merge counts beside its likeness, 0..1.
        final_threshold: behind the last level all neighbours merge between whose differences, one
            a feature, there is less than this from the least to the most (4 at most); 0: none do.
    """
    # A CPU takes less time for each alone: what it works on then stays in its caches.
    together = 1 if images.device.type == "cpu" else len(images)
    return _in_turn(
        merge(pixel_features(some), levels, compactness, final_threshold)
        for some in torch.split(images, together)
    )


def merge(
    features: Tensor, levels: int, compactness: float = 0.0, final_threshold: float = 0.0
) -> Partition:
    """Merge the pixels of images, from their features.

    Args:
        features: [B, H, W, C], each at least -1 and at most 1.
        levels, compactness, final_threshold: as of `superpixels`.
    """
    images, height, width, _ = features.shape
    graph = _Graph.of_pixels(features, boxes=compactness > 0)
    labels = torch.arange(len(graph.size), device=features.device)
    for _ in range(levels):
        number = _components(graph.chosen(graph.scores(compactness)))
        labels, graph = _at(number, labels), graph.contracted(number)
    if final_threshold:
        number = _joined(len(graph.size), *graph.alike(final_threshold))
        labels, graph = _at(number, labels), graph.contracted(number)
    return Partition(labels.view(images, height, width), graph.counts)


def _in_turn(parts: Iterable[Partition]) -> Partition:
    """Partitions of some images each, as one of all."""
    labels, counts, before = [], [], 0
    for part in parts:
        labels.append(part.labels + before)
        counts.append(part.counts)
        before += int(part.counts.sum())
    return Partition(torch.cat(labels), torch.cat(counts))


@dataclass(frozen=True)
class _Graph:
    """V vertices of B images, image by image, and E edges, in the order of their ends.

    Attributes:
        counts: [B] int64, vertices of each image.
        features: C of [V].
        size: [V] int64 pixels.
        box: four of [V] int64, first row and column, last row and column; none if no one asks.
        ends: two of [E] int64, the first never larger.
    """

    counts: Tensor
    features: tuple[Tensor, ...]
    size: Tensor
    box: tuple[Tensor, ...]
    ends: tuple[Tensor, Tensor]

    @property
    def start(self) -> Tensor:
        """[B] int64, the first vertex of each image."""
        return self.counts.cumsum(0) - self.counts

    @classmethod
    def of_pixels(cls, features: Tensor, boxes: bool) -> "_Graph":
        """Every pixel a vertex, joined with the one to its right and the one below."""
        images, height, width, _ = features.shape
        # The edges of a row, which are the same for all but the last: below it there is none.
        number = torch.arange(2 * width - 1, device=features.device)
        near = number // 2
        far = near + torch.where((number % 2 == 0) & (near < width - 1), 1, width)
        pixel = torch.arange(images * height * width, device=features.device)
        pixel = pixel.view(images, height, width)
        rows, last = pixel[:, :-1, :1], pixel[:, -1]
        first = torch.cat([(rows + near).flatten(1), last[:, :-1]], dim=1)
        second = torch.cat([(rows + far).flatten(1), last[:, 1:]], dim=1)
        box = (pixel // width % height, pixel % width) * 2 if boxes else ()
        return cls(
            counts=pixel.new_full((images,), height * width),
            features=tuple(each.flatten() for each in features.unbind(-1)),
            size=torch.ones_like(pixel).flatten(),
            box=tuple(each.flatten() for each in box),
            ends=(first.flatten(), second.flatten()),
        )

    def scores(self, compactness: float) -> Tensor:
        """How gladly the ends of each edge are one region, [E], 0..1."""
        first, second = self.ends
        ones, others = ([_at(each, end) for each in self.features] for end in self.ends)
        norms = _dot(self.features, self.features).sqrt()
        # Features of all zeros are like nothing, as far as angles go.
        lengths = (_at(norms, first) * _at(norms, second)).clamp_(min=1e-12)
        likeness = _dot(ones, others).div_(lengths)
        own = first == second
        if own.any():  # of pixels there are none
            likeness = torch.where(own, _at(self._largeness(), first), likeness)
        score = likeness.add_(1).div_(2)
        if not compactness:
            return score
        low = [torch.minimum(_at(each, first), _at(each, second)) for each in self.box[:2]]
        high = [torch.maximum(_at(each, first), _at(each, second)) for each in self.box[2:]]
        across = high[0] - low[0] + high[1] - low[1] + 2
        pixels = _at(self.size, first)
        pixels = pixels + torch.where(own, 0, _at(self.size, second))
        round_ = (4 * pixels / across.square()).clamp(max=1).to(score.dtype)
        return compactness * round_ + (1 - compactness) * score

    def _largeness(self) -> Tensor:
        """Standard deviations of its image by which a vertex exceeds twice the mean size, [V]."""
        image, count = _owners(self.counts), self.counts
        total, squares = (
            _sums(each, image, len(count)) for each in (self.size, self.size.square())
        )
        variance = (count * squares - total.square()) / (count * (count - 1)).clamp(min=1)
        deviation = variance.to(torch.float64).sqrt().clamp(min=1e-6)
        mean = 2 * total.to(torch.float64) / count
        excess = (self.size - _at(mean, image)) / _at(deviation, image)
        return excess.clamp(-_CLIP, _CLIP).to(self.features[0].dtype)

    def chosen(self, scores: Tensor) -> Tensor:
        """For each vertex the other end of the edge that it keeps, [V].

        Scores are compared in float32, and where they are equal, by the shuffled numbers of edges
        within their image.

        Args:
            scores: [E].
        """
        first, second = self.ends
        vertex = torch.arange(len(self.size), device=first.device)
        if not len(first):  # images of one pixel; in all others every vertex has an edge
            return vertex
        before = torch.searchsorted(first, self.start)  # the edges of earlier images
        before = _at(before, _owners(self.counts))
        number = torch.arange(len(first), device=first.device) - _at(before, first)
        # Floats of no sign are ordered as their bits are; behind these the order has room.
        keys = scores.float().clamp(min=0).view(torch.int32).long() << 32
        keys |= number.mul_(_SHUFFLE).bitwise_and_(_LOWER)
        best = keys.new_zeros(len(self.size))
        best.scatter_reduce_(0, first, keys, "amax").scatter_reduce_(0, second, keys, "amax")
        kept = (best * _UNSHUFFLE & _LOWER) + before  # wraps, modulo 2^64
        return _at(first, kept) + _at(second, kept) - vertex

    def alike(self, threshold: float) -> tuple[Tensor, Tensor]:
        """The ends of the edges across which all features change by nearly the same.

        Args:
            threshold: what lies between the largest change and the smallest is less.
        """
        first, second = self.ends
        change = torch.stack([_at(each, first) - _at(each, second) for each in self.features])
        kept = change.amax(dim=0) - change.amin(dim=0) < threshold
        return first[kept], second[kept]

    def contracted(self, number: Tensor) -> "_Graph":
        """The graph of components.

        Args:
            number: [V] int64, the component of each vertex.
        """
        count = int(number.max()) + 1
        members = _sums(torch.ones_like(number), number, count)
        units = [(each / _UNIT).round_().long() for each in self.features]
        means = [_sums(each, number, count).to(torch.float64) / members * _UNIT for each in units]
        first, second = (_at(number, each) for each in self.ends)
        pairs = torch.minimum(first, second).mul_(count).add_(torch.maximum(first, second))
        # Numbers of 32 bits, where these do, are sorted in two thirds of the time.
        pairs = torch.unique(pairs.int() if count**2 <= 2**31 else pairs)
        start = _at(number, self.start)  # like vertices, components are counted image by image
        box = [
            each.new_zeros(count).scatter_reduce_(0, number, each, how, include_self=False)
            for each, how in zip(self.box, ("amin", "amin", "amax", "amax"), strict=False)
        ]
        return _Graph(
            counts=start.diff(append=start.new_tensor([count])),
            features=tuple(each.to(self.features[0].dtype) for each in means),
            size=_sums(self.size, number, count),
            box=tuple(box),
            ends=((pairs // count).long(), (pairs % count).long()),
        )


def _components(chosen: Tensor) -> Tensor:
    """The connected components of a graph in which every vertex names one other, or itself.

    Whoever follows the names comes to a vertex that names itself, or to two that name each other:
    the scores are ordered strictly, so no longer circle can be.

    Args:
        chosen: [V] int64.

    Returns:
        [V] int64, numbers from 0 in the order of the components' first vertices.
    """
    vertex = torch.arange(len(chosen), device=chosen.device)
    mutual = _at(chosen, chosen) == vertex
    root = torch.where(mutual & (vertex < chosen), vertex, chosen)
    while not torch.equal(further := _at(root, root), root):
        root = further
    return _numbered(_at(vertex.clone().scatter_reduce_(0, root, vertex, "amin"), root))


def _joined(vertices: int, first: Tensor, second: Tensor) -> Tensor:
    """The connected components of a graph of any edges, numbered as of `_components`.

    Args:
        vertices: V.
        first, second: [E] int64, the ends of each edge.
    """
    low = torch.arange(vertices, device=first.device)
    while True:
        # Each vertex knows one of its component that is no later than itself, at last the first.
        further = low.scatter_reduce(0, first, _at(low, second), "amin")
        further.scatter_reduce_(0, second, _at(low, first), "amin")
        further = _at(further, further)
        if torch.equal(further, low):
            return _numbered(low)
        low = further


def _numbered(first: Tensor) -> Tensor:
    """Numbers from 0, [V], of components that are named by their first vertices, [V]."""
    vertex = torch.arange(len(first), device=first.device)
    return _at((first == vertex).cumsum(0) - 1, first)


def _dot(one: Sequence[Tensor], other: Sequence[Tensor]) -> Tensor:
    """Scalar products, each summed from left to right."""
    total = one[0] * other[0]
    for each, its in zip(one[1:], other[1:], strict=True):
        total += each * its
    return total


def _at(values: Tensor, places: Tensor) -> Tensor:
    """The values [N] at places, in a third of the time that `values[places]` takes on a CPU."""
    return values.index_select(0, places)


def _sums(values: Tensor, number: Tensor, count: int) -> Tensor:
    """Sums of whole numbers over those of each number, [count]."""
    return values.new_zeros(count).scatter_add_(0, number, values)


def _owners(counts: Tensor) -> Tensor:
    """For each of so many things of each image its image, int64."""
    images = torch.arange(len(counts), device=counts.device)
    return images.repeat_interleave(counts)
