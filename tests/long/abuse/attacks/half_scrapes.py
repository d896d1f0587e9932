"""Requests to the metrics port that stop half way."""

import time

from http2 import connect

ITEM = "18"
WHAT = "50, then 500 half-sent requests to the metrics port"
BOUND_MIB = 700


def attack(server):
    slowest = 0
    peers = []
    for count in (50, 500):
        for _ in range(count):
            peers.append(connect(server.metrics_port))
            peers[-1].send(b"GET /metrics HTTP/1.1\r\nHost: ")
        for _ in range(5):
            start = time.monotonic()
            server.metrics()
            slowest = max(slowest, time.monotonic() - start)
    for peer in peers:
        peer.close()
    if slowest > 2:
        raise AssertionError(f"a scrape took {slowest:.1f} s")
    return {"note": f"slowest scrape {slowest:.2f} s"}
