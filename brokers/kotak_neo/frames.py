"""Tell whether a binary frame of the price feed can be read to its end."""

import struct

_LENGTH = struct.Struct("<H")
_HEADER_SIZE = 9


def is_whole(frame: bytes) -> bool:
    """Whether a frame is nothing but whole packets; the SDK drops a torn tail without a word.

    Source: brokers.md 1.10 item 6: packets end to end, each beginning with its own length.
    """
    offset = 0
    while offset + _LENGTH.size <= len(frame):
        (size,) = _LENGTH.unpack_from(frame, offset)
        if size == 0:
            return not any(frame[offset:])  # padding
        if size < _HEADER_SIZE or offset + size > len(frame):
            return False
        offset += size
    return offset == len(frame)
