#!/usr/bin/python3
"""Measures model.pt on a VOC-style folder, as made by scenes.py.

    evaluate.py --folder DIR [--split test]

prints the mean average precision, then how often the maximum of a saliency map
lies on the class it explains (pointing game, Zhang et al. 2016,
arXiv:1608.00507), by layer and method. The formulas are those of Rebuffi,
Fong, Ji, Vedaldi, CVPR 2020, arXiv:2004.02866, in plain PyTorch: a second
implementation to hold the server against, and proof that the scenes are hard
enough for layers and methods to differ.
"""

import argparse
import collections
import os

import numpy as np
import torch
from PIL import Image
from torch import nn

import glyphs
import preprocessing
import scores
import voc_folder

LAYERS = ("relu", "layer1", "layer2", "layer3", "layer4")
# In order of execution; "fc" follows.
_STAGES = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3",
           "layer4", "avgpool")
TOLERANCE = 15
# A category is difficult in an image that shows another one as well and of
# which its boxes cover less than this part.
_DIFFICULT_PART = 0.25
# Maps that vary less than this part of their largest value are constant.
_CONSTANT = 1e-6


def _norm(x):
    return x.square().sum(1).sqrt()


def _grad_cam(x, g):
    weights = g.mean(dim=(2, 3), keepdim=True)
    return (weights * x).sum(1).clamp(min=0)


# Activation x and gradient g of a layer, [B,K,H,W], to maps [B,H,W].
METHODS = {
    "gradient": lambda x, g: g.abs().amax(1),
    "gradient_sum": lambda x, g: g.sum(1),
    "linear_approximation": lambda x, g: (x * g).sum(1),
    "grad_cam": _grad_cam,
    "norm_grad": lambda x, g: _norm(x) * _norm(g),
    "selective_norm_grad": lambda x, g: _norm((x * g).clamp(min=0)),
}


def activations_and_logits(model, images):
    """({layer: [B,K,H,W]}, [B,20]) of normalised images [B,3,224,224]."""
    children = dict(model.named_children())
    kept, x = {}, images
    for name in _STAGES:
        x = children[name](x)
        if name in LAYERS:
            kept[name] = x
    return kept, children["fc"](x.flatten(1))


def saliency(model, image, categories):
    """({(layer, method): [n,H,W]}, [20] logits): maps of one image
    [1,3,224,224] for each of the n category indices."""
    rows = image.repeat(len(categories), 1, 1, 1).requires_grad_()
    kept, logits = activations_and_logits(model, rows)
    score = logits[torch.arange(len(categories)), categories].sum()
    gradients = torch.autograd.grad(score, [kept[name] for name in LAYERS])
    with torch.no_grad():
        maps = {(name, method): formula(kept[name], g)
                for name, g in zip(LAYERS, gradients)
                for method, formula in METHODS.items()}
    return maps, logits[0].detach()


def points_of(maps, size):
    """The (x, y) of the largest value of each of [n,H,W] maps, resized to
    `size` (width, height); the first one of a constant map."""
    width, height = size
    large = nn.functional.interpolate(maps[:, None], size=(height, width),
                                      mode="bilinear", align_corners=False)
    flat = large.flatten(1)
    spread = flat.amax(1) - flat.amin(1)
    positions = flat.argmax(1)
    positions[spread <= _CONSTANT * flat.abs().amax(1)] = 0
    return [(int(p) % width, int(p) // width) for p in positions]


def _targets(entry):
    """{category: boxes} of what an entry shows clearly; all boxes count."""
    groups = voc_folder.boxes_by_category(entry.objects)
    return {category: [thing.box for thing in things]
            for category, things in groups.items()
            if not all(thing.difficult for thing in things)}


def is_difficult(entry, boxes):
    """Whether one of several categories, small, is to be pointed at."""
    if len(voc_folder.boxes_by_category(entry.objects)) < 2:
        return False
    width, height = entry.size
    covered = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes:
        covered[top:bottom + 1, left:right + 1] = True
    return covered.mean() < _DIFFICULT_PART


class Measurement:
    """Collects scores and pointing trials over the entries of a folder."""

    def __init__(self, model):
        self._model = model
        self._logits, self._truths = [], []
        # By (layer, method, subset).
        self.trials = collections.defaultdict(scores.PointingGame)

    def add(self, entry):
        """Classifies and explains one image."""
        targets = _targets(entry)
        categories = [glyphs.CATEGORIES.index(name) for name in targets]
        with Image.open(entry.path) as file:
            pixels = preprocessing.squash(file.convert("RGB"))
        image = preprocessing.normalise(torch.from_numpy(pixels)[None])
        maps, logits = saliency(self._model, image, categories)
        self._logits.append(logits.numpy())
        self._truths.append(_truth_row(entry))
        centre = (entry.size[0] // 2, entry.size[1] // 2)
        self._count(entry, targets, "centre", "", [centre] * len(targets))
        for (layer, method), some in maps.items():
            self._count(entry, targets, layer, method,
                        points_of(some, entry.size))

    def _count(self, entry, targets, layer, method, points):
        for (category, boxes), point in zip(targets.items(), points):
            hit = scores.is_hit(point, boxes, TOLERANCE)
            self.trials[layer, method, "all"].add(category, hit)
            if is_difficult(entry, boxes):
                self.trials[layer, method, "difficult"].add(category, hit)

    def mean_average_precision(self):
        """Over the images so far."""
        return scores.mean_average_precision(np.array(self._logits),
                                             np.array(self._truths))


def _truth_row(entry):
    truths = voc_folder.truths(entry.objects)
    return [truths.get(category, 0) for category in glyphs.CATEGORIES]


def print_table(trials, subset):
    """Prints accuracies as a Markdown table, methods down, layers across."""
    print(f"\nPointing trial, {subset}: centre "
          f"{trials['centre', '', subset].accuracy():.1f}\n")
    print("| method | " + " | ".join(LAYERS) + " |")
    print("|---|" + "---:|" * len(LAYERS))
    for method in METHODS:
        cells = [f"{trials[layer, method, subset].accuracy():.1f}"
                 for layer in LAYERS]
        print(f"| {method} | " + " | ".join(cells) + " |")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description="Measure the bundled model.")
    parser.add_argument("--folder", required=True, help="VOC-style folder")
    parser.add_argument("--split", default="test", help="image set (test)")
    parser.add_argument("--model",
                        default=os.path.join(here, "1", "model.pt"))
    parser.add_argument("--threads", type=int, default=2, help="(2)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    measurement = Measurement(torch.jit.load(arguments.model).eval())
    entries = voc_folder.read_folder(arguments.folder, arguments.split)
    for entry in entries:
        measurement.add(entry)
    print(f"{len(entries)} images, mean average precision "
          f"{measurement.mean_average_precision():.4f}")
    for subset in ("all", "difficult"):
        print_table(measurement.trials, subset)


if __name__ == "__main__":
    main()
