"""A shop in a host of its own, for the integration tests: made in a temporary folder, on a free port, stopped by its pid.

Each test program is started as `TEST.py GANTRY PLUGIN_DIR [more plugin folders]` and ends with 0 or 1.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import http.client

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import process_tree  # noqa: E402
from ports import free_port  # noqa: E402

PATIENCE = 90.0  # seconds: only how long a test waits before it calls something hung, never a measure of speed
PROBLEM = "application/problem+json"


class Reply:
    """An HTTP answer: status, headers with names in lower case, body as bytes."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body.decode("utf-8"))

    def __repr__(self):
        return f"{self.status} {self.headers.get('content-type', '')} {self.body[:300]!r}"


def variable(file, name):
    """A variable of an `env` file that deploy/servers wrote."""
    return re.search(rf"(?m)^(?:export )?{name}=(.*)$", pathlib.Path(file).read_text()).group(1)


def on_servers(text, folder):
    """The same topology on Kafka and PostgreSQL: what changes is where events and rows are kept."""
    brokers = variable(folder / "kafka/env", "KAFKA_BOOTSTRAP")
    url = variable(folder / "postgres/env", "POSTGRES_URL")
    text = text.replace("  driver: local\n  path: data/bus\n  sync: 5ms\n", f"  driver: kafka\n  brokers: {brokers}\n")
    return re.sub(r"  default: \{ driver: sqlite.*\}", f'  default: {{ driver: postgres, url: "{url}", pool: 4 }}', text)


