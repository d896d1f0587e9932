"""Figures of merit of classifiers and of saliency maps."""

import numpy as np


def average_precision(scores, truths):
    """Area under the precision-recall curve; scores [N], truths [N] of 1, 0
    and -1, where -1 does not count either way."""
    known = truths >= 0
    order = np.argsort(-scores[known], kind="stable")
    hits = truths[known][order] == 1
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    # At every recall the best precision at that or a higher one.
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return precision[hits].mean()


def mean_average_precision(scores, truths):
    """Mean over the categories, which are the columns of [N,C] arrays."""
    return np.mean([average_precision(s, t)
                    for s, t in zip(scores.T, truths.T)])


def is_hit(point, boxes, tolerance):
    """Whether `point` (x, y) is nearer than `tolerance` pixels to a pixel of
    one of the `boxes` (left, top, right, bottom, inclusive)."""
    x, y = point
    return any(np.hypot(max(left - x, 0, x - right),
                        max(top - y, 0, y - bottom)) < tolerance
               for left, top, right, bottom in boxes)


class PointingGame:
    """Hits and misses of one method, by category."""

    def __init__(self):
        self._outcomes = {}

    def add(self, category, hit):
        """Counts one image and category."""
        self._outcomes.setdefault(category, []).append(hit)

    def accuracy(self):
        """Percentage of hits, the mean over the categories."""
        return 100 * np.mean([np.mean(o) for o in self._outcomes.values()])
