"""What 1,800 mixed questions leave behind."""

import time

import grpc

from asking import COMPUTE, META, STREAM, compute, side_by_side
from honest import api, channel_to

ITEM = "17"
WHAT = "1,800 mixed questions by 16 callers, then nothing for 20 s"
BOUND_MIB = 2600
MAY_REFUSE = True
CALLERS = 16
QUESTIONS = 1800


def mixed(number):
    """(path, request) of a question: explain, combine, meta, bad inputs."""
    explanation, service = api()
    kind = number % 6
    if kind == 0:
        return COMPUTE, compute()
    if kind == 1:
        return COMPUTE, compute((1000, 1500), targets=2, smooth_sigma=0.05)
    if kind == 2:
        request = compute()
        request.output.encoding = explanation.MAP_ENCODING_OVERLAY_PNG
        return COMPUTE, request
    if kind == 3:
        request = service.CombineLayersRequest(input=compute().input)
        request.combinations.add(method="norm_grad")
        return "/saliency.v1.SaliencyService/CombineLayers", request
    if kind == 4:
        request = service.MetaSaliencyRequest(input=compute().input)
        request.attributions.add(method="norm_grad", layers=["layer3"])
        return META, request
    bad = compute()
    bad.input.image = bad.input.image[:len(bad.input.image) // 2]
    return COMPUTE, bad


def caller(server, first):
    _, service = api()
    with channel_to(server.port) as channel:
        for number in range(first, QUESTIONS, CALLERS):
            path, request = mixed(number)
            try:
                channel.unary_unary(path)(request.SerializeToString(),
                                          timeout=60)
            except grpc.RpcError:
                pass
        question = service.StreamSaliencyRequest(id="x")
        question.compute.CopyFrom(compute())
        for _ in channel.stream_stream(STREAM)(
                iter([question.SerializeToString()] * 1), timeout=60):
            pass


def attack(server):
    start = time.monotonic()
    before = server.resident_mib()
    curve = [(0, before)]

    def watch():
        while not curve or not watch.over:
            time.sleep(2)
            curve.append((time.monotonic() - start, server.resident_mib()))
    watch.over = False

    def work():
        side_by_side([lambda first=first: caller(server, first)
                      for first in range(CALLERS)])
        worked = time.monotonic() - start
        time.sleep(20)
        watch.over = True
        return worked

    _, worked = side_by_side([watch, work])
    peak = max(mib for _, mib in curve)
    after = server.resident_mib()
    for seconds, mib in curve:
        print(f"  {seconds:5.0f} s {mib:6.0f} MiB", flush=True)
    if after > before + 200:
        raise AssertionError(f"{before:.0f} MiB before, {after:.0f} after")
    return {"note": f"{before:.0f} MiB before, {peak:.0f} at most in "
                    f"{worked:.0f} s, {after:.0f} after"}
