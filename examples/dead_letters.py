#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dead letters: jobs that Driveshaft could not get done, kept by gearmand as jobs of "dead_letter_function".

    dead_letters.py list                     one line of JSON for each; they stay where they are
    dead_letters.py rerun                    submits each job again, as a background job, and removes its letter
    dead_letters.py --only Sum rerun         those of one function
    dead_letters.py drop                     removes them, showing each

Nothing gets lost when this is stopped half way: a letter is removed only once gearmand has taken its job, so at the
worst a job runs twice. Needs Python 3 alone.
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


class Gearmand:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.sock = socket.create_connection((host.strip("[]"), int(port)), 30)

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

    def _read(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.sock.recv(min(size - len(data), 1 << 20))
            if not part:
                raise OSError("gearmand closed the connection")
            data += part
        return bytes(data)


def letters(gearmand, function):
    """Takes every letter: (handle, letter). What is left unanswered goes back when the connection closes."""
    gearmand.tell(CAN_DO, function.encode())
    while True:
        kind, body = gearmand.ask(GRAB_JOB)
        if kind == NO_JOB:
            return
        assert kind == JOB_ASSIGN, kind
        handle, _, workload = body.split(b"\0", 2)
        try:
            yield handle, json.loads(workload)
        except ValueError:
            print(f"{handle.decode()} is no letter, left alone: {workload[:200]!r}", file=sys.stderr)


def run_again(gearmand, letter):
    workload = letter["workload"]
    decode = base64.b64decode if letter.get("workload_encoding") == "base64" else str.encode
    # gearmand takes two waiting jobs of one unique for the same.
    unique = letter["unique"] or f"again-{uuid.uuid4()}"
    kind, handle = gearmand.ask(SUBMIT_JOB_BG, letter["function_name"].encode(), unique.encode(), decode(workload))
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
    count = 0
    for handle, letter in letters(gearmand, args.letters):
        if args.only not in (None, letter["function_name"]):
            continue
        count += 1
        if args.command == "rerun":
            print(f"{letter['function_name']} {letter['job_handle']} runs again as {run_again(gearmand, letter)}")
        else:
            print(json.dumps(letter, ensure_ascii=False))
        if args.command != "list":
            gearmand.tell(WORK_COMPLETE, handle, b"")
    # Its answer proves that gearmand has read all of that.
    assert gearmand.ask(ECHO_REQ, b"done")[0] == ECHO_RES
    print(f"{count} letter(s)", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"dead_letters.py: {error}; see --help for --server and --letters")
