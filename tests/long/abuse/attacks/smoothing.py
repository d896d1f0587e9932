"""Blurs as wide as the map, of the largest map there may be."""

import time

from asking import COMPUTE, ask, compute, count, side_by_side

ITEM = "3"
WHAT = ("8 calls of 27 KB for maps of 8,000 x 5,000 smoothed by half their side, "
        "deadlines of 5 s")
BOUND_MIB = 2600
DEADLINE_S = 5


def attack(server):
    request = compute((8000, 5000), targets=2, smooth_sigma=0.5)
    start = time.monotonic()
    codes = side_by_side([lambda: ask(server, COMPUTE, request, DEADLINE_S)] * 8)
    if time.monotonic() - start > DEADLINE_S + 5:
        raise AssertionError(f"{time.monotonic() - start:.0f} s")
    # Nothing of it is left: an idle server answers at once.
    start = time.monotonic()
    ask(server, COMPUTE, compute(), 20)
    left = time.monotonic() - start
    if left > 5:
        raise AssertionError(f"busy for {left:.0f} s afterwards")
    return {"note": f"{count(codes)}; next answer after {left:.1f} s"}
