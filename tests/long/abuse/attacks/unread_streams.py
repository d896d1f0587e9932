"""Streams whose answers nobody reads."""

import threading
import time

from asking import STREAM, compute
from honest import api, channel_to

ITEM = "4"
WHAT = "3 streams of 34 questions for 40 MB answers each, never read"
BOUND_MIB = 2600
MAY_REFUSE = True
QUESTIONS = 34


def attack(server):
    _, service = api()
    over = threading.Event()

    def questions():
        for number in range(QUESTIONS):
            question = service.StreamSaliencyRequest(id=str(number))
            question.compute.CopyFrom(compute((2500, 4000)))
            yield question.SerializeToString()
        over.wait()

    channels = [channel_to(server.port, ("grpc.http2.bdp_probe", 0))
                for _ in range(3)]
    streams = [channel.stream_stream(STREAM)(questions())
               for channel in channels]
    time.sleep(20)
    held = server.metric("saliency_queue_bytes") / 2**20
    for stream in streams:
        stream.cancel()
    over.set()
    for channel in channels:
        channel.close()
    end = time.monotonic() + 30
    while server.metric("saliency_queue_bytes") and time.monotonic() < end:
        time.sleep(0.2)
    if server.metric("saliency_queue_bytes"):
        raise AssertionError("held after the streams were gone")
    return {"note": f"{held:.0f} of 1,024 MiB held, 0 once they were gone",
            "calls": None}
