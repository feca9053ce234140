"""The words of `scenes` and what they look like."""

RGB = tuple[int, int, int]

#: Colours that captions name, far apart from one another.
COLOURS: dict[str, RGB] = {
    "red": (214, 45, 48),
    "orange": (246, 138, 30),
    "yellow": (250, 214, 60),
    "green": (66, 160, 71),
    "blue": (46, 104, 210),
    "purple": (128, 66, 176),
    "pink": (247, 140, 182),
    "brown": (128, 82, 46),
    "black": (48, 48, 54),
    "white": (244, 243, 238),
}

TEXTURES = ("plain", "striped", "dotted", "checked")

#: Size words and the factor on the category's usual size.
SIZES: dict[str, float] = {"small": 0.74, "medium": 1.0, "large": 1.34}

#: Paints that no caption names: what a part is made of, whatever the thing's colour.
PAINTS: dict[str, RGB] = {
    "ink": (40, 38, 44),
    "cream": (250, 244, 228),
    "skin": (240, 196, 160),
    "hair": (92, 60, 38),
    "wood": (160, 110, 66),
    "bark": (116, 80, 52),
    "leaf": (80, 150, 70),
    "steel": (176, 184, 192),
    "glass": (190, 224, 240),
    "rubber": (52, 52, 58),
    "gold": (238, 196, 80),
    "rose": (240, 128, 128),
    "beak": (246, 168, 48),
    "ivory": (246, 236, 214),
    "crust": (214, 156, 88),
    "lamp": (255, 236, 150),
    "rope": (238, 216, 164),
    "cord": (238, 216, 164),
    "trace": (255, 255, 250),
}

#: Skin and hair of the figures: one of each, whatever the category.
SKINS: tuple[RGB, ...] = ((250, 212, 180), (232, 184, 144), (190, 134, 94), (132, 88, 60))
HAIRS: tuple[RGB, ...] = (
    (70, 46, 32),
    (40, 36, 38),
    (206, 160, 84),
    (160, 76, 40),
    (150, 148, 150),
)

#: Background that panoptic segments name.
STUFF = (
    "sky",
    "mountain",
    "forest",
    "grass",
    "sea",
    "sand",
    "building",
    "pavement",
    "road",
    "snow",
    "wall",
    "floor",
    "rug",
)

#: Relations that the annotations name, in the words and order of PSG.
SPATIAL_PREDICATES = ("over", "in front of", "beside", "on")
ACTIONS = (
    "standing on",
    "sitting on",
    "wearing",
    "holding",
    "carrying",
    "looking at",
    "chasing",
    "pushing",
    "pulling",
    "throwing",
    "riding",
    "kicking",
)
PREDICATES = SPATIAL_PREDICATES + ACTIONS

#: Relations of the image plane and of depth that captions use besides.
CAPTION_PREDICATES = ("left of", "right of", "above", "below", "behind")
