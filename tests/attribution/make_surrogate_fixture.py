#!/usr/bin/env python3
"""Writes tests/golden/surrogate: what LIME and kernel SHAP fit to given scores.

LIME as the authors' package computes it (ridge regression with weights and an
offset, by least squares over weighted rows and one more row for each
coefficient); Shapley values as the mean over all orders of the players.
    usage: make_surrogate_fixture.py
"""

import itertools
import json
import pathlib

import numpy

SEGMENTS = 7
SAMPLES = 40
KERNEL_WIDTH = 0.25
RIDGE = 1.0


def lime(kept, scores):
    """The coefficients, and the samples' weights."""
    whole = numpy.ones(SEGMENTS)
    lengths = numpy.linalg.norm(kept, axis=1) * numpy.linalg.norm(whole)
    cosine = numpy.divide(kept @ whole, lengths, out=numpy.zeros(len(kept)),
                          where=lengths > 0)
    weights = numpy.sqrt(numpy.exp(-(1 - cosine) ** 2 / KERNEL_WIDTH ** 2))
    rows = numpy.hstack([kept, numpy.ones((len(kept), 1))])
    rows = numpy.sqrt(weights)[:, None] * rows
    penalty = numpy.hstack([numpy.sqrt(RIDGE) * numpy.eye(SEGMENTS),
                            numpy.zeros((SEGMENTS, 1))])
    wanted = numpy.concatenate([numpy.sqrt(weights) * scores, numpy.zeros(SEGMENTS)])
    found = numpy.linalg.lstsq(numpy.vstack([rows, penalty]), wanted, rcond=None)[0]
    return found[:SEGMENTS], weights


def shapley(values):
    """`values` by the bits of the players."""
    sums = numpy.zeros(SEGMENTS)
    orders = list(itertools.permutations(range(SEGMENTS)))
    for order in orders:
        members = 0
        for player in order:
            joined = members | 1 << player
            sums[player] += values[joined] - values[members]
            members = joined
    return sums / len(orders)


def main():
    random = numpy.random.default_rng(20)
    kept = random.integers(0, 2, (SAMPLES, SEGMENTS))
    kept[0] = 1
    kept[1] = 0
    scores = 12 + kept @ random.standard_normal(SEGMENTS) + \
        0.3 * random.standard_normal(SAMPLES)
    coefficients, weights = lime(kept.astype(float), scores)
    values = 5 + random.standard_normal(2 ** SEGMENTS)
    golden = {
        "segments": SEGMENTS,
        "kernel_width": KERNEL_WIDTH,
        "ridge": RIDGE,
        "kept": kept.tolist(),
        "scores": scores.tolist(),
        "weights": weights.tolist(),
        "coefficients": coefficients.tolist(),
        "values": values.tolist(),
        "shapley_values": shapley(values).tolist(),
    }
    folder = pathlib.Path(__file__).resolve().parents[1] / "golden/surrogate"
    folder.mkdir(exist_ok=True)
    (folder / "surrogate.json").write_text(json.dumps(golden) + "\n",
                                            encoding="ascii")


if __name__ == "__main__":
    main()
