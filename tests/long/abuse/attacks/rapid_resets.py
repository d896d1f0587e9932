"""Calls that are reset as soon as they are begun, by a peer that connects anew
whenever it is hung up on."""

import itertools

from http2 import ATTACKER
from resets import flood

ITEM = "2"
SECONDS = 60
WHAT = ("calls that are reset at once, on 10 connections of one address, for "
        f"{SECONDS} s")
BOUND_MIB = 700
MAY_REFUSE = True


def attack(server):
    connections = flood(
        server.port, "/saliency.v1.SaliencyService/ComputeSaliency", SECONDS,
        itertools.repeat(ATTACKER))
    resets = server.metric("saliency_connections_reset_total", port="grpc")
    return {"note": f"{connections:,} connections, "
                    f"{resets:.0f} reset, the others hung up on at once",
            "calls": None}
