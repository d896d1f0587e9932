"""What 1,800 mixed questions leave behind."""

import contextlib
import threading
import time

import grpc

from asking import COMPUTE, META, STREAM, ask, compute, count, side_by_side
from honest import api, channel_to

ITEM = "17"
WHAT = "1,800 mixed questions by 16 callers, then nothing for 20 s"
BOUND_MIB = 2600
MAY_REFUSE = True
CALLERS = 16
QUESTIONS = 1800
SECONDS = 900  # at most, on a machine that is busy
IDLE_S = 20


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
        request.combinations.add()
        return "/saliency.v1.SaliencyService/CombineLayers", request
    if kind == 4:
        request = service.MetaSaliencyRequest(input=compute().input)
        request.attributions.add(method="norm_grad", layers=["layer3"])
        return META, request
    bad = compute()
    bad.input.image = bad.input.image[:len(bad.input.image) // 2]
    return COMPUTE, bad


def caller(server, first, codes):
    _, service = api()
    end = time.monotonic() + SECONDS
    with channel_to(server.port) as channel:
        for number in range(first, QUESTIONS, CALLERS):
            if time.monotonic() > end:
                break
            path, request = mixed(number)
            codes.append(ask(server, path, request, 60, channel))
        question = service.StreamSaliencyRequest(id="x")
        question.compute.CopyFrom(compute())
        stream = channel.stream_stream(STREAM)(
            iter([question.SerializeToString()]), timeout=60)
        with contextlib.suppress(grpc.RpcError):  # its code tells
            for _ in stream:
                pass
        codes.append(stream.code())


def attack(server):
    start = time.monotonic()
    before = server.resident_mib()
    curve = [(0, before)]
    over = threading.Event()

    def watch():
        while not over.wait(1):
            curve.append((time.monotonic() - start, server.resident_mib()))
    watcher = threading.Thread(target=watch)
    watcher.start()
    codes = []
    try:
        side_by_side([lambda first=first: caller(server, first, codes)
                      for first in range(CALLERS)])
        worked = time.monotonic() - start
        server.quiet.set()
        time.sleep(IDLE_S)
    finally:
        over.set()
        watcher.join()
    for seconds, mib in curve[::10] + curve[-1:]:
        print(f"  {seconds:5.0f} s {mib:6.0f} MiB", flush=True)
    peak = max(mib for _, mib in curve)
    after = server.resident_mib()
    if after > before + 200:
        raise AssertionError(f"{before:.0f} MiB before, {after:.0f} after")
    return {"note": f"{before:.0f} MiB before, {peak:.0f} at most in "
                    f"{worked:.0f} s, {after:.0f} after {IDLE_S} s idle; "
                    f"{count(codes)}"}
