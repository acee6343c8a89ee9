# SPDX-License-Identifier: MIT
"""The real servers around driveshaft: gearmand, the Perl Gearman::Server, PHP's built-in web server, php-fpm, and
php-fpm behind nginx."""
import glob
import os
import signal
import socket
import subprocess
import urllib.parse
from pathlib import Path

from processes import Process, free_port, wait_until

PHP_DIR = Path(__file__).parent / "php"
EXAMPLES_DIR = Path(__file__).parent.parent / "examples"
# Debian's gearmand, or the one that the variable names. The Perl server's program has the same name, in another folder.
GEARMAND = os.environ.get("GEARMAND", "/usr/sbin/gearmand")
PERL_GEARMAND = "/usr/bin/gearmand"
# PHP accepts workloads of any size, and prints its errors.
PHP_SETTINGS = ["-d", "memory_limit=-1", "-d", "post_max_size=0", "-d", "display_errors=1"]


def accepts(host, port):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False


def accepts_unix(path):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(1)
        return sock.connect_ex(str(path)) == 0


def script_uri(base, **query):
    """`base` and a query for job.php: run=FUNCTION, record=FILE."""
    return base + ("?" + urllib.parse.urlencode(query) if query else "")


class Gearmand(Process):
    def __init__(self, directory, name="gearmand", host="127.0.0.1", port=None, options=()):
        self.host, self.port = host, port or free_port()
        super().__init__(name, directory, [*self.program(), "--listen", host, "--port", self.port, *options])

    @staticmethod
    def program():
        return [GEARMAND, "--log-file", "stderr", "--verbose", "WARNING"]

    @property
    def address(self):
        """The server's entry in gearman_servers_list."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def start(self):
        super().start()
        wait_until(self._answers, f"{self.name} answers on port {self.port}")
        return self

    def _answers(self):
        assert self.running(), self.log()
        try:
            with socket.create_connection((self.host, self.port), 1) as sock:
                sock.sendall(b"version\n")
                return sock.recv(100).endswith(b"\n")
        except OSError:
            return False


class PerlGearmand(Gearmand):
    """The Perl Gearman::Server. It logs a line for each packet that it does not know."""

    @staticmethod
    def program():
        return [PERL_GEARMAND]


class Stunnel(Process):
    """stunnel, which accepts TLS for a server that does not. `certificate` is a Certificate. `clients` is an Authority or None:
    only clients that have a certificate of this authority may connect."""

    def __init__(self, directory, server, certificate, clients=None, host="127.0.0.1", name="stunnel"):
        self.server, self.certificate, self.clients = server, certificate, clients
        self.host, self.port = host, free_port()
        self._conf = directory / f"{name}-{self.port}.conf"
        super().__init__(f"{name}-{self.port}", directory, ["stunnel4", self._conf])

    @property
    def address(self):
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def entry(self, tls):
        """The server's entry in gearman_servers_list."""
        return {"address": self.address, "tls": tls}

    def uri(self, path="/job"):
        return f"https://{self.address}{path}"

    def start(self):
        demand = f"CAfile = {self.clients.file}\nverifyChain = yes\n" if self.clients else ""
        self._conf.write_text(f"""foreground = yes
pid =
syslog = no
debug = info
[tunnel]
accept = {self.host}:{self.port}
connect = {self.server.host}:{self.server.port}
cert = {self.certificate.certificate}
key = {self.certificate.key}
{demand}sslVersionMin = TLSv1.2
options = NO_RENEGOTIATION
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
TIMEOUTclose = 0
""")
        super().start()
        wait_until(lambda: accepts(self.host, self.port), "stunnel accepts connections")
        return self


class NginxTls:
    """nginx before an HTTP server. Only clients that have a certificate of the Authority `clients` may connect. nginx passes on
    the name in that certificate (X-Client) and the server name that the client asked for (X-Name)."""

    name = "nginx"

    def __init__(self, directory, server, certificate, clients):
        self.port = free_port()
        conf = directory / "nginx-tls.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        conf.write_text(f"""{user}
