#!/usr/bin/python3
"""Draws images of emoji on photographs, annotated as Pascal VOC is.

    scenes.py --out DIR --count N --seed S --split test

writes JPEGImages/, Annotations/ and ImageSets/Main/ into DIR. Scene i of a
seed and split is the same whatever the count and the number of processes.

A scene shows one to four things of the 20 categories and up to three
distractors, turned, mirrored, recoloured, of very different sizes, one over
the other, on a crop of a photograph; then the image is blurred, made noisy
and stored as JPEG. Photographs of the split "test" are not in "train".
"""

import argparse
import dataclasses
import io
import multiprocessing
import sys

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

import glyphs
import photographs
import voc_folder

# Visible parts of a thing below which it is difficult, or not there at all.
_DIFFICULT_BELOW, _GONE_BELOW = 0.50, 0.05
_SHORTER_SIDES = (333, 350, 375, 375, 375, 400)
# RGB to luma and two axes of colour (NTSC).
_YIQ = np.array([[0.299, 0.587, 0.114],
                 [0.596, -0.274, -0.322],
                 [0.211, -0.523, 0.312]])
_YIQ_TO_RGB = np.linalg.inv(_YIQ)
_SPLIT_CODES = {"train": 0, "test": 1}


@dataclasses.dataclass(frozen=True)
class Style:
    """What kind of image: its longer and possible shorter sides, pixels; the
    most things and distractors; and a thing's longer side as a part of the
    image's shorter one, from and to."""

    longer_side: int
    shorter_sides: tuple
    things: int
    distractors: int
    portions: tuple


STYLES = {
    "scene": Style(500, _SHORTER_SIDES, 4, 3, (0.18, 0.65)),
    # To learn from first; quick to make.
    "close-up": Style(128, (128,), 1, 1, (0.40, 0.95)),
}


@dataclasses.dataclass
class Scene:
    """An image, what it shows (voc_folder.Annotated) and what lies below."""

    jpeg: bytes
    size: tuple  # width, height
    objects: list
    photograph: photographs.Photograph

    def image(self):
        """The decoded image, RGB."""
        return Image.open(io.BytesIO(self.jpeg)).convert("RGB")

    def truths(self):
        """[20] float32: 1 shown, 0 not, -1 only shown as difficult."""
        truths = np.zeros(len(glyphs.CATEGORIES), np.float32)
        for category, truth in voc_folder.truths(self.objects).items():
            truths[glyphs.CATEGORIES.index(category)] = truth
        return truths


@dataclasses.dataclass
class _Thing:
    """A glyph on its way into an image; `category` None: a distractor."""

    category: str
    glyph: Image.Image
    left: int
    top: int


class SceneMaker:
    """Makes the scenes of one split; holds its photographs and the glyphs."""

    def __init__(self, split, style="scene"):
        self._style = STYLES[style]
        self._split_code = _SPLIT_CODES[split]
        self._photographs = photographs.SPLITS[split]
        self._images = [p.load() for p in self._photographs]
        self._glyphs = {category: glyphs.draw_glyphs(characters)
                        for category, characters
                        in glyphs.GLYPHS_OF_CATEGORY.items()}
        self._distractors = glyphs.draw_glyphs(glyphs.DISTRACTORS)

    def make(self, seed, index, photograph=None):
        """Scene `index` of `seed`, a function of its arguments and the split.

        `photograph` is the position of the one to use, None: any.
        """
        rng = np.random.default_rng([seed, self._split_code, index])
        while True:
            scene = self._try(rng, photograph)
            if 1 in scene.truths():
                return scene

    def _try(self, rng, which):
        if which is None:
            which = rng.integers(len(self._images))
        canvas = _crop(rng, self._images[which],
                       _image_size(rng, self._style))
        things = self._things(rng, canvas.size)
        owners = _paint(canvas, things)
        objects = _annotate(things, owners)
        return Scene(_spoil(rng, canvas), canvas.size, objects,
                     self._photographs[which])

    def _things(self, rng, size):
        """At least one thing and any distractors, those at the back first."""
        things, portions = [], self._style.portions
        for _ in range(rng.integers(1, self._style.things + 1)):
            category = str(rng.choice(glyphs.CATEGORIES))
            glyph = _pick(rng, self._glyphs[category])
            things.append(_place(rng, category, glyph, size, portions))
        for _ in range(rng.integers(0, self._style.distractors + 1)):
            glyph = _pick(rng, self._distractors)
            things.append(_place(rng, None, glyph, size, portions))
        # Larger ones tend to be further back, or they would hide the rest.
        depths = [max(t.glyph.size) * rng.uniform(0.3, 1.7) for t in things]
        order = np.argsort(depths)[::-1]
        return [things[i] for i in order]


