#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An endpoint that tells how its job fares while it runs: each line of its answer is sent on to the client at once.

    stream.py [PORT]        then "job_processing_uri": "http://127.0.0.1:PORT/"

The workload is a number of parts; each is some data, and the last word is their sum. Another workload fails."""
import base64
import http.server
import json
import sys


class Endpoint(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer but the first is 40 ms late

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            self.run(json.loads(body))
        except (ValueError, TypeError, KeyError) as error:  # the status has been sent: the last line has to say it
            self.say({"gearman_ret": 1, "response_string": f"{type(error).__name__}: {error}"})
        self.wfile.write(b"0\r\n\r\n")

    def run(self, job):
        parts = int(job["workload"])
        for part in range(1, parts + 1):
            self.say({"data": f"part {part}", "status": [part, parts]})
        self.say({"data_base64": base64.b64encode(b"\0\xff").decode()})  # bytes that are not UTF-8
        if parts == 0:
            self.say({"warning": "there was nothing to do"})
        self.say({"gearman_ret": 0, "response_string": str(sum(range(parts + 1)))})

    def say(self, line):
        """Sends one line now."""
        data = json.dumps(line).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    http.server.ThreadingHTTPServer(("127.0.0.1", port), Endpoint).serve_forever()
