"""Neutral text about sourdough, the same for the same seed, no two posts alike.

Sentences are put together from many short parts, so that two posts share few runs of letters: what
compares texts by short pieces must be able to tell them apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WHO = _words(
    """
    I we Marta Jonas grandmother neighbours Ilse someone beginners Tilda Hanno children colleagues
    bakers Vera Uwe visitors Karin Nils everybody Olga Edda friends cousins Rosa Sven apprentices
    millers Fritz Gesa
    """
)
VERBS = _words(
    """
    folded kneaded weighed rested chilled shaped scored baked fed stirred soaked milled sifted mixed
    covered warmed watched turned dusted sliced toasted cooled wrapped salted proofed steamed rolled
    braided divided stretched loosened measured poured scraped flattened tasted discarded revived
    refreshed doubled
    """
)
KINDS = _words(
    """
    sleepy lively wet stiff dark pale dense airy sour mild sticky silky young old cold lukewarm
    rough smooth heavy tiny huge wholemeal seeded rustic shiny floury bubbly flat crisp chewy tender
    nutty malty tangy blistered uneven patient stubborn overnight weekend
    """
)
THINGS = _words(
    """
    dough levain starter crumb crust loaf basket banneton scraper oven stone jar lid flour rye spelt
    einkorn barley bran water salt honey towel bench peel blade thermometer tray rack baguette bun
    roll pretzel brioche focaccia ciabatta pan casserole steam malt oats sunflower linseed sesame
    walnut raisin yeast culture poolish
    """
)
PLACES = _words(
    """
    kitchen cellar pantry fridge windowsill bakery mill garden market workshop balcony hallway
    village school courtyard cottage harbour station valley barn
    """
)
HOWS = _words(
    """
    slowly gently quickly twice carefully badly cheerfully quietly evenly lazily firmly loosely
    again early late barely properly blindly neatly hastily
    """
)
TIMES = _words(
    """
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday breakfast noon supper midnight dawn
    Easter harvest winter spring summer autumn holidays dusk
    """
)
UNITS = _words(
    """
    grams hours minutes degrees percent turns spoons cups days folds
    """
)
JOINTS = (
    "so",
    "but",
    "and",
    "yet",
    "while",
    "since",
    "after",
    "because",
    "until",
    "though",
    "before",
    "once",
)
OPENINGS = ("By", "On", "Since", "Before", "After", "Around", "Past", "Until")
_PATTERNS = (
    "{opening} {time} {who} {how} {verb} {kind} {thing} {joint} {who} {verb} {thing}.",
    "{who} {verb} {number} {unit} {kind} {thing}, {how}.",
    "{kind} {thing}, {kind} {thing}: {who} {how} {verb} both.",
    "{place} {thing} {number} {unit} {how}, {place} {thing} {number}.",
    "{who} {verb} {thing} {joint} {kind} {place} {thing} {how} {verb} {who}.",
    "{number} {unit} {joint} {thing} {how} {verb}!",
    "{how} {verb} {thing}, {kind} {thing} {joint} {number} {unit}?",
    "{time} {place}: {thing}, {thing}, {kind} {thing} {how} {verb}.",
    "{joint} {kind} {thing} {verb} {who}, {time} {thing} {how} {verb} {number} {unit}.",
)
_WORDS = {
    "who": WHO,
    "verb": VERBS,
    "kind": KINDS,
    "thing": THINGS,
    "place": PLACES,
    "how": HOWS,
    "time": TIMES,
    "unit": UNITS,
    "joint": JOINTS,
    "opening": OPENINGS,
}


def sentence(rng: random.Random) -> str:
    """Give one sentence of 5 to 15 words."""
    pattern = rng.choice(_PATTERNS)
    words = [_fill(part, rng) for part in pattern.split()]
    text = " ".join(words)
    return text[0].upper() + text[1:]


def _fill(part: str, rng: random.Random) -> str:
    if not part.startswith("{"):
        return part
    slot, _, sign = part[1:].partition("}")
    word = str(rng.randrange(2, 950)) if slot == "number" else rng.choice(_WORDS[slot])
    return word + sign


def paragraphs(rng: random.Random, words: int) -> tuple[str, ...]:
    """Give paragraphs of about 45 words each that hold at least `words` words in all."""
    found: list[str] = []
    while words > 0:
        part = _paragraph(rng, min(words, 45))
        found.append(part)
        words -= len(part.split())
    return tuple(found)


def _paragraph(rng: random.Random, words: int) -> str:
    parts: list[str] = []
    while sum(len(part.split()) for part in parts) < words:
        parts.append(sentence(rng))
    return " ".join(parts)


def title(rng: random.Random) -> str:
    """Give a thread title of four words."""
    return f"{rng.choice(KINDS)} {rng.choice(THINGS)} {rng.choice(JOINTS)} {rng.choice(THINGS)}".capitalize()