def _pick(rng, items):
    return items[rng.integers(len(items))]


def _image_size(rng, style):
    """(width, height): wider than high, as most of Pascal VOC, or upright."""
    shorter, longer = int(rng.choice(style.shorter_sides)), style.longer_side
    return (shorter, longer) if rng.random() < 0.3 else (longer, shorter)


def _crop(rng, photograph, size):
    """A random crop of `photograph`, of `size`, mirrored and recoloured."""
    widest = min(photograph.width / size[0], photograph.height / size[1])
    scale = widest * np.exp(rng.uniform(np.log(0.3), 0))
    width, height = size[0] * scale, size[1] * scale
    left = rng.uniform(0, photograph.width - width)
    top = rng.uniform(0, photograph.height - height)
    crop = photograph.resize(size, Image.BICUBIC,
                             box=(left, top, left + width, top + height))
    if rng.random() < 0.5:
        crop = crop.transpose(Image.FLIP_LEFT_RIGHT)
    return _recolour(rng, crop, turn=rng.normal(0, 20))


def _place(rng, category, glyph, size, portions):
    """`glyph` changed at random, at a random place of an image of `size`."""
    portion = np.exp(rng.uniform(*np.log(portions)))
    glyph = _vary(rng, glyph, longer_side=portion * min(size))
    # One in four may stick out, by up to a half.
    out = 0.5 if rng.random() < 0.25 else 0.0
    left, top = (rng.uniform(*sorted((-out * inner,
                                      outer - (1 - out) * inner)))
                 for inner, outer in zip(glyph.size, size))
    return _Thing(category, glyph, int(round(left)), int(round(top)))


def _vary(rng, glyph, longer_side):
    """`glyph` recoloured, mirrored, scaled, turned and made less opaque."""
    wild = rng.random() < 0.05
    turn = rng.uniform(-180, 180) if wild else rng.normal(0, 15)
    colour = _recolour(rng, glyph.convert("RGB"), turn)
    colour.putalpha(glyph.getchannel("A"))
    if rng.random() < 0.5:
        colour = colour.transpose(Image.FLIP_LEFT_RIGHT)
    scale = longer_side / max(colour.size)
    stretch = np.exp(rng.uniform(-0.15, 0.15))
    size = (max(1, round(colour.width * scale * stretch)),
            max(1, round(colour.height * scale / stretch)))
    turned = colour.resize(size, Image.LANCZOS).rotate(
        rng.normal(0, 20), Image.BICUBIC, expand=True)
    turned = turned.crop(turned.getchannel("A").getbbox())
    opacity = rng.uniform(0.85, 1.0)
    turned.putalpha(turned.getchannel("A").point(lambda a: a * opacity))
    return turned


def _recolour(rng, image, turn):
    """RGB `image`, its hue turned by `turn` degrees, other saturation,
    brightness and contrast."""
    image = image.convert("RGB", _hue_matrix(turn, rng.uniform(0.5, 1.2)))
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.7, 1.2))
    return ImageEnhance.Contrast(image).enhance(rng.uniform(0.7, 1.15))


def _hue_matrix(degrees, saturation):
    """12 numbers for Image.convert: turn and scale the plane of colour."""
    cos, sin = (saturation * f(np.radians(degrees)) for f in (np.cos, np.sin))
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    matrix = _YIQ_TO_RGB @ turn @ _YIQ
    return tuple(np.hstack([matrix, np.zeros((3, 1))]).ravel())