class Shop:
    """One host. The folder outlives restarts; `close` removes it.

    A host that dies has another life before anybody notices, so `stop` and `close` fail when one has that the test did not cause."""

    arguments = ()  # of `gantry run`
    deaths = 0      # of the host's processes: as many as the test causes
    died = 0        # as many as were logged, in all lives

    def __init__(self, gantry, plugin_dirs, plugins=(), topics=(), without=(), edit=None, arguments=()):
        self.gantry = str(gantry)
        self.arguments = tuple(arguments)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gantry-shop-"))
        self.port = free_port()
        self.process = None
        self.log = ""
        self.lines = threading.Condition()
        text = (ROOT / "config/topology.yaml").read_text()
        text = re.sub(r"plugin_path: .*", f"plugin_path: [{', '.join(str(d) for d in plugin_dirs)}]", text)
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").replace("config/demo", f"{ROOT}/config/demo")
        text = text.replace("topics:\n", "topics:\n" + "".join(f"  {t}\n" for t in topics), 1)
        for name in without:
            text = re.sub(rf"(?m)^  {name}: \{{ hosts.*\n", "", text)
        text = text.rstrip("\n") + "\n" + "".join(f"  {p}\n" for p in plugins)
        servers = os.environ.get("GANTRY_SHOP_SERVERS")
        if servers:
            text = on_servers(text, pathlib.Path(servers))
        if edit:
            text = edit(text)
        (self.folder / "topology.yaml").write_text(text)

    def launch(self):
        """Starts the process and does not wait for it."""
        self.log = ""
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [self.gantry, "run", "-t", "topology.yaml", *self.arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace")
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()
        return self

    def _read(self, process):
        for line in process.stderr:
            with self.lines:
                self.log += line
                self.died += '"A host died ' in line
                self.lines.notify_all()
        with self.lines:
            self.lines.notify_all()

    def figures(self):
        """The text of /metrics of each host."""
        return [self.get("/metrics").body.decode()]

    def at_rest(self):
        """Whether every plugin has read and handed over everything. Looked at twice: between hosts, what one has handed
        over the other may not have seen yet."""
        waiting = ("gantry_consumer_lag{", "gantry_outbox_bytes{", "gantry_write_queue{")
        return all(float(line.rsplit(" ", 1)[1]) == 0 for _ in range(2) for text in self.figures()
                   for line in text.splitlines() if line.startswith(waiting))

    def wait_log(self, text, patience=PATIENCE):
        until = time.monotonic() + patience
        with self.lines:
            while text not in self.log:
                left = until - time.monotonic()
                if left <= 0 or not self.reader.is_alive():
                    break
                self.lines.wait(min(left, 0.5))
            return text in self.log

    def start(self, patience=PATIENCE):
        """Starts the host and waits until it says that it is ready. Answers the milliseconds this took."""
        self.launch()
        if not self.wait_log("The host is ready", patience):
            raise AssertionError("the host did not become ready:\n" + self.log[-4000:])
        return (time.monotonic() - self.began) * 1000

    def ended(self, patience=PATIENCE):
        """Waits for the process to end by itself. Answers its exit code, or None when it still runs."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            return None
        self.reader.join(5)
        return code

    def stop(self, patience=PATIENCE):
        """SIGTERM. Answers the exit code; None: it had to be killed."""
        self.process.send_signal(signal.SIGTERM)
        code = self.ended(patience)
        if code is None:
            self.kill()
        self.check_deaths()
        return code

    def findings(self):
        """What was found out about each process that died, the first one first."""
        found = sorted(self.folder.glob("data/state/blackbox/*-*.json"), key=lambda f: f.stat().st_mtime_ns)
        return [json.loads(f.read_text()) for f in found]

    def check_deaths(self):
        found = self.findings()
        caused, self.deaths = self.deaths, max(len(found), self.died, self.deaths)  # each is told once
        if self.deaths > caused:
            raise AssertionError(f"{len(found)} processes died, {self.died} were started again, the test has caused {caused}: "
                                 f"{json.dumps(found)[-4000:]}")

    def pid(self):
        """Of the host itself, below the process that watches over it."""
        return process_tree.host_of(self.process.pid)

    def kill(self):
        if self.process and self.process.poll() is None:
            process_tree.kill_all(self.process)
            self.reader.join(5)

    def close(self):
        self.kill()
        try:
            self.check_deaths()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, why, trace):
        try:
            self.close()
        except AssertionError as death:
            raise AssertionError(f"{why}; {death}" if why else f"{death}") from why

    # Its operator

    def cli(self, *words, topology="topology.yaml"):
        """(exit code, standard output, standard error) of the command line."""
        done = subprocess.run([self.gantry, *map(str, words), "-t", topology], cwd=self.folder, capture_output=True, text=True,
                              timeout=2 * PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def row(self, plugin):
        """What the host says of a plugin; None: it has none of this name."""
        rows = self.get("/admin/plugins").json()["plugins"]
        return next((r for r in rows if r["id"] == plugin), None)

    def is_ready(self):
        try:
            return self.get("/health/ready").status == 200
        except (OSError, http.client.HTTPException):
            return False

    # HTTP

    def ask(self, method, target, body=None, headers=None, timeout=PATIENCE):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            if self.process.poll() is not None:
                raise AssertionError(f"the host has ended with {self.process.returncode}: {self.log[-1500:]}")
            payload = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
            all_headers = {} if payload is None else {"content-type": "application/json"}
            all_headers.update(headers or {})
            connection.request(method, target, payload, all_headers)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, target):
        return self.ask("GET", target)

    def connect(self, timeout=PATIENCE):
        return socket.create_connection(("127.0.0.1", self.port), timeout=timeout)

    # The shop

    def order(self, key, token="tok_approve", lines=None, **changes):
        return self.ask("POST", "/orders", order_body(token, lines, **changes), {"idempotency-key": key})

    def order_ends(self, order_id, wanted, patience=PATIENCE):
        """Waits until the order has one of these statuses, and answers the order as it is then."""
        until = time.monotonic() + patience
        while True:
            order = self.get(f"/orders/{order_id}").json()
            if order["status"] in wanted or time.monotonic() > until:
                return order
            time.sleep(0.05)

    def stock(self, sku):
        return self.get(f"/inventory/{sku}").json()


def eventually(probe, patience=PATIENCE):
    """The first truthy answer of `probe`, or the last one."""
    until = time.monotonic() + patience
    while True:
        answer = probe()
        if answer or time.monotonic() > until:
            return answer
        time.sleep(0.05)


def order_body(token="tok_approve", lines=None, **changes):
    body = {
        "customerId": "c-1",
        "lines": lines if lines is not None else [{"sku": "SKU-0001", "quantity": 2}],
        "shippingAddress": {"name": "Ada", "line1": "1 Main St", "city": "Berlin", "postalCode": "10115", "country": "DE"},
        "paymentMethod": {"token": token},
        "currency": "EUR",
    }
    body.update(changes)
    return body


def read_reply(sock):
    """One HTTP answer from a socket; None when the other side closed without one."""
    with contextlib.closing(sock.makefile("rb")) as f:
        return read_reply_of(f)


def read_reply_of(f):
    while True:
        line = f.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers = {}
        while (line := f.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if status == 100:
            continue
        return Reply(status, headers, f.read(int(headers.get("content-length", "0"))))


class Report:
    """Collects what failed; a story or a row of a table goes on after another has failed."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self.lock = threading.Lock()

    def check(self, name, good, detail=""):
        with self.lock:
            if good:
                self.passed += 1
            else:
                self.failed.append(name)
                print(f"FAILED {name}: {detail}", flush=True)
        return good

    def story(self, name, tell):
        print(f"-- {name}", flush=True)
        try:
            tell()
        except Exception as e:  # a story that breaks off has failed, the others are still told
            self.check(name, False, f"{type(e).__name__}: {e}")

    def end(self):
        print(f"{self.passed} checks passed, {len(self.failed)} failed", flush=True)
        for name in self.failed:
            print(f"  failed: {name}")
        sys.exit(1 if self.failed else 0)
