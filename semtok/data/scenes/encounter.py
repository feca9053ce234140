"""What an encounter is: an arrangement, drawn first, and then one of several deeds.

All deeds of an encounter share the arrangement: who takes part, how large, where, and how far
limbs and ropes reach. So the boxes of a pair are the same whatever the deed, and nothing but
pixels (or a graph) tells what is done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from semtok.data.scenes.cast import Cast, Group
from semtok.data.scenes.category import Pose
from semtok.data.scenes.poses import gaze
from semtok.data.scenes.scene import Relation, Thing

Staged = TypeVar("Staged")

#: The deed of a pair that is arranged like the others and does nothing.
NOTHING = "nothing"


@dataclass(frozen=True)
class Encounter(Generic[Staged]):
    """Things that act on one another.

    Attributes:
        stage: draws the arrangement; the only part that draws at random.
        deeds: by name (a predicate of `vocabulary.ACTIONS`, or `NOTHING`), what is done between
            the first and the second thing; equally likely, whatever the arrangement.
    """

    stage: Callable[[Cast], Staged]
    deeds: Mapping[str, Callable[[Staged], Group]]

    def __call__(self, cast: Cast) -> Group:
        """Draw one."""
        staged = self.stage(cast)
        return self.deeds[cast.rng.choice(list(self.deeds))](staged)


@dataclass(frozen=True)
class Pair:
    """An arranged figure and what it acts on.

    Attributes:
        figure: in the pose that all deeds start from.
        side: where the target is, in the picture: -1 left, 1 right.
        reach: how far the figure reaches to that side, in its own units, whatever it does.
        height: of what touches the target, in the figure's own coordinates.
        aside: height at which the same limb touches nothing.
        glances: looks at the target whatever it does.
        extras: more things and what the figure (place 0) does to them.
    """

    figure: Thing
    target: Thing
    side: int
    reach: float
    height: float
    aside: float
    glances: bool = False
    extras: tuple[tuple[Thing, str], ...] = ()


def acted(pair: Pair, deed: str, pose: Pose) -> Group:
    """The pair in its deed, the figure in a pose."""
    figure = replace(pair.figure, pose=pose)
    relations = [Relation(0, deed, 1)] if deed != NOTHING else []
    if pair.glances and deed != "looking at":
        figure = replace(figure, pose=replace(pose, gaze=gaze(figure, pair.target)))
        relations.append(Relation(0, "looking at", 1))
    relations += [Relation(0, predicate, 2 + k) for k, (_, predicate) in enumerate(pair.extras)]
    things = (figure, pair.target, *(thing for thing, _ in pair.extras))
    return Group(layered(things), tuple(relations))


def layered(things: tuple[Thing, ...], order: tuple[int, ...] = ()) -> tuple[Thing, ...]:
    """Depth within the group: in the order given, limbs that reach over everything last."""
    order = order or tuple(range(len(things)))
    return tuple(
        replace(thing, depth=0.1 * order.index(i), reach_depth=0.8)
        for i, thing in enumerate(things)
    )
