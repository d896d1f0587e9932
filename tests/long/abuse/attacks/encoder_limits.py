"""Maps that no encoder can write."""

from asking import COMPUTE, ask, compute, count
from honest import api

ITEM = "12"
WHAT = "PNGs of 1 x 1,000,001 and 1,000,001 x 1, of each kind"
BOUND_MIB = 1200


def attack(server):
    explanation, _ = api()
    codes = []
    for encoding in (explanation.MAP_ENCODING_PNG16,
                     explanation.MAP_ENCODING_COLOUR_PNG):
        for size in ((1, 1_000_001), (1_000_001, 1)):
            codes.append(ask(server, COMPUTE,
                             compute(size, encoding=encoding), 60))
    if count(codes) != "4 INVALID_ARGUMENT":
        raise AssertionError(count(codes))
    return {"note": count(codes)}
