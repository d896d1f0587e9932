"""Nobody reads stderr while a stream fills it, and then the server is to go."""

import time

from honest import channel_to

ITEM = "8"
WHAT = "200,000 questions of 9 bytes on a stream, stderr never read; SIGTERM"
BOUND_MIB = 1000
LIMITS = {"read_log": False}
ENDS_SERVER = True
QUESTIONS = 200_000


def attack(server):
    with channel_to(server.port) as channel:
        stream = channel.stream_stream(
            "/saliency.v1.SaliencyService/StreamSaliency")
        answers = sum(1 for _ in stream(
            (b"\x0a\x07%07d" % number for number in range(QUESTIONS)),
            timeout=300))
    if answers != QUESTIONS:
        raise AssertionError(f"{answers} answers")
    counted = server.metric("saliency_requests_total",
                            rpc="StreamSaliency.none")
    if counted != QUESTIONS:
        raise AssertionError(f"{counted} counted")
    rate = server.metric("saliency_log_dropped_total", reason="rate")
    blocked = server.metric("saliency_log_dropped_total", reason="blocked")
    time.sleep(0.5)
    seconds = server.stop()
    if seconds > 10:
        raise AssertionError(f"{seconds:.1f} s from SIGTERM to the end")
    return {"note": f"{rate + blocked:.0f} lines dropped and counted, gone "
                    f"{seconds:.1f} s after SIGTERM"}
