"""What can be seen of one thing, or of one kind of stuff."""

from dataclasses import dataclass

from semtok.data.scenes.scene import Thing


@dataclass(frozen=True)
class Segment:
    """A thing, or all visible pixels of one kind of stuff."""

    name: str
    number: int  # its value in the id map
    area: int  # pixels
    box: tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, the last two exclusive
    thing: Thing | None  # None: stuff


def middle(segment: Segment, axis: int) -> float:
    """The middle of its box along x (0) or y (1), in pixels."""
    return (segment.box[axis] + segment.box[axis + 2]) / 2


def length(segment: Segment, axis: int) -> int:
    """The side of its box along x (0) or y (1), in pixels."""
    return segment.box[axis + 2] - segment.box[axis]
