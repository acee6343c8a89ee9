#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""An endpoint in a process of its own, to be killed, stopped and restarted: python/backend.py HOST PORT [CERTIFICATE KEY].
It reverses the workload of a request in JSON. GET /set?delay=0.1&status=500 changes its manners, GET /told tells what it
has seen. SIGTERM: it listens no more, and ends when it has answered what it runs."""
import asyncio
import json
import signal
import ssl
import sys
import urllib.parse


class Backend:
    def __init__(self):
        self.manners = {"delay": 0.0, "status": 200, "wait_for": 0, "headers": ""}
        self.told = {"connections": 0, "running": 0, "most_running": 0, "handles": [], "heads": []}
        self.idle = set()
        self.stopping = False
        self.tasks = set()

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        is_counted = False
        try:
            keep = True
            while keep and not self.stopping:
                self.idle.add(writer)
                first = await reader.readline()
                self.idle.discard(writer)
                if not first:
                    break
                head = first + await reader.readuntil(b"\r\n\r\n")
                method, target, _ = first.decode().split()
                lines = [line.partition(":") for line in head.decode().split("\r\n")[1:]]
                headers = {name.lower(): value.strip() for name, _, value in lines}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if method == "GET":
                    return self.control(target, writer)
                self.told["connections"] += not is_counted
                is_counted = True
                status, answer = await self.run(headers, json.loads(body), writer)
                keep = not self.stopping
                if answer is not None:
                    self.answer(writer, status, answer, "" if keep else "Connection: close\r\n")
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.idle.discard(writer)
            self.tasks.discard(asyncio.current_task())
            writer.close()

    async def run(self, headers, job, writer):
        told = self.told
        told["handles"].append(job["job_handle"])
        told["heads"] = (told["heads"] + [headers])[-5:]
        told["running"] += 1
        told["most_running"] = max(told["most_running"], told["running"])
        try:
            manners = dict(self.manners)
            await asyncio.sleep(manners["delay"])
            while self.manners["wait_for"]:
                await asyncio.sleep(0.005)
            if manners["status"] != 200:
                return manners["status"], "no"
            answer = json.dumps({"gearman_ret": 0, "response_string": job["workload"][::-1]})
            if job["function_name"] == "stream":
                self.stream(writer, [json.dumps({"data": "part"}), answer])
                return 200, None
            return 200, answer
        finally:
            told["running"] -= 1

    def answer(self, writer, status, body, more=""):
        writer.write(f"HTTP/1.1 {status} X\r\n{more}{self.manners['headers']}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    @staticmethod
    def stream(writer, lines):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
        for line in lines:
            writer.write(b"%x\r\n%s\n\r\n" % (len(line) + 1, line.encode()))
        writer.write(b"0\r\n\r\n")

    def control(self, target, writer):
        url = urllib.parse.urlsplit(target)
        for name, value in urllib.parse.parse_qsl(url.query, keep_blank_values=True):
            self.manners[name] = type(self.manners[name])(value)
        self.answer(writer, 200, json.dumps(self.told), "Connection: close\r\n")

    async def main(self, host, port, *certificate):
        context = None
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*certificate)
        server = await asyncio.start_server(self.serve, host, int(port), ssl=context, backlog=512)
        stopped = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        print("ready", flush=True)
        await stopped.wait()
        server.close()
        self.stopping = True
        for writer in list(self.idle):
            writer.close()
        while self.tasks:
            await asyncio.wait(self.tasks, timeout=0.1)


asyncio.run(Backend().main(*sys.argv[1:]))
