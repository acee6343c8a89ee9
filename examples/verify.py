# SPDX-License-Identifier: MIT
"""Refuses requests that Driveshaft did not sign (signing_secret_file in its jobs file).

Copy `refusal` into your endpoint. The signature is one of the Standard Webhooks specification, so a library for that
does as well. Run by itself this is an endpoint that reverses workloads:

    python3 verify.py 8080 /etc/driveshaft/signing_secret
"""
import base64
import hashlib
import hmac
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def refusal(headers, body, secrets, tolerance=300, now=None):
    """Why the request is refused, or None if it is good. `headers` has get(name), as http.server's have; `body` is
    bytes; `secrets` the secret, or while it is exchanged the old one and the new one. `tolerance` is how many seconds
    the clocks may differ and a request may travel: what is older may be a repetition by somebody who listened."""
    identity, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    signatures = headers.get("webhook-signature")
    if not (identity and timestamp and signatures):
        return "the request is not signed"
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
            and abs((time.time() if now is None else now) - int(timestamp)) <= tolerance):
        return "the timestamp is too old or too new"
    for secret in secrets:
        key = base64.b64decode(secret.strip().removeprefix("whsec_"), validate=True)
        if len(key) < 24:
            raise ValueError("a secret is whsec_ and base64 of at least 24 bytes")
        mac = hmac.digest(key, f"{identity}.{timestamp}.".encode("latin-1") + body, hashlib.sha256)
        good = "v1," + base64.b64encode(mac).decode()
        for signature in signatures.split(" "):
            if hmac.compare_digest(good.encode(), signature.encode("latin-1")):  # takes as long whatever differs
                return None
    return "no signature is right"


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections alive
    disable_nagle_algorithm = True  # or every answer but the first is 40 ms late
    secrets = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if why := refusal(self.headers, body, self.secrets):
            return self.answer(401, "text/plain", why.encode())
        try:
            job = json.loads(body)
        except ValueError as error:
            return self.answer(400, "text/plain", str(error).encode())
        workload = job["workload"]
        if job.get("workload_encoding") == "base64":
            workload = base64.b64decode(workload).hex()
        self.answer(200, "application/json", json.dumps({"gearman_ret": 0, "response_string": workload[::-1]}).encode())

    def answer(self, status, content_type, body):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[2], encoding="ascii") as file:
        Endpoint.secrets = file.read().split()
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Endpoint).serve_forever()