def _paint(canvas, things):
    """Pastes `things` in order; [H,W] int16: which one a pixel shows, or -1."""
    owners = np.full(canvas.size[::-1], -1, np.int16)
    for number, thing in enumerate(things):
        canvas.paste(thing.glyph, (thing.left, thing.top), thing.glyph)
        box, solid = _inside(thing, canvas.size)
        owners[box][solid] = number
    return owners


def _inside(thing, size):
    """The part of `thing` within an image of `size`: its slices in the
    image and, over them, a mask of the pixels that are not see-through."""
    solid = _solid(thing.glyph)
    left, top = max(thing.left, 0), max(thing.top, 0)
    right = min(thing.left + thing.glyph.width, size[0])
    bottom = min(thing.top + thing.glyph.height, size[1])
    part = solid[top - thing.top:bottom - thing.top,
                 left - thing.left:right - thing.left]
    return np.s_[top:bottom, left:right], part


def _solid(glyph):
    """[h,w] bool: more than half as opaque as the glyph's most opaque pixel."""
    alpha = np.asarray(glyph.getchannel("A"))
    return alpha > alpha.max() / 2


def _annotate(things, owners):
    """The annotations of those things of `things` that can be seen at all."""
    objects = []
    for number, thing in enumerate(things):
        shown = owners == number
        whole = _solid(thing.glyph).sum()
        visible = shown.sum() / whole
        if thing.category is None or visible < _GONE_BELOW:
            continue
        _, inside = _inside(thing, owners.shape[::-1])
        objects.append(voc_folder.Annotated(
            category=thing.category,
            box=_bounds(shown),
            truncated=bool(inside.sum() < 0.98 * whole),
            occluded=bool(shown.sum() < 0.95 * inside.sum()),
            difficult=bool(visible < _DIFFICULT_BELOW)))
    return objects


def _bounds(mask):
    """(left, top, right, bottom) of the true pixels, 0-based, inclusive."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return (int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1]))


def _spoil(rng, canvas):
    """`canvas` as JPEG after some blur and noise, as a camera would do."""
    if rng.random() < 0.5:
        canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    strength = np.float32(rng.uniform(0, 14))
    noise = strength * rng.standard_normal((canvas.height, canvas.width, 3),
                                           dtype=np.float32)
    pixels = np.clip(np.asarray(canvas) + noise, 0, 255).astype(np.uint8)
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG",
                                 quality=int(rng.integers(50, 91)))
    return stored.getvalue()


def check_packages():
    """Ends the program, naming what to install, unless everything is there."""
    missing = photographs.missing_packages()
    if not glyphs.is_installed():
        missing.append(glyphs.PACKAGE)
    if missing:
        sys.exit("scenes.py: photographs or glyphs are missing; on Debian:\n"
                 "  apt-get install " + " ".join(missing))


_maker = None


def _start_worker(split, style):
    global _maker
    _maker = SceneMaker(split, style)


def _make_one(job):
    return _maker.make(*job)


def make_scenes(split, seed, count, processes=2, style="scene"):
    """Yields scenes 0 .. count-1 of `seed`, made by several processes."""
    jobs = [(seed, index) for index in range(count)]
    with multiprocessing.Pool(processes, _start_worker,
                              (split, style)) as pool:
        yield from pool.imap(_make_one, jobs, chunksize=16)


def _parse_arguments():
    parser = argparse.ArgumentParser(
        description="Write a VOC-style folder of emoji on photographs.")
    parser.add_argument("--out", required=True, help="folder to write into")
    parser.add_argument("--count", type=int, default=500, help="scenes (500)")
    parser.add_argument("--seed", type=int, default=1, help="seed (1)")
    parser.add_argument("--split", choices=sorted(photographs.SPLITS),
                        default="test", help="whose photographs (test)")
    parser.add_argument("--processes", type=int, default=2, help="(2)")
    return parser.parse_args()


def main():
    arguments = _parse_arguments()
    check_packages()
    writer = voc_folder.Writer(arguments.out, arguments.split,
                               glyphs.CATEGORIES)
    for scene in make_scenes(arguments.split, arguments.seed, arguments.count,
                             arguments.processes):
        writer.add(scene.jpeg, scene.size, scene.objects,
                   scene.photograph.name)
    writer.finish()
    print(f"{arguments.count} scenes in {arguments.out}")


if __name__ == "__main__":
    main()
