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
        images = torch.arange(len(self.counts), device=self.counts.device)
        return images.repeat_interleave(self.counts)


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
    return merge(pixel_features(images), levels, compactness, final_threshold)


def merge(
    features: Tensor, levels: int, compactness: float = 0.0, final_threshold: float = 0.0
) -> Partition:
    """Merge the pixels of images, from their features.

    Args:
        features: [B, H, W, C], each at least -1 and at most 1.
        levels, compactness, final_threshold: as of `superpixels`.
    """
    images, height, width, _ = features.shape
    graph = _Graph.of_pixels(features)
    labels = torch.arange(len(graph.size), device=features.device)
    for _ in range(levels):
        number = _components(graph.chosen(graph.scores(compactness)))
        labels, graph = number[labels], graph.contracted(number)
    if final_threshold:
        number = _joined(len(graph.size), *graph.alike(final_threshold))
        labels, graph = number[labels], graph.contracted(number)
    return Partition(labels.view(images, height, width), _counts(graph.image, images))


@dataclass(frozen=True)
class _Graph:
    """V vertices of B images, image by image, and E edges, in the order of their ends.

    Attributes:
        images: B.
        image: [V] int64.
        features: [V, C].
        size: [V] int64 pixels.
        box: four of [V] int64: first row and column, last row and column.
        ends: two of [E] int64, the first never larger.
    """

    images: int
    image: Tensor
    features: Tensor
    size: Tensor
    box: tuple[Tensor, Tensor, Tensor, Tensor]
    ends: tuple[Tensor, Tensor]

    @classmethod
    def of_pixels(cls, features: Tensor) -> "_Graph":
        """Every pixel a vertex, joined with the one to its right and the one below."""
        images, height, width, channels = features.shape
        pixel = torch.arange(images * height * width, device=features.device)
        pixel = pixel.view(images, height, width)
        further = torch.stack([pixel + 1, pixel + width], dim=-1)
        inside = torch.ones_like(further, dtype=torch.bool)
        inside[:, :, -1, 0] = False
        inside[:, -1, :, 1] = False
        row, column = (pixel // width) % height, pixel % width
        return cls(
            images=images,
            image=(pixel // (height * width)).flatten(),
            features=features.reshape(-1, channels),
            size=torch.ones_like(pixel).flatten(),
            box=(row.flatten(), column.flatten(), row.flatten(), column.flatten()),
            ends=(pixel[..., None].expand_as(further)[inside], further[inside]),
        )

    def scores(self, compactness: float) -> Tensor:
        """How gladly the ends of each edge are one region, [E], 0..1."""
        first, second = self.ends
        norms = _dot(self.features, self.features).sqrt()
        product = _dot(self.features[first], self.features[second])
        # Features of all zeros are like nothing, as far as angles go.
        likeness = product / (norms[first] * norms[second]).clamp(min=1e-12)
        likeness = torch.where(first == second, self._largeness()[first], likeness)
        score = (likeness + 1) / 2
        if not compactness:
            return score
        low = [torch.minimum(each[first], each[second]) for each in self.box[:2]]
        high = [torch.maximum(each[first], each[second]) for each in self.box[2:]]
        across = high[0] - low[0] + high[1] - low[1] + 2
        pixels = self.size[first] + torch.where(first == second, 0, self.size[second])
        round_ = (4 * pixels / across.square()).clamp(max=1).to(score.dtype)
        return compactness * round_ + (1 - compactness) * score

    def _largeness(self) -> Tensor:
        """Standard deviations of its image by which a vertex exceeds twice the mean size, [V]."""
        count = _counts(self.image, self.images)
        total = _sums(self.size, self.image, self.images)
        squares = _sums(self.size.square(), self.image, self.images)
        variance = (count * squares - total.square()) / (count * (count - 1)).clamp(min=1)
        deviation = variance.to(torch.float64).sqrt().clamp(min=1e-6)
        mean = 2 * total.to(torch.float64) / count
        excess = (self.size - mean[self.image]) / deviation[self.image]
        return excess.clamp(-_CLIP, _CLIP).to(self.features.dtype)

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
        of_image = self.image[first]
        per_image = _counts(of_image, self.images)
        before = per_image.cumsum(0) - per_image
        number = torch.arange(len(first), device=first.device) - before[of_image]
        # Floats of no sign are ordered as their bits are; behind these the order has room.
        keys = scores.float().clamp(min=0).view(torch.int32).long() << 32
        keys |= number * _SHUFFLE % 2**32
        best = keys.new_zeros(len(self.size))
        best.scatter_reduce_(0, first, keys, "amax").scatter_reduce_(0, second, keys, "amax")
        kept = (best & 0xFFFFFFFF) * _UNSHUFFLE % 2**32 + before[self.image]  # wraps, mod 2^64
        return first[kept] + second[kept] - vertex

    def alike(self, threshold: float) -> tuple[Tensor, Tensor]:
        """The ends of the edges across which all features change by nearly the same.

        Args:
            threshold: what lies between the largest change and the smallest is less.
        """
        first, second = self.ends
        change = self.features[first] - self.features[second]
        kept = change.amax(dim=1) - change.amin(dim=1) < threshold
        return first[kept], second[kept]

    def contracted(self, number: Tensor) -> "_Graph":
        """The graph of components.

        Args:
            number: [V] int64, the component of each vertex.
        """
        count = int(number.max()) + 1
        members = _sums(torch.ones_like(number), number, count)
        units = (self.features.to(torch.float64) / _UNIT).round().long()
        means = [_sums(each, number, count).to(torch.float64) / members * _UNIT for each in units.T]
        first, second = (number[each] for each in self.ends)
        low, high = torch.minimum(first, second), torch.maximum(first, second)
        pairs = torch.unique(low * count + high)
        box = [
            each.new_zeros(count).scatter_reduce_(0, number, each, how, include_self=False)
            for each, how in zip(self.box, ("amin", "amin", "amax", "amax"), strict=True)
        ]
        return _Graph(
            images=self.images,
            image=number.new_zeros(count).scatter(0, number, self.image),
            features=torch.stack(means, dim=1).to(self.features.dtype),
            size=_sums(self.size, number, count),
            box=(box[0], box[1], box[2], box[3]),
            ends=(pairs // count, pairs % count),
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
    mutual = chosen[chosen] == vertex
    root = torch.where(mutual & (vertex < chosen), vertex, chosen)
    while not torch.equal(further := root[root], root):
        root = further
    return _numbered(vertex.clone().scatter_reduce_(0, root, vertex, "amin")[root])


def _joined(vertices: int, first: Tensor, second: Tensor) -> Tensor:
    """The connected components of a graph of any edges, numbered as of `_components`.

    Args:
        vertices: V.
        first, second: [E] int64, the ends of each edge.
    """
    low = torch.arange(vertices, device=first.device)
    while True:
        # Each vertex knows one of its component that is no later than itself, at last the first.
        further = low.scatter_reduce(0, first, low[second], "amin")
        further.scatter_reduce_(0, second, low[first], "amin")
        further = further[further]
        if torch.equal(further, low):
            return _numbered(low)
        low = further


def _numbered(first: Tensor) -> Tensor:
    """Numbers from 0, [V], of components that are named by their first vertices, [V]."""
    vertex = torch.arange(len(first), device=first.device)
    return ((first == vertex).cumsum(0) - 1)[first]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Scalar products of rows, each summed from left to right, however many rows there are."""
    total = one[:, 0] * other[:, 0]
    for channel in range(1, one.shape[1]):
        total = total + one[:, channel] * other[:, channel]
    return total


def _sums(values: Tensor, number: Tensor, count: int) -> Tensor:
    """Sums of whole numbers over those of each number, [count]."""
    return values.new_zeros(count).scatter_add_(0, number, values)


def _counts(number: Tensor, count: int) -> Tensor:
    """How often each number from 0 to `count` - 1 occurs, [count] int64."""
    return _sums(torch.ones_like(number), number, count)
