# SPDX-License-Identifier: MIT
"""gearmand's binary packets: framing and the numbers of their types."""
import enum
import struct


class Kind(enum.IntEnum):
    CAN_DO = 1
    CANT_DO = 2
    RESET_ABILITIES = 3
    PRE_SLEEP = 4
    NOOP = 6
    SUBMIT_JOB = 7
    JOB_CREATED = 8
    GRAB_JOB = 9
    NO_JOB = 10
    JOB_ASSIGN = 11
    WORK_STATUS = 12
    WORK_COMPLETE = 13
    WORK_FAIL = 14
    GET_STATUS = 15
    ECHO_REQ = 16
    ECHO_RES = 17
    SUBMIT_JOB_BG = 18
    ERROR = 19
    STATUS_RES = 20
    SUBMIT_JOB_HIGH = 21
    SET_CLIENT_ID = 22
    CAN_DO_TIMEOUT = 23
    WORK_EXCEPTION = 25
    OPTION_REQ = 26
    OPTION_RES = 27
    WORK_DATA = 28
    WORK_WARNING = 29
    GRAB_JOB_UNIQ = 30
    JOB_ASSIGN_UNIQ = 31
    SUBMIT_JOB_HIGH_BG = 32
    SUBMIT_JOB_LOW = 33
    SUBMIT_JOB_LOW_BG = 34
    SUBMIT_JOB_EPOCH = 36
    GRAB_JOB_ALL = 39
    JOB_ASSIGN_ALL = 40


PROGRESS = (Kind.WORK_STATUS, Kind.WORK_DATA, Kind.WORK_WARNING)
TERMINAL = (Kind.WORK_COMPLETE, Kind.WORK_FAIL, Kind.WORK_EXCEPTION)


def as_bytes(text):
    return text.encode() if isinstance(text, str) else bytes(text)


def pack(magic, kind, *args):
    payload = b"\0".join(as_bytes(arg) for arg in args)
    return struct.pack(">4sII", magic, kind, len(payload)) + payload


def request(kind, *args):
    return pack(b"\0REQ", kind, *args)


def response(kind, *args):
    return pack(b"\0RES", kind, *args)


def receive_exactly(sock, size):
    """Receives `size` bytes from `sock`. Raises EOFError if the peer closes before that."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    got = 0
    while got < size:
        count = sock.recv_into(view[got:])
        if count == 0:
            raise EOFError(f"connection closed after {got} of {size} bytes")
        got += count
    return bytes(buffer)


def receive(sock):
    """Receives the next packet: (kind, payload). For an unknown type `kind` is a plain number."""
    _, kind, size = struct.unpack(">4sII", receive_exactly(sock, 12))
    try:
        kind = Kind(kind)
    except ValueError:
        pass
    return kind, receive_exactly(sock, size)
