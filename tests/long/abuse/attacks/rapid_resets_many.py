"""Calls that are reset as soon as they are begun, each connection from another
address, so that nobody can be kept out.  No handler is called: nobody serves
their method."""

import time

import grpc

from resets import flood

ITEM = "2"
SECONDS = 60
PATIENCE_S = 120
WHAT = ("the same, each connection from another address, of a method that "
        "nobody serves")
BOUND_MIB = 1500
MAY_REFUSE = True
MAY_EXPIRE = True  # the CPU is the attackers'


def _addresses():
    while True:
        for number in range(1, 1 << 16):
            yield f"127.1.{number >> 8}.{number & 255}"


def _await_answer(server):
    start = time.monotonic()
    while True:
        try:
            server.health(port=server.port)
            return time.monotonic() - start
        except grpc.RpcError:
            if time.monotonic() - start > PATIENCE_S:
                raise


def attack(server):
    connections = flood(server.port, "/nobody.Serves/This", SECONDS,
                        _addresses())
    again = _await_answer(server)
    resets = server.metric("saliency_connections_reset_total", port="grpc")
    return {"note": f"{connections:,} connections, "
                    f"{resets:,.0f} reset; others answered {again:.0f} s later",
            "calls": None}
