"""Every category, things before stuff, in the order that the files number them."""

from semtok.data.scenes import animals, figures, food, furniture, goods, outdoors, vehicles
from semtok.data.scenes.category import Category

#: A category is added at the end of its file; a file, here. Ids follow the order.
THINGS: tuple[Category, ...] = (
    *figures.CATEGORIES,
    *animals.CATEGORIES,
    *vehicles.CATEGORIES,
    *food.CATEGORIES,
    *furniture.CATEGORIES,
    *goods.CATEGORIES,
    *outdoors.CATEGORIES,
)

THING: dict[str, Category] = {category.name: category for category in THINGS}
