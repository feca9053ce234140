"""What the study asks, as differences between variants: docs/variants.md says what each one is."""

from collections.abc import Sequence
from dataclasses import dataclass

from semtok.bench.contrasts import Contrast, difference, two_by_two


@dataclass(frozen=True)
class Question:
    """A family of comparisons that one p-value correction goes over.

    Attributes:
        title: of its section.
        asks: one sentence for people.
        contrasts: the one that answers best comes first.
    """

    title: str
    asks: str
    contrasts: Sequence[Contrast]


def pairs(*pairs: str) -> list[Contrast]:
    """Each `ours theirs`."""
    return [difference(*pair.split()) for pair in pairs]


#: Patches alone, patches told of relations, regions, regions told of relations.
SQUARES = {
    "as tokens": ("vit", "regions", "vit_intangible", "regions_intangible"),
    "as bias": ("vit", "regions", "vit_bias", "regions_bias"),
    "as tokens and bias": ("vit", "regions", "vit_relations", "regions_relations"),
    "as fixed bias": ("vit", "regions", "vit_bias_fixed", "regions_bias_fixed"),
}

#: The first answers the product's question: nothing that is true but the pixels is given.
QUESTIONS = (
    Question(
        "Predicted extraction",
        "What do regions and relations earn that models find? The models learned from the labels "
        "of train, which `vit` never saw; `vit_auxiliary` learned from the same ones as a task, at "
        "weight 1, which was not tuned. Superpixels are computed and need no labels.",
        pairs(
            "regions_relations_predicted vit",
            "regions_predicted vit",
            "regions_superpixels vit",
            "vit_relations_predicted vit",
            "regions_predicted regions_superpixels",
            "regions_relations_predicted vit_auxiliary",
            "regions_predicted vit_auxiliary",
            "regions_relations_predicted vit_relations_predicted",
            "regions_relations_predicted regions_predicted",
            "regions_relations_predicted regions_permuted_predicted",
        ),
    ),
    Question(
        "Regions",
        "What do mask regions earn in place of patches, told the same of relations?",
        pairs(
            "regions vit",
            "regions_intangible vit_intangible",
            "regions_bias vit_bias",
            "regions_bias_fixed vit_bias_fixed",
            "regions_relations vit_relations",
        ),
    ),
    Question(
        "Relations as tokens",
        "What do intangible tokens earn?",
        pairs("regions_intangible regions", "vit_intangible vit"),
    ),
    Question(
        "Relations as bias",
        "What does additive attention between what is related earn, alone and on top of tokens? "
        "Learned weights start at 0, and no step moves one further than about the learning rate; "
        "fixed ones are 1 from the start (not tuned), which multiplies attention by e.",
        pairs(
            "regions_bias regions",
            "vit_bias vit",
            "regions_bias_fixed regions",
            "vit_bias_fixed vit",
            "regions_relations regions_intangible",
            "vit_relations vit_intangible",
        ),
    ),
    Question(
        "Permuted in training",
        "Does it help to know which things a relation is between? Permuted, an image still has its "
        "own predicates, as often as they occur, between other things: that something is thrown "
        "stays true. Above 0, the first rows: it matters who does it to whom. Above 0, the last "
        "ones: something is learned from predicates alone.",
        pairs(
            "regions_relations regions_permuted",
            "vit_relations vit_permuted",
            "semantic semantic_permuted",
            "regions_permuted regions",
            "vit_permuted vit",
        ),
    ),
    Question(
        "Masks and relations, used otherwise",
        "Do regions win because of where masks lie, whoever is told? As a channel, patches see the "
        "mask map; as auxiliary losses, of weight 1 (not tuned), they learn to predict masks and "
        "relations.",
        pairs(
            "regions vit_mask_map",
            "vit_mask_map vit",
            "regions_relations vit_auxiliary",
            "vit_auxiliary vit",
            "vit_auxiliary_masks vit",
            "vit_auxiliary_relations vit",
            "regions_predicted vit_mask_map_predicted",
            "vit_mask_map_predicted vit",
        ),
    ),
    Question(
        "Without pixels",
        "How far do the graph alone, the masks' shapes alone and the mask map alone go?",
        pairs(
            "graph_only vit",
            "graph_only regions_relations",
            "shapes_only vit",
            "shapes_only regions",
            "mask_map_only vit",
            "mask_map_only vit_mask_map",
            "graph_only_predicted vit",
            "graph_only_predicted regions_relations_predicted",
        ),
    ),
    Question(
        "Equal token count",
        "Regions against as many patches, as nearly as a square can be tiled. Masks of the "
        "highest scores are kept, of equal ones the largest; an image with fewer masks has fewer "
        "tokens, so the means that were counted stand beside each row.",
        pairs(
            "regions vit_9",
            "regions_8 vit_9",
            "regions_4 vit_4",
            "regions_relations vit_16",
            "regions_predicted vit_9",
            "regions_relations_predicted vit_16",
            "regions_superpixels vit_36",
        ),
    ),
    Question(
        "Spatial neighbours",
        "What does a bias to each mask's nearest neighbours earn, learned from 0 or fixed at 1?",
        pairs(
            "regions_neighbours regions",
            "regions_neighbours_fixed regions",
            "semantic regions_relations",
        ),
    ),
    Question(
        "An outside check",
        "`CLIPVisionModel` of transformers, in the shape and the loop of `vit`. Where the two are "
        "told apart, doubt the encoder or the loop before any other row. Where they are not, they "
        "are not the same for that: the interval says how far apart they may be.",
        pairs("vit vit_reference"),
    ),
)

#: The same of what models find.
_PREDICTED_SQUARE = (
    "vit",
    "regions_predicted",
    "vit_relations_predicted",
    "regions_relations_predicted",
)

SQUARE_QUESTIONS = (
    Question(
        "What models find, as tokens and bias",
        "Mean effects and interaction.",
        two_by_two(_PREDICTED_SQUARE, "predicted regions", "predicted relations"),
    ),
    *(
        Question(
            f"Relations {how}",
            "Mean effects and interaction.",
            two_by_two(names, "regions", f"relations {how}"),
        )
        for how, names in SQUARES.items()
    ),
)

#: Patch variants that differ in what they cost alone, by fewer patches or a smaller picture: the
#: ladder of equal FLOPs.
LADDER = (
    *("vit_1_small", "vit_4_small", "vit_9_small"),
    *("vit_4", "vit_9", "vit_16", "vit_36", "vit"),
)

#: What is set beside the ladder, and beside the paper.
REGIONS = (
    "regions_4",
    "regions_8",
    "regions",
    "regions_intangible",
    "regions_relations",
    "semantic",
    "regions_predicted",
    "regions_relations_predicted",
    "regions_superpixels",
)

#: Gains over ViT that arXiv 2405.16401 reports, in percent or points: it does not say which.
PAPER = {"text to image": 47, "image to text": 44, "ARO": 18, "Winoground": 10}
