"""A picture: a scene as it is drawn, and what can be seen of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semtok.data.scenes.observation import Observation, observe
from semtok.data.scenes.render import render
from semtok.data.scenes.scene import Scene


@dataclass(frozen=True, eq=False)
class Picture:
    """A scene and its pixels.

    Attributes:
        image: [S, S, 3] RGB.
        ids: [S, S], as `render.render` returns it.
        observation: what can be seen.
    """

    scene: Scene
    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    observation: Observation


def picture(scene: Scene) -> Picture:
    """Draw a scene and look at it."""
    image, ids = render(scene)
    return Picture(scene, image, ids, observe(scene, ids))
