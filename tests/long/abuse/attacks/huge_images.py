"""Images as large as they may be, all at once."""

from asking import COMPUTE, ask, compute, count, png, side_by_side

ITEM = "4"
WHAT = "10 callers with images of 40 megapixels and maps of their size, twice"
BOUND_MIB = 3000
MAY_REFUSE = True


def attack(server):
    request = compute(image=png(8000, 5000))
    codes = []
    for _ in range(2):
        codes += side_by_side([lambda: ask(server, COMPUTE, request, 60)] * 10)
    if "OK" not in count(codes):
        raise AssertionError(count(codes))
    return {"note": count(codes)}
