"""Reads and writes folders laid out as Pascal VOC's:

    JPEGImages/000001.jpg
    Annotations/000001.xml
    ImageSets/Main/test.txt        names, one per line
    ImageSets/Main/cat_test.txt    names and 1, -1, or 0 (difficult ones only)
"""

import collections
import dataclasses
import os
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Annotated:
    """An object in an image; `box` is left, top, right, bottom, 0-based and
    inclusive, of its visible pixels (the XML counts from 1)."""

    category: str
    box: tuple
    truncated: bool
    occluded: bool
    difficult: bool


@dataclasses.dataclass
class Entry:
    """An image of a folder: path, (width, height) and its objects."""

    path: str
    size: tuple
    objects: list


def truths(objects):
    """{category: 1, or -1 where all of its objects are difficult}."""
    answer = {}
    for thing in objects:
        shown = not thing.difficult or answer.get(thing.category) == 1
        answer[thing.category] = 1 if shown else -1
    return answer


class Writer:
    """Fills a folder image by image; finish() writes the image sets."""

    def __init__(self, folder, split, categories):
        self._folder = folder
        self._split = split
        self._categories = categories
        self._names = []
        self._truths = []
        for part in ("JPEGImages", "Annotations", "ImageSets/Main"):
            os.makedirs(os.path.join(folder, part), exist_ok=True)

    def add(self, jpeg, size, objects, source):
        """Stores the encoded image `jpeg` and its annotation."""
        name = f"{len(self._names) + 1:06d}"
        with open(self._path("JPEGImages", name + ".jpg"), "wb") as file:
            file.write(jpeg)
        write_annotation(self._path("Annotations", name + ".xml"),
                         Entry(name + ".jpg", size, objects), source)
        self._names.append(name)
        self._truths.append(truths(objects))

    def finish(self):
        """Writes ImageSets/Main."""
        self._write_set(self._split, self._names)
        # In these files 0 stands for "difficult objects only".
        codes = {1: " 1", -1: " 0", 0: "-1"}
        for category in self._categories:
            self._write_set(f"{category}_{self._split}", [
                f"{name} {codes[truth.get(category, 0)]}"
                for name, truth in zip(self._names, self._truths)])

    def _write_set(self, name, lines):
        path = self._path("ImageSets/Main", name + ".txt")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)

    def _path(self, part, name):
        return os.path.join(self._folder, part, name)


def write_annotation(path, entry, source):
    """Writes `entry` as VOC XML; `source` says what lies below."""
    width, height = entry.size
    root = ElementTree.Element("annotation")
    _add(root, "folder", "voc-emoji")
    _add(root, "filename", entry.path)
    origin = _add(root, "source")
    _add(origin, "database", "voc-emoji")
    _add(origin, "annotation", "generated")
    _add(origin, "image", source)
    size = _add(root, "size")
    for tag, value in (("width", width), ("height", height), ("depth", 3)):
        _add(size, tag, value)
    _add(root, "segmented", 0)
    for thing in entry.objects:
        _add_object(root, thing)
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(path, encoding="unicode")
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n")


def _add(parent, tag, value=None):
    child = ElementTree.SubElement(parent, tag)
    child.text = None if value is None else str(value)
    return child


def _add_object(root, thing):
    node = _add(root, "object")
    _add(node, "name", thing.category)
    _add(node, "pose", "Unspecified")
    _add(node, "truncated", int(thing.truncated))
    _add(node, "occluded", int(thing.occluded))
    _add(node, "difficult", int(thing.difficult))
    box = _add(node, "bndbox")
    for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), thing.box):
        _add(box, tag, value + 1)


def read_folder(folder, split):
    """The Entries of an image set, in its order."""
    with open(os.path.join(folder, "ImageSets/Main", split + ".txt"),
              encoding="utf-8") as file:
        names = file.read().split()
    return [_read_entry(folder, name) for name in names]


def _read_entry(folder, name):
    root = ElementTree.parse(
        os.path.join(folder, "Annotations", name + ".xml")).getroot()
    size = tuple(int(root.find("size").findtext(tag))
                 for tag in ("width", "height"))
    return Entry(os.path.join(folder, "JPEGImages", name + ".jpg"), size,
                 [_read_object(node) for node in root.iter("object")])


def _read_object(node):
    box = node.find("bndbox")
    flags = {tag: node.findtext(tag, "0") == "1"
             for tag in ("truncated", "occluded", "difficult")}
    return Annotated(
        category=node.findtext("name"),
        box=tuple(int(box.findtext(tag)) - 1
                  for tag in ("xmin", "ymin", "xmax", "ymax")), **flags)


def boxes_by_category(objects):
    """{category: its objects}, in order of first appearance."""
    answer = collections.OrderedDict()
    for thing in objects:
        answer.setdefault(thing.category, []).append(thing)
    return answer
