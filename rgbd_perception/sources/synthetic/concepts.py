"""The words of the synthetic rooms: 38 classes, how people call them, and texts kept away from training.

Every class has ``synonyms`` (nouns that take attributes: "a small red settee") and ``phrases`` (descriptions
that stand alone); training targets are made from both. ``heldout`` paraphrases share no content word with any
training text of any class: they are only for asking, so that an answer to them shows generalisation. With
the all-MiniLM-L6-v2 text encoder each of them is nearest to its own class mean by a margin, and nearer than
any of ``ABSENT_TEXTS`` (things that no room contains) is to any class; both are tested. Stool, window and
ceiling have none: no paraphrase without their own words passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SIZES = ("tiny", "small", "large", "big", "tall", "low", "wide", "narrow")
COLORS = (
    "white", "black", "gray", "brown", "beige", "red", "orange", "yellow",
    "green", "blue", "turquoise", "purple", "pink", "dark", "bright",
)  # fmt: skip
MATERIALS = (
    "wooden", "metal", "plastic", "glass", "ceramic", "leather", "fabric", "marble",
    "concrete", "brick", "tiled", "painted", "striped", "patterned", "paper", "woven",
)  # fmt: skip


@dataclass(frozen=True)
class Concept:
    """One class: its name, what else it is called in training, and paraphrases used for questions only."""

    name: str
    synonyms: tuple[str, ...]
    phrases: tuple[str, ...]
    heldout: tuple[str, ...]

    @property
    def nouns(self) -> tuple[str, ...]:
        """The name and its synonyms: the texts that attributes may stand in front of."""
        return (self.name, *self.synonyms)

    @property
    def texts(self) -> tuple[str, ...]:
        """Every training text of the class, without attributes."""
        return (*self.nouns, *self.phrases)


CONCEPTS: tuple[Concept, ...] = (
    Concept(
        "wall",
        ("interior wall", "room wall", "partition wall"),
        ("a vertical wall of the room", "a painted wall"),
        ("drywall", "plasterboard barrier dividing spaces"),
    ),
    Concept(
        "floor",
        ("flooring", "ground"),
        ("the ground one walks on", "the lowest surface of a room"),
        ("tiles beneath the feet",),
    ),
    Concept(
        "ceiling",
        ("room ceiling", "upper surface of a room"),
        ("the top of a room", "a ceiling above"),
        (),
    ),
    Concept(
        "door",
        ("doorway", "entrance", "exit"),
        ("a way out of the room", "a door to go through"),
        ("entryway",),
    ),
    Concept(
        "window",
        ("windowpane", "glass window"),
        ("a window to look outside", "an opening that lets daylight in"),
        (),
    ),
    Concept(
        "bed",
        ("double bed", "single bed", "bedstead"),
        ("furniture for sleeping", "a place to sleep"),
        ("mattress", "somewhere to take a nap"),
    ),
    Concept(
        "sofa",
        ("settee", "loveseat", "lounge sofa"),
        ("an upholstered seat for several people", "soft seating in a living room"),
        ("couch", "a comfy couch"),
    ),
    Concept(
        "chair",
        ("dining chair", "office chair", "armchair"),
        ("furniture for one person to sit on", "a seat with a backrest"),
        ("recliner", "recliner with armrests"),
    ),
    Concept(
        "stool",
        ("bar stool", "wooden stool", "backless seat"),
        ("a small seat without a back", "a simple stool with legs"),
        (),
    ),
    Concept(
        "table",
        ("dining table", "kitchen table", "side table"),
        ("a flat surface on legs", "furniture to eat at"),
        ("dinner tabletop",),
    ),
    Concept(
        "desk",
        ("office desk", "writing desk", "computer desk"),
        ("furniture to work at", "a desk for writing and studying"),
        ("workplace for homework", "workbench"),
    ),
    Concept(
        "cabinet",
        ("cupboard", "sideboard", "storage cabinet"),
        ("furniture with doors and shelves", "a cupboard for dishes"),
        ("cutlery drawers", "drawers for cutlery"),
    ),
    Concept(
        "bookshelf",
        ("bookcase", "shelving unit", "bookrack"),
        ("shelves full of books", "furniture that holds books"),
        ("library rack", "racks for literature"),
    ),
    Concept(
        "wardrobe",
        ("armoire", "clothes cupboard", "tall wardrobe"),
        ("a tall piece of furniture for clothes", "a place to hang clothes"),
        ("closet", "clothing locker", "garment locker"),
    ),
    Concept(
        "refrigerator",
        ("freezer", "refrigerator with freezer", "cold storage"),
        ("an appliance that keeps food cold", "a cold storage for food"),
        ("fridge", "fridge for groceries"),
    ),
    Concept(
        "stove",
        ("cooker", "oven", "kitchen range"),
        ("an appliance for cooking", "a place to cook a meal"),
        ("gas burner", "burner for frying"),
    ),
    Concept(
        "sink",
        ("washbasin", "kitchen sink", "basin"),
        ("a basin with a tap", "a place to wash hands"),
        ("faucet", "faucet for rinsing"),
    ),
    Concept(
        "toilet",
        ("toilet bowl", "toilet seat"),
        ("a toilet with cistern", "a flush toilet"),
        ("restroom facility", "urinal", "place to pee"),
    ),
    Concept(
        "bathtub",
        ("bath", "tub", "bathing tub"),
        ("a tub for bathing", "a place to take a bath"),
        ("jacuzzi", "jacuzzi for soaking"),
    ),
    Concept(
        "washing machine",
        ("clothes washer", "automatic washer", "front-loading washer"),
        ("an appliance that washes clothes", "a machine for washing textiles"),
        ("laundry", "laundry equipment"),
    ),
    Concept(
        "lamp",
        ("floor lamp", "table lamp", "light fixture"),
        ("something that gives light", "a lamp with a shade"),
        ("illumination source", "bulb for illumination"),
    ),
    Concept(
        "television",
        ("tv", "tv screen", "flat screen television"),
        ("a screen for watching programmes", "a television set"),
        ("something for viewing movies", "hdtv"),
    ),
    Concept(
        "laptop",
        ("notebook computer", "portable computer", "laptop computer"),
        ("a folding computer with keyboard and screen", "a computer to carry around"),
        ("macbook", "chromebook"),
    ),
    Concept(
        "potted plant",
        ("houseplant", "plant in a pot", "indoor plant"),
        ("green leaves in a flower pot", "a living plant indoors"),
        ("foliage", "botanical greenery"),
    ),
    Concept(
        "picture",
        ("painting", "framed picture", "photograph"),
        ("a picture hanging on the wall", "a framed work of art"),
        ("poster", "portrait on canvas"),
    ),
    Concept(
        "mirror",
        ("wall mirror", "looking glass", "dressing mirror"),
        ("a mirror that shows your face", "a mirror in a frame"),
        ("something to check my reflection",),
    ),
    Concept(
        "curtain",
        ("window curtain", "hanging curtain", "long curtain"),
        ("cloth hanging in front of a window", "fabric that keeps the light out"),
        ("drapes", "elegant drapes"),
    ),
    Concept(
        "rug",
        ("floor mat", "area rug", "small rug"),
        ("a soft mat lying on the floor", "a woven floor covering"),
        ("carpet", "persian carpet"),
    ),
    Concept(
        "pillow",
        ("cushion", "throw pillow", "bed pillow"),
        ("a soft pillow for the head", "a pillow stuffed with feathers"),
        ("fluffy bolster",),
    ),
    Concept(
        "book",
        ("novel", "paperback", "hardcover book"),
        ("a book to read", "printed pages bound in a cover"),
        ("bestseller by a famous author", "textbook"),
    ),
    Concept(
        "box",
        ("cardboard box", "packing box", "storage box"),
        ("a box for packing things", "a cardboard container with a lid"),
        ("shipping package", "delivery package"),
    ),
    Concept(
        "trash can",
        ("waste bin", "trash bin", "rubbish bin"),
        ("a bin for waste", "a place to throw away rubbish"),
        ("somewhere to discard junk", "garbage pail"),
    ),
    Concept(
        "mug",
        ("coffee cup", "cup", "tea mug"),
        ("a cup to drink coffee from", "a small drinking vessel with a handle"),
        ("teacup", "beaker for hot chocolate"),
    ),
    Concept(
        "bowl",
        ("salad bowl", "fruit bowl", "soup bowl"),
        ("a round dish for food", "a bowl for soup or cereal"),
        ("porridge tureen", "tureen"),
    ),
    Concept(
        "vase",
        ("flower vase", "urn", "decorative vase"),
        ("a vessel for flowers", "a jar for cut flowers"),
        ("holder for a bouquet", "pitcher for roses"),
    ),
    Concept(
        "clock",
        ("wall clock", "alarm clock", "dial clock"),
        ("a clock that shows the time", "a dial with hands that tells the time"),
        ("timepiece", "chronometer"),
    ),
    Concept(
        "backpack",
        ("school bag", "shoulder bag", "travel backpack"),
        ("a bag carried on the back", "a bag with shoulder straps"),
        ("hiking luggage", "luggage for hiking"),
    ),
    Concept(
        "teddy bear",
        ("stuffed bear", "plush toy", "cuddly toy"),
        ("a soft toy bear", "a plush bear for children"),
        ("plushie", "plushie for kids"),
    ),
)

CLASS_NAMES: tuple[str, ...] = tuple(concept.name for concept in CONCEPTS)

ABSENT_TEXTS: tuple[str, ...] = (
    "a motorcycle", "a rhinoceros", "a railway locomotive", "a violin", "a tractor", "a goldfish",
    "a helicopter", "a trombone", "a shark", "a zebra", "an electric guitar", "a crocodile", "a race car",
    "a lawn mower", "a saxophone", "a bicycle", "a sailboat", "a canoe", "a bulldozer", "a fire truck",
    "a horse", "a pirate ship", "a whale", "a snowplow", "an ambulance",
)  # fmt: skip

_BY_NAME = {concept.name: concept for concept in CONCEPTS}


def concept(class_name: str) -> Concept:
    """The concept called ``class_name``; KeyError for any other name."""
    return _BY_NAME[class_name]


def describe(class_name: str, attributes: Sequence[str], rng: np.random.Generator) -> str:
    """One random training description of an object: noun or phrase, with some of its attributes.

    ``attributes`` are adjectives ("small", "red", "wooden") in the order in which they should stand. Each is
    mentioned in half of the descriptions, since people rarely name them all. Only ``rng`` decides.
    """
    entry = concept(class_name)
    if rng.random() < 0.2:
        return str(rng.choice(entry.phrases))
    noun = entry.name if rng.random() < 0.4 else str(rng.choice(entry.nouns))
    mentioned = [word for word in attributes if rng.random() < 0.5]
    text = " ".join([*mentioned, noun])
    if rng.random() < 0.5:
        return text
    return f"{'an' if text[0] in 'aeiou' else 'a'} {text}"
