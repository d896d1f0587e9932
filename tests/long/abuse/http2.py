"""HTTP/2 by hand, for what no well-behaved client sends.  From 127.0.0.66, so
that others are another peer."""

import contextlib
import select
import socket
import struct
import time

ATTACKER = "127.0.0.66"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = (
    0, 1, 3, 4, 6, 7, 8)
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags=0, stream=0, payload=b""):
    return (struct.pack(">I", len(payload))[1:]
            + struct.pack(">BBI", kind, flags, stream) + payload)


def _text(text):
    data = text if isinstance(text, bytes) else text.encode()
    size = len(data)
    if size < 127:
        return bytes([size]) + data
    rest, more = b"", size - 127
    while more >= 128:
        rest += bytes([more % 128 + 128])
        more //= 128
    return bytes([127]) + rest + bytes([more]) + data


def header_block(path, extra=(), index=False):
    """HPACK without Huffman; `index` enters the fields into the peer's table,
    the last as number 62."""
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path),
              (":authority", "x"), ("te", "trailers"),
              ("content-type", "application/grpc"), *extra]
    kind = b"\x40" if index else b"\x00"
    return b"".join(kind + _text(name) + _text(value)
                    for name, value in fields)


def grpc_message(data, size=None, compressed=False):
    """With its prefix; `size` is what the prefix claims."""
    return struct.pack(">BI", int(compressed),
                       len(data) if size is None else size) + data


def connect(port, address=ATTACKER):
    peer = socket.socket()
    peer.bind((address, 0))
    peer.settimeout(10)
    peer.connect(("127.0.0.1", port))
    return peer


def connect_many(port, count):
    """Those that come about: a server may hang up before connect returns."""
    peers = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            peers.append(connect(port))
    return peers


class Peer:
    """One connection that sends what it is told and honours flow control as far
    as `pump` is called."""

    def __init__(self, port, address=ATTACKER):
        self.socket = connect(port, address)
        self.socket.setblocking(False)
        self.out = bytearray(PREFACE + frame(SETTINGS))
        self.window = 65535
        self.stream_window = 65535
        self.windows = {}      # of streams that upload
        self.uploads = {}      # stream: bytes that wait for room
        self.sent = 0          # of uploads
        self.ended = set()     # streams that the server ended
        self.closed = False
        self._in = b""

    def open(self, stream, path, extra=(), end=False):
        self.out += frame(HEADERS, END_HEADERS | (END_STREAM if end else 0),
                          stream, header_block(path, extra))
        self.windows[stream] = self.stream_window

    def upload(self, stream, data):
        self.uploads[stream] = memoryview(data)

    def _take(self):
        while len(self._in) >= 9:
            size = int.from_bytes(self._in[:3], "big")
            if len(self._in) < 9 + size:
                return
            kind, flags, stream = struct.unpack(">BBI", self._in[3:9])
            payload = self._in[9:9 + size]
            self._in = self._in[9 + size:]
            if kind == SETTINGS and not flags & ACK:
                for at in range(0, size, 6):
                    name, value = struct.unpack(">HI", payload[at:at + 6])
                    if name == 4:
                        for open_stream in self.windows:
                            self.windows[open_stream] += (
                                value - self.stream_window)
                        self.stream_window = value
                self.out += frame(SETTINGS, ACK)
            elif kind == PING and not flags & ACK:
                self.out += frame(PING, ACK, 0, payload)
            elif kind == WINDOW_UPDATE:
                more = int.from_bytes(payload, "big")
                if stream == 0:
                    self.window += more
                elif stream in self.windows:
                    self.windows[stream] += more
            elif kind == RST_STREAM or (kind == HEADERS
                                        and flags & END_STREAM):
                self.ended.add(stream)
                self.uploads.pop(stream, None)

    def _fill(self):
        for stream, data in list(self.uploads.items()):
            while data and len(self.out) < 1 << 18:
                room = min(self.window, self.windows[stream], 16384, len(data))
                if room <= 0:
                    break
                self.out += frame(DATA, 0, stream, bytes(data[:room]))
                data = data[room:]
                self.window -= room
                self.windows[stream] -= room
                self.sent += room
            self.uploads[stream] = data

    def pump(self):
        """Takes and gives what goes at once; False: nothing went."""
        went = False
        try:
            while not self.closed:
                data = self.socket.recv(1 << 16)
                if not data:
                    self.closed = True
                self._in += data
                went = went or bool(data)
                self._take()
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        self._fill()
        try:
            while self.out and not self.closed:
                count = self.socket.send(self.out)
                del self.out[:count]
                went = True
        except BlockingIOError:
            pass
        except OSError:
            self.closed = True
        return went

    def close(self):
        self.socket.close()


def pump_all(peers, seconds):
    """Pumps until nothing has gone for a second, `seconds` at most."""
    end = time.monotonic() + seconds
    quiet = time.monotonic() + 1
    while time.monotonic() < min(end, quiet):
        if any([peer.pump() for peer in peers]):
            quiet = time.monotonic() + 1
        else:
            select.select([p.socket for p in peers if not p.closed], [], [],
                          0.05)