daemon off;
worker_processes 1;
pid {directory}/nginx-tls.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {directory}/body;
  fastcgi_temp_path {directory}/fastcgi;
  proxy_temp_path {directory}/proxy;
  scgi_temp_path {directory}/scgi;
  uwsgi_temp_path {directory}/uwsgi;
  server {{
    listen 127.0.0.1:{self.port} ssl;
    listen [::1]:{self.port} ssl;
    ssl_certificate {certificate.certificate};
    ssl_certificate_key {certificate.key};
    ssl_client_certificate {clients.file};
    ssl_verify_client on;
    location / {{
      proxy_pass http://{server.address};
      proxy_set_header X-Client $ssl_client_s_dn;
      proxy_set_header X-Name $ssl_server_name;
    }}
  }}
}}
""")
        self.process = Process(self.name, directory, ["nginx", "-p", directory, "-c", conf, "-e", "stderr"])

    def uri(self, host="localhost"):
        return f"https://{host}:{self.port}/job"

    def start(self):
        self.process.start()
        wait_until(self.process.children, "nginx has started its workers")
        return self

    def stop(self):
        self.process.stop()

    def reload(self):
        self.process.send(signal.SIGHUP)

    def log(self):
        return self.process.log()


class PhpBuiltin(Process):
    """`php -S` with four worker processes. It closes each connection after the answer."""

    def __init__(self, directory, name="php"):
        self.host, self.port = "127.0.0.1", free_port()
        super().__init__(name, directory, ["php", *PHP_SETTINGS, "-S", f"{self.host}:{self.port}", "-t", PHP_DIR],
                         {"PHP_CLI_SERVER_WORKERS": "4"})

    def uri(self, **query):
        return script_uri(f"http://{self.host}:{self.port}/job.php", **query)

    def start(self):
        super().start()
        wait_until(lambda: accepts(self.host, self.port), "php -S accepts connections")
        return self


def fpm_argv(conf):
    found = sorted(glob.glob("/usr/sbin/php-fpm*"))
    assert found, "php-fpm is not installed (Debian: apt-get install php-fpm)"
    as_root = ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
    return [found[-1], "--nodaemonize", *as_root, "-y", conf, *PHP_SETTINGS]


class PhpFpm(Process):
    """php-fpm without a web server. It has `children` processes on each of IPv4, IPv6 and a Unix socket. `control_timeout` is
    described at PhpFpmNginx.CONTROL_TIMEOUT."""

    def __init__(self, directory, children=16, max_requests=0, backlog=511, control_timeout=0):
        self.host, self.port, self.port_v6 = "127.0.0.1", free_port(), free_port()
        self.socket_path = directory / "php.sock"
        conf = directory / "php-fpm.conf"
        pools = {"v4": f"127.0.0.1:{self.port}", "v6": f"[::1]:{self.port_v6}", "local": self.socket_path}
        user = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
        conf.write_text(f"[global]\nerror_log = /proc/self/fd/2\nprocess_control_timeout = {control_timeout}\n" + "".join(f"""[{name}]
{user}listen = {address}
listen.backlog = {backlog}
pm = static
pm.max_children = {children}
pm.max_requests = {max_requests}
""" for name, address in pools.items()))
        super().__init__("php-fpm", directory, fpm_argv(conf))

    def uri(self, script=PHP_DIR / "job.php", **query):
        return script_uri(f"fcgi://127.0.0.1:{self.port}{script}", **query)

    def uri_v6(self, script=PHP_DIR / "job.php", **query):
        return script_uri(f"fcgi://[::1]:{self.port_v6}{script}", **query)

    def uri_unix(self, script=PHP_DIR / "job.php", **query):
        return script_uri(f"fcgi+unix://{urllib.parse.quote(str(self.socket_path), safe='')}{script}", **query)

    def start(self):
        super().start()
        wait_until(lambda: accepts("127.0.0.1", self.port) and accepts("::1", self.port_v6)
                   and accepts_unix(self.socket_path), "php-fpm listens")
        return self

    def reload(self):
        before = self.children()
        self.send(signal.SIGUSR2)
        wait_until(lambda: len(self.children() - before) == len(before), "all of php-fpm's processes are new")


class PhpFpmNginx:
    """php-fpm behind nginx. php-fpm has `CHILDREN` processes, and `BACKLOG` requests may wait for them. nginx has at most
    `CONNECTIONS` connections and keeps them alive. It listens on IPv4, IPv6, a Unix socket and TLS; `certificate` is its
    certificate, for `localhost`. Limits of nginx: `most_bytes` of a body (0: no limit), and `patience`, the seconds that it
    waits for php-fpm. `CONTROL_TIMEOUT`: how many seconds php-fpm lets scripts finish at a reload or stop; with 0, the
    default of php-fpm, it kills them."""

    CHILDREN, BACKLOG, CONNECTIONS = 16, 511, 1024
    CONTROL_TIMEOUT = 0
    SCRIPT = "job.php"
    name = "nginx and php-fpm"

    def __init__(self, directory, most_bytes=0, patience=300):
        self.most_bytes, self.patience = most_bytes, patience
        self.directory = directory
        self.http_port, self.tls_port = free_port(), free_port()
        self.socket_path = directory / "web.sock"
        self.certificate = directory / "cert.pem"
        fpm_conf, nginx_conf = directory / "fpm.conf", directory / "nginx.conf"
        fpm_conf.write_text(self._fpm_conf())
        nginx_conf.write_text(self._nginx_conf())
        self.fpm = Process("php-fpm", directory, fpm_argv(fpm_conf))
        self.nginx = Process("nginx", directory, ["nginx", "-p", directory, "-c", nginx_conf, "-e", "stderr"])

    def uri(self, **query):
        return script_uri(f"http://127.0.0.1:{self.http_port}/{self.SCRIPT}", **query)

    def uri_of_example(self, name):
        return f"http://127.0.0.1:{self.http_port}/examples/{name}"

    def uri_v6(self, **query):
        return script_uri(f"http://[::1]:{self.http_port}/{self.SCRIPT}", **query)

    def uri_tls(self, host="localhost", **query):
        return script_uri(f"https://{host}:{self.tls_port}/{self.SCRIPT}", **query)

    def uri_unix(self, **query):
        path = urllib.parse.quote(str(self.socket_path), safe="")
        return script_uri(f"http+unix://{path}/{self.SCRIPT}", **query)

    def start(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        self.directory / "key.pem", "-out", self.certificate], check=True, capture_output=True)
        self.start_fpm()
        self.start_nginx()
        return self

    def start_fpm(self):
        """Starts php-fpm, also after it was killed."""
        self.fpm.start()
        wait_until(lambda: accepts_unix(self.directory / "fpm.sock"), "php-fpm listens")

    def start_nginx(self):
        """Starts nginx, also after it was killed."""
        self.socket_path.unlink(missing_ok=True)  # a killed nginx leaves the socket behind, and then cannot bind it
        self.nginx.start()
        # The workers of nginx begin when it has all of its addresses. A connection proves less: while nginx tries for seconds to
        # get a taken port, it listens on the others and answers nothing there.
        wait_until(self.nginx.children, "nginx has started its workers")

    # Actions of operators. None of them costs a request.

    def reload_nginx(self):
        before = self.nginx.children()
        self.nginx.send(signal.SIGHUP)
        wait_until(lambda: not before & self.nginx.children(), "nginx's workers of before have finished")

    def restart_nginx(self):
        self.nginx.send(signal.SIGQUIT)
        assert self.nginx.wait() == 0
        self.start_nginx()

    def reload_fpm(self):
        before = self.fpm.children()
        self.fpm.send(signal.SIGUSR2)
        wait_until(lambda: len(self.fpm.children() - before) == len(before), "all of php-fpm's processes are new")

    def restart_fpm(self):
        self.fpm.send(signal.SIGQUIT)
        assert self.fpm.wait() == 0
        self.start_fpm()

    def stop(self):
        self.nginx.stop()
        self.fpm.stop()

    def log(self):
        return self.nginx.log() + self.fpm.log()

    def _fpm_conf(self):
        user = "user = root\ngroup = root\n" if os.geteuid() == 0 else ""
        return f"""[global]
