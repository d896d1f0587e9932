"""The photographs that scenes are laid on, and which of them are held out.

Every photograph comes from a Debian package and stays there: only the six
sample images in samples/ contain parts of some. Drawings of the same
packages are left out, and so are photographs that show something of the 20
categories (boats, dogs, birds, a bottle).
"""

import dataclasses
import os

from PIL import Image

PACKAGES = ("lomiri-wallpapers-16.04", "mate-backgrounds",
            "plasma-workspace-wallpapers")

_FOLDERS = {
    "lomiri-wallpapers-16.04": "/usr/share/backgrounds/{}.jpg",
    "mate-backgrounds": "/usr/share/backgrounds/mate/nature/{}.jpg",
    "plasma-workspace-wallpapers":
        "/usr/share/wallpapers/{}/contents/images/2560x1600.jpg",
}

# The longer side of a photograph in memory, pixels.
_MAX_SIDE = 1600


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One photograph: where it is installed, who made it, its licence."""

    package: str
    name: str
    author: str
    licence: str

    @property
    def path(self):
        """Where the package installs it."""
        return _FOLDERS[self.package].format(self.name)

    def load(self):
        """The image, RGB, its longer side at most 1600 pixels."""
        image = Image.open(self.path)
        image.draft("RGB", (_MAX_SIDE, _MAX_SIDE))
        image = image.convert("RGB")
        image.thumbnail((_MAX_SIDE, _MAX_SIDE), Image.LANCZOS)
        return image


def _lomiri(name, author, licence):
    return Photograph("lomiri-wallpapers-16.04", name, author, licence)


def _mate(name, author):
    return Photograph("mate-backgrounds", name, author, "GPL-2+")


def _plasma(name, author):
    return Photograph("plasma-workspace-wallpapers", name, author, "GPL-2+")


# The split is by photograph: no crop of a held-out one is ever trained on.
SPLITS = {
    "train": (
        _lomiri("Bridge_by_Sander_Klootwijk", "Sander Klootwijk",
                "CC-BY-SA-4.0"),
        _lomiri("Dragonfly_by_Bolly", "Bolly", "CC-BY-SA-4.0"),
        _lomiri("Picture_1A_by_freespace", "Trevor \"Freespace\"",
                "CC-BY-4.0"),
        _lomiri("greentock_by_Peter_Nerlich", "Peter Nerlich",
                "CC-BY-SA-4.0"),
        _mate("Aqua", "Charles Barbin"),
        _mate("Blinds", "Lennart Poettering, Andrea Cimitan"),
        _mate("FreshFlower", "Jens Ansorg"),
        _mate("Garden", "Charles Barbin"),
        _mate("GreenMeadow", "Timothy Schellhase, Lapo Calamandrei"),
        _mate("Storm", "Sergey Nazarov"),
        _mate("TwoWings", "Charles Barbin, Hylke Bons"),
        _mate("Wood", "Jean-François Fortin Tam"),
        _mate("YellowFlower", "Charles Barbin"),
        _plasma("BytheWater", "Maciej Wiklo"),
        _plasma("ColorfulCups", "Dmitri Popov"),
        _plasma("DarkestHour", "Risto Saukonpää"),
        _plasma("Grey", "Sigi Sagi"),
        _plasma("Kite", "Risto Saukonpää"),
        _plasma("OneStandsOut", "Risto Saukonpää"),
        _plasma("Path", "Risto Saukonpää"),
        _plasma("summer_1am", "Risto Saukonpää"),
    ),
    "test": (
        _lomiri("Picture_0B_by_freespace", "Trevor \"Freespace\"",
                "CC-BY-4.0"),
        _lomiri("aitzgorri_by_Aitzol_Berasategi", "Aitzol Berasategi",
                "CC-BY-4.0"),
        _lomiri("life_by_Aitzol_Berasategi", "Aitzol Berasategi",
                "CC-BY-4.0"),
        _lomiri("picosdeeuropa_by_Aitzol_Berasategi", "Aitzol Berasategi",
                "CC-BY-4.0"),
        _lomiri("seeding_by_Clements_Engelhardt", "Clemens Engelhardt",
                "CC0-1.0"),
        _lomiri("sunset_by_Aitzol_Berasategi", "Aitzol Berasategi",
                "CC-BY-4.0"),
        _mate("Dune", "Marco Cogoni, Hylke Bons"),
        _mate("LadyBird", "Charles Barbin"),
        _mate("RainDrops", "blackcombwhistler07"),
        _plasma("ColdRipple", "Risto Saukonpää"),
        _plasma("FallenLeaf", "Martin Klapetek"),
    ),
}


def missing_packages():
    """Names of the packages of which a photograph is not installed."""
    everything = SPLITS["train"] + SPLITS["test"]
    return sorted({p.package for p in everything
                   if not os.path.exists(p.path)})
