# SPDX-License-Identifier: MIT
"""Fake peers that do what real ones cannot be made to do: an HTTP endpoint with scripted behaviours (behaviours.py),
endpoints that cannot be reached, and a relay whose connections can be cut."""
import email.parser
import socket
import threading
import time

from processes import free_port


class SocketServer:
    """Listens on `host`. Each connection has a thread that runs `serve(sock, number)`; the numbers begin with 1."""

    def __init__(self, backlog=256, host="127.0.0.1"):
        self.host, self.port = host, free_port()
        self.lock = threading.Lock()
        self.connected_at = []  # for each connection, the time in monotonic seconds
        self.open_sockets = set()
        self.errors = []  # exceptions that ended a thread, except those of a peer that closed
        self._backlog = backlog
        self._listener = None

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def connections(self):
        return len(self.connected_at)

    def start(self):
        self._listener = socket.create_server((self.host, self.port), backlog=self._backlog)
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()
        return self

    def refuse(self):
        """Stops listening: new connections are refused, and existing ones go on."""
        if self._listener:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def stop(self):
        """Stops listening and closes every connection."""
        self.refuse()
        with self.lock:
            for sock in self.open_sockets:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with self.lock:
                self.connected_at.append(time.monotonic())
                self.open_sockets.add(sock)
            threading.Thread(target=self._serve, args=[sock, self.connections], daemon=True).start()

    def _serve(self, sock, number):
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.serve(sock, number)
        except (OSError, EOFError):
            pass
        except Exception as error:  # it is reported when the test ends
            self.errors.append(error)
        finally:
            with self.lock:
                self.open_sockets.discard(sock)
                sock.close()


class Request:
    """A request that the endpoint has received: its `line` without the line end, `headers` by lower-case name, `body`, and the
    number of its connection."""

    def __init__(self, line, headers, body, connection):
        self.line, self.headers, self.body, self.connection = line, headers, body, connection

    @classmethod
    def read(cls, stream, connection):
        line = stream.readline()
        if not line:
            raise EOFError
        head = b""
        while (header := stream.readline()) not in (b"\r\n", b""):
            head += header
        message = email.parser.BytesHeaderParser().parsebytes(head)
        headers = {name.lower(): value for name, value in message.items()}
        assert "content-length" in headers, f"a request without Content-Length: {line!r} {headers}"
        body = stream.read(int(headers["content-length"]))
        return cls(line.decode().rstrip("\r\n"), headers, body, connection)


class FakeEndpoint(SocketServer):
    """Answers each request with `behave(request, sock)`, which returns whether the connection stays open. `requests` are the
    complete requests, `running` is the number of requests being answered now, and `most_running` the highest so far."""

    def __init__(self, behave, **options):
        super().__init__(**options)
        self.behave = behave
        self.requests = []
        self.running = self.most_running = 0

    def uri(self, path="/job", user=""):
        return f"http://{user}{self.address}{path}"

    def serve(self, sock, number):
        stream = sock.makefile("rb")
        keep = True
        while keep:
            request = Request.read(stream, number)
            with self.lock:
                self.requests.append(request)
                self.running += 1
                self.most_running = max(self.most_running, self.running)
            try:
                keep = self.behave(request, sock)
            finally:
                with self.lock:
                    self.running -= 1


class DeafEndpoint(SocketServer):
    """Accepts connections and never reads a byte of them."""

    def __init__(self, **options):
        super().__init__(**options)
        self._stopped = threading.Event()

    def serve(self, sock, number):
        self._stopped.wait()

    def stop(self):
        self._stopped.set()
        super().stop()


class FullEndpoint:
    """Listens, but its queue of connections is full, so a further connection gets no answer to its SYN."""

    def __init__(self, port=None):
        self.host, self.port = "127.0.0.1", port or free_port()

    def start(self):
        self._listener = socket.create_server((self.host, self.port), backlog=0)
        self._queued = []
        for _ in range(4):  # the kernel queues one or two connections more than the backlog says
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((self.host, self.port))
            self._queued.append(sock)
        return self

    def stop(self):
        for sock in [*self._queued, self._listener]:
            sock.close()


class Relay(SocketServer):
    """Relays connections to a real server. A test can cut them while that server goes on running. `pace` limits the bytes a
    second to the server. While the event `hold` is set, no byte is sent to the server."""

    def __init__(self, server, pace=None, hold=None, **options):
        super().__init__(**options)
        self.server = server
        self.pace = pace
        self.hold = hold

    def serve(self, sock, number):
        with socket.create_connection((self.server.host, self.server.port)) as other:
            threading.Thread(target=self._carry, args=[other, sock], daemon=True).start()
            self._carry(sock, other, self.pace, self.hold)

    def cut(self):
        with self.lock:
            for sock in self.open_sockets:
                sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _carry(source, target, pace=None, hold=None):
        try:
            while data := source.recv(65536):
                while hold and hold.is_set():
                    time.sleep(0.01)
                if pace:
                    time.sleep(len(data) / pace)
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class FakeFastcgi(SocketServer):
    """A FastCGI server that answers the requests with the bytes in `answers`, one after the other; the last one answers all
    further requests. After None, and after an answer that `closes`, it closes the connection."""

    def __init__(self, answers, closes=False, **options):
        super().__init__(**options)
        self.answers, self.closes = list(answers), closes
        self.requests = 0

    def uri(self, script="/srv/job.php"):
        return f"fcgi://{self.host}:{self.port}{script}"

    def serve(self, sock, number):
        stream = sock.makefile("rb")
        while self._read_request(stream):
            with self.lock:
                answer = self.answers[min(self.requests, len(self.answers) - 1)]
                self.requests += 1
            if answer is None:
                return
            sock.sendall(answer)
            if self.closes:
                return

    @staticmethod
    def _read_request(stream):
        """Reads one request. False: the connection has ended."""
        while True:
            header = stream.read(8)
            if len(header) < 8:
                return False
            length = int.from_bytes(header[4:6], "big") + header[6]
            if len(stream.read(length)) < length:
                return False
            if header[1] == 5 and length == 0:  # the end of the body
                return True
