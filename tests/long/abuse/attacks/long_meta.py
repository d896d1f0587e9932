"""A call with as many rows as there may be, beside small ones."""

import time

from asking import META, ask
from honest import api

ITEM = "16"
WHAT = "MetaSaliency of 1,024 rows; a small one every quarter of a second"
BOUND_MIB = 2000
ROWS = (16, 64)  # images, targets


def question(images, targets):
    explanation, service = api()
    tensor = explanation.Tensor(shape=[images, 3, 96, 96],
                                data=bytes(images * 3 * 96 * 96 * 4))
    request = service.MetaSaliencyRequest()
    request.input.tensor.CopyFrom(tensor)
    for index in range(targets):
        request.targets.add().class_index = index % 20
    request.attributions.add(method="norm_grad", layers=["layer3"])
    request.output.named_size = explanation.NAMED_SIZE_LAYER
    return request


def attack(server):
    start = time.monotonic()
    code = ask(server, META, question(*ROWS), 300)
    return {"note": f"the long one {code.name} after "
                    f"{time.monotonic() - start:.0f} s"}
