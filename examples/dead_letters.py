#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dead letters: jobs that Driveshaft could not get done, kept by gearmand as jobs of "dead_letter_function".

    dead_letters.py list                     one line of JSON for each; they stay where they are
    dead_letters.py rerun                    submits each job again, as a background job, and removes its letter
    dead_letters.py --only Sum rerun         those of one function
    dead_letters.py drop                     removes them, showing each

It takes as many letters as there are when it begins, so it ends although jobs that run again fail again. Nothing gets
lost when it is stopped half way: a letter is removed only once gearmand has taken its job, so at the worst a job runs
twice.

A job keeps its unique, as its endpoint may know it by that. gearmand takes two jobs of one function and unique for the
same while one of them waits or runs, and forgets the workload of the second. So a letter stays while gearmand has a job
of its unique, of whatever function: "rerun" says so, and exits with 1. Run it again when that job has ended. It asks
before it submits: a job that a client submits in that very moment it does not see. A job whose unique is empty, or "-",
gets a new one.

Needs Python 3 alone.
"""
import argparse
import base64
import json
import socket
import struct
import sys
import uuid

# Types of packets, from gearmand's PROTOCOL.
CAN_DO, JOB_CREATED, NO_JOB, WORK_COMPLETE, ECHO_REQ, ECHO_RES, SUBMIT_JOB_BG, ERROR, GRAB_JOB, JOB_ASSIGN = \
    1, 8, 10, 13, 16, 17, 18, 19, 9, 11
GET_STATUS_UNIQUE, STATUS_RES_UNIQUE = 41, 42
FIELDS = ("function_name", "job_handle", "unique", "workload")  # texts that each letter has


class Gearmand:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.address = (host.strip("[]"), int(port))
        self.sock = socket.create_connection(self.address, 30)

    def ask(self, kind, *parts):
        """Sends a packet that is answered; returns the answer."""
        self.tell(kind, *parts)
        magic, kind, size = struct.unpack(">4sII", self._read(12))
        body = self._read(size)
        if magic != b"\0RES" or kind == ERROR:
            raise OSError("gearmand says " + body.replace(b"\0", b": ").decode(errors="replace"))
        return kind, body

    def tell(self, kind, *parts):
        body = b"\0".join(parts)
        self.sock.sendall(struct.pack(">4sII", b"\0REQ", kind, len(body)) + body)

    def waiting(self, function):
        """How many jobs of the function wait."""
        with socket.create_connection(self.address, 30) as sock, sock.makefile("rwb") as file:
            file.write(b"status\n")
            file.flush()
            for line in iter(file.readline, b".\n"):
                if not line:
                    raise OSError("gearmand closed the connection")
                name, total, running, _ = line.rsplit(b"\t", 3)
                if name == function.encode():
                    return int(total) - int(running)
        return 0

    def has(self, unique):
        """Whether a job of that unique waits or runs."""
        kind, body = self.ask(GET_STATUS_UNIQUE, unique)
        assert kind == STATUS_RES_UNIQUE, kind
        return body.split(b"\0")[1] == b"1"

    def check(self):
        """A Perl Gearman::Server gives no job back: the letters that stay would be lost. It does not know this question."""
        try:
            self.has(b"dead_letters.py")
        except OSError as error:
            raise OSError(f"this is no gearmand, and would lose its letters ({error})") from None

    def _read(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.sock.recv(min(size - len(data), 1 << 20))
            if not part:
                raise OSError("gearmand closed the connection")
            data += part
        return bytes(data)


def letters(gearmand, function):
    """Takes the letters that are there now: (handle, letter). Those that come later queue up behind them. What is left
    unanswered goes back when the connection closes."""
    gearmand.tell(CAN_DO, function.encode())
    for _ in range(gearmand.waiting(function)):
        kind, body = gearmand.ask(GRAB_JOB)
        if kind == NO_JOB:
            return
        assert kind == JOB_ASSIGN, kind
        handle, _, workload = body.split(b"\0", 2)
        try:
            letter = json.loads(workload)
        except ValueError:
            letter = None
        if isinstance(letter, dict) and all(isinstance(letter.get(name), str) for name in FIELDS):
            yield handle, letter
        else:
            print(f"{handle.decode()} is no letter, left alone: {workload[:200]!r}", file=sys.stderr)


def run_again(gearmand, letter):
    """The handle of the new job, or None if it has to wait for another one of its unique."""
    workload = letter["workload"]
    decode = base64.b64decode if letter.get("workload_encoding") == "base64" else str.encode
    unique = letter["unique"].encode()
    if unique in (b"", b"-"):  # "-" is for gearmand: it takes jobs of one workload for the same
        unique = f"again-{uuid.uuid4()}".encode()
    elif gearmand.has(unique):
        return None
    kind, handle = gearmand.ask(SUBMIT_JOB_BG, letter["function_name"].encode(), unique, decode(workload))
    assert kind == JOB_CREATED, kind
    return handle.decode()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="127.0.0.1:4730", help="HOST:PORT of gearmand (%(default)s)")
    parser.add_argument("--letters", default="failed_jobs", help="the dead_letter_function (%(default)s)")
    parser.add_argument("--only", metavar="FUNCTION", help="letters of jobs of this function alone")
    parser.add_argument("command", choices=["list", "rerun", "drop"])
    args = parser.parse_args()

    gearmand = Gearmand(args.server)
    gearmand.check()
    count = kept = 0
    for handle, letter in letters(gearmand, args.letters):
        if args.only not in (None, letter["function_name"]):
            continue
        if args.command == "rerun":
            name = f"{letter['function_name']} {letter['job_handle']}"
            again = run_again(gearmand, letter)
            if again is None:
                kept += 1
                print(f"{name} stays a letter: gearmand has a job of its unique {letter['unique']!r}", file=sys.stderr)
                continue
            print(f"{name} runs again as {again}")
        else:
            print(json.dumps(letter, ensure_ascii=False))
        if args.command != "list":
            gearmand.tell(WORK_COMPLETE, handle, b"")
        count += 1
    # Its answer proves that gearmand has read all of that.
    assert gearmand.ask(ECHO_REQ, b"done")[0] == ECHO_RES
    print(f"{count} letter(s)", file=sys.stderr)
    if kept:
        sys.exit(f"{kept} letter(s) stay; run them again when the jobs of their uniques have ended")


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"dead_letters.py: {error}; see --help for --server and --letters")
