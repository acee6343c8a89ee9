# SPDX-License-Identifier: MIT
"""Manners for FakeEndpoint: each is, or makes, a function of (request, socket) that answers one request and says
whether the connection stays open."""
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
    """These bytes, then the end of the connection unless `keep`."""
    def behave(_, sock):
        sock.sendall(data)
        return keep
    return behave


def reverse(request, sock):
    """Reverses the workload of a request in JSON."""
    return answer(contract(json.loads(request.body)["workload"][::-1]))(request, sock)


def chunked(*parts, trailer=b"", keep=True):
    """The body in chunks, each of them in a packet of its own."""
    def behave(_, sock):
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            sock.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        sock.sendall(b"0\r\n" + trailer + b"\r\n")
        return keep
    return behave


def until_close(body=None, head=b"HTTP/1.0 200 OK\r\n\r\n"):
    """A body without a length, ended by closing: HTTP/1.0's way."""
    return raw(head + (contract() if body is None else body))


def hang(_, sock):
    """No answer; returns when the peer gives up."""
    while sock.recv(65536):
        pass


def drip(head, byte, every, limit=10_000):
    """`head`, then `byte` again and again, `every` seconds, until the peer gives up."""
    def behave(_, sock):
        sock.sendall(head)
        for _ in range(limit):
            sock.sendall(byte)
            time.sleep(every)
    return behave


def flood(head, block, blocks):
    """`head`, then `block` as often as told or until the peer gives up."""
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
    """The first for the first request, the second for the second …, the last for all others."""
    lock = threading.Lock()
    left = list(behaviours)

    def behave(request, sock):
        with lock:
            chosen = left.pop(0) if len(left) > 1 else left[0]
        return chosen(request, sock)
    return behave


class Gate:
    """Holds every request until open() is called, then answers all; closing it holds again."""

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
