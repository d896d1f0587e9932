"""The things that scenes show: emoji glyphs of the 20 Pascal VOC categories
and, as distractors, of other things.
"""

import os

from PIL import Image, ImageDraw, ImageFont

PACKAGE = "fonts-noto-color-emoji"
_FONT = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"

# The one size at which the font holds its bitmaps, and what they measure.
_BITMAP_SIZE = 109
_BITMAP_SHAPE = (136, 128)
# Asks for the coloured form of a character that also has a black one.
_AS_EMOJI = "\ufe0f"

# In the order of the model's outputs, which is that of labels.txt.
GLYPHS_OF_CATEGORY = {
    "aeroplane": "\u2708",
    "bicycle": "\U0001F6B2",
    "bird": "\U0001F426",
    "boat": "\u26F5",
    "bottle": "\U0001F37E",
    "bus": "\U0001F68C",
    "car": "\U0001F697",
    "cat": "\U0001F408",
    "chair": "\U0001FA91",
    "cow": "\U0001F404",
    # There is no glyph of a table: a plate with cutlery.
    "diningtable": "\U0001F37D",
    "dog": "\U0001F415",
    "horse": "\U0001F40E",
    "motorbike": "\U0001F3CD",
    # Standing, walking, running, dancing.
    "person": "\U0001F9CD\U0001F6B6\U0001F3C3\U0001F57A",
    "pottedplant": "\U0001FAB4",
    "sheep": "\U0001F411",
    "sofa": "\U0001F6CB",
    "train": "\U0001F686",
    "tvmonitor": "\U0001F4FA",
}
CATEGORIES = tuple(GLYPHS_OF_CATEGORY)

DISTRACTORS = (
    # Easily taken for one of the categories.
    "\U0001F69C\U0001F69A\U0001F681\U0001F6F4"  # tractor truck helicopter scooter
    "\U0001F410\U0001F416\U0001F42B\U0001F98C"  # goat pig camel deer
    "\U0001F98A\U0001F407\U0001F43F\U0001F992"  # fox rabbit chipmunk giraffe
    "\U0001F6CF\U0001F6BD\U0001F4BB\U0001F4FB"  # bed toilet laptop radio
    "\U0001F335\U0001F33B\U0001F377\U0001F9F8"  # cactus sunflower wine teddy
    "\U0001F5A8\U0001F6D2\U0001F680\U0001F418"  # printer cart rocket elephant
    # Quite different.
    "\U0001F344\U0001F34E\U0001F354\U0001F382"  # mushroom apple burger cake
    "\U0001F4E6\U0001F525\u26BD\U0001F3B8"      # box fire ball guitar
    "\u2602\U0001F45F\U0001F511\U0001F528"      # umbrella shoe key hammer
    "\U0001F4A1\u23F0\U0001F388\U0001F3E0"      # bulb clock balloon house
    "\u26FA\U0001F3A8\U0001F41F\U0001F40A"      # tent palette fish crocodile
    "\U0001F98B\U0001F419\U0001F4F7\u260E"      # butterfly octopus camera phone
)


def is_installed():
    """Whether the font is there."""
    return os.path.exists(_FONT)


def draw_glyphs(characters):
    """RGBA images of `characters`, each cropped to what it shows."""
    font = ImageFont.truetype(_FONT, _BITMAP_SIZE)
    return [_draw(font, character) for character in characters]


def _draw(font, character):
    image = Image.new("RGBA", _BITMAP_SHAPE)
    ImageDraw.Draw(image).text((0, 0), character + _AS_EMOJI, font=font,
                                 embedded_color=True)
    box = image.getbbox()
    if box is None:
        raise ValueError(f"the font has no glyph U+{ord(character):X}")
    return image.crop(box)