error_log = /proc/self/fd/2
process_control_timeout = {self.CONTROL_TIMEOUT}
[www]
{user}listen = {self.directory}/fpm.sock
listen.backlog = {self.BACKLOG}
pm = static
pm.max_children = {self.CHILDREN}
catch_workers_output = yes
"""

    def _nginx_conf(self):
        d = self.directory
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""{user}
daemon off;
worker_processes 1;
pid {d}/nginx.pid;
error_log stderr warn;
events {{ worker_connections {self.CONNECTIONS}; }}
http {{
  access_log off;
  client_max_body_size {self.most_bytes};
  client_body_buffer_size 1m;
  client_body_temp_path {d}/body;
  fastcgi_temp_path {d}/fastcgi;
  proxy_temp_path {d}/proxy;
  scgi_temp_path {d}/scgi;
  uwsgi_temp_path {d}/uwsgi;
  server {{
    listen 127.0.0.1:{self.http_port} backlog=511;
    listen [::1]:{self.http_port};
    listen unix:{self.socket_path};
    listen 127.0.0.1:{self.tls_port} ssl;
    ssl_certificate {self.certificate};
    ssl_certificate_key {d}/key.pem;
    root {PHP_DIR};
    if (-f {d}/maintenance) {{ return 503; }}
    location ~ ^/examples/(.*\\.php)$ {{
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME {EXAMPLES_DIR}/$1;
      fastcgi_pass unix:{d}/fpm.sock;
    }}
    location ~ \\.php$ {{
      include /etc/nginx/fastcgi_params;
      fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
      fastcgi_read_timeout {self.patience};
      fastcgi_pass unix:{d}/fpm.sock;
    }}
  }}
}}
"""
