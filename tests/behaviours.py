# SPDX-License-Identifier: MIT
"""Behaviours for FakeEndpoint. A behaviour is a function of (request, socket) that answers one request and returns whether
the connection stays open. Each function here is a behaviour or makes one."""
import json
import threading
import time


def contract(text="done", ret=0):
    """The body of a good answer."""
    return json.dumps({"gearman_ret": ret, "response_string": text}).encode()


def response(body=None, status="200 OK", headers=(), version="HTTP/1.1"):
    """A whole response with Content-Length, as bytes."""
    body = contract() if body is None else body
    head = "".join(f"{line}\r\n" for line in (f"{version} {status}", *headers, f"Content-Length: {len(body)}"))
    return head.encode() + b"\r\n" + body


def answer(body=None, keep=True, **parts):
    return raw(response(body, **parts), keep)


def raw(data, keep=False):
    """Sends these bytes, then closes the connection unless `keep`."""
    def behave(_, sock):
        sock.sendall(data)
        return keep
    return behave


def reverse(request, sock):
    """Reverses the workload of a request in JSON."""
    return answer(contract(json.loads(request.body)["workload"][::-1]))(request, sock)


def chunked(*parts, trailer=b"", keep=True):
    """Sends the body in chunks, each with a separate write."""
    def behave(_, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            sock.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        sock.sendall(b"0\r\n" + trailer + b"\r\n")
        return keep
    return behave


def until_close(body=None, head=b"HTTP/1.0 200 OK\r\n\r\n"):
    """Sends a body without a length, and ends it by closing the connection, as in HTTP/1.0."""
    return raw(head + (contract() if body is None else body))


def hang(_, sock):
    """Sends no answer. Returns when the peer closes the connection."""
    while sock.recv(65536):
        pass


def drip(head, byte, every, limit=10_000):
    """Sends `head`, then `byte` every `every` seconds, until the peer closes the connection."""
    def behave(_, sock):
        sock.sendall(head)
        for _ in range(limit):
            sock.sendall(byte)
            time.sleep(every)
    return behave


def flood(head, block, blocks):
    """Sends `head`, then `block` `blocks` times, or until the peer closes the connection."""
    def behave(_, sock):
        sock.sendall(head)
        for _ in range(blocks):
            sock.sendall(block)
    return behave


def slow(seconds, then=None):
    def behave(request, sock):
        time.sleep(seconds)
        return (then or answer())(request, sock)
    return behave


def in_turn(*behaviours):
    """The first behaviour answers the first request, the second the second one, and so on. The last answers all others."""
    lock = threading.Lock()
    left = list(behaviours)

    def behave(request, sock):
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        return chosen(request, sock)
    return behave


class Gate:
    """Holds every request until open() is called, then answers all. After close() requests are held again."""

    def __init__(self, then=None):
        self._opened = threading.Event()
        self._then = then or answer()

    def open(self):
        self._opened.set()

    def close(self):
        self._opened.clear()

    def __call__(self, request, sock):
        self._opened.wait(120)
        return self._then(request, sock)
