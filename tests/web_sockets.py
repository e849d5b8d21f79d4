"""The server's side of a WebSocket (RFC 6455), as much of it as a test needs: whole text messages, pings, an end."""

import base64
import hashlib
import struct
import threading
from typing import BinaryIO, Protocol

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


def accepted(key: str) -> str:
    """Return what the server answers to `Sec-WebSocket-Key`."""
    return base64.b64encode(hashlib.sha1(key.encode() + _MAGIC).digest()).decode()


class Writable(Protocol):
    def sendall(self, data: bytes, /) -> None: ...


class WebSocket:
    def __init__(self, reader: BinaryIO, connection: Writable) -> None:
        self._reader, self._connection = reader, connection
        self._writing = threading.Lock()

    def send(self, text: str) -> None:
        self._write(TEXT, text.encode())

    def close(self) -> None:
        self._write(CLOSE, struct.pack("!H", 1000))

    def receive(self) -> str | None:
        """Return the next text, and answer pings meanwhile; None: it is over."""
        while True:
            opcode, payload = self._frame()
            if opcode == TEXT:
                return payload.decode()
            if opcode == PING:
                self._write(PONG, payload)
            elif opcode == CLOSE:
                return None

    def _frame(self) -> tuple[int, bytes]:
        head = self._reader.read(2)
        if len(head) < 2:
            return CLOSE, b""
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._reader.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._reader.read(8))
        mask = self._reader.read(4)
        payload = self._reader.read(length)
        return head[0] & 0x0F, bytes(byte ^ mask[n % 4] for n, byte in enumerate(payload))

    def _write(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, size)
        elif size < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
        with self._writing:
            self._connection.sendall(head + payload)
