"""The shop in one host of its own: topology, start, kill, stop, questions over HTTP and to its SQLite files."""

import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import process_tree  # noqa: E402
from ports import free_port  # noqa: E402

TOPICS = {"catalog-events": 3, "inventory-commands": 2, "inventory-events": 2, "order-events": 3,
          "payment-commands": 2, "payment-events": 2, "shipping-commands": 2, "shipping-events": 2,
          "notification-events": 1}
SERVICES = ["catalog", "inventory", "order", "payment", "shipping", "notification"]
DEMO_STOCK = 100_000
PATIENCE = 120  # seconds until something counts as hung


class Stopped(Exception):
    """The host ended although nobody had told it to."""


def write_topology(folder, places, plugins, catalog, config, mail):
    """`places`: the lines of bus, stores and hosts, which differ; `config`: more of it, by service."""
    settings = {
        "catalog": {"demo": True, "demo_file": os.path.abspath(catalog)},
        "inventory": {"demo": True, "demo_stock": DEMO_STOCK},
        "notification": {"eml_directory": mail},
    }
    for service, more in config.items():
        settings.setdefault(service, {}).update(more)
    lines = ["version: 1", "name: shop", *places.lines, "topics:"]
    lines += [f"  {name}: {{ partitions: {count} }}" for name, count in TOPICS.items()]
    lines += [f"plugin_path: [{json.dumps(os.path.abspath(plugins))}]", "plugins:"]
    # JSON is YAML too.
    lines += [f"  {service}: {{ hosts: {json.dumps(places.hosts)}, config: {json.dumps(settings.get(service, {}))} }}"
              for service in SERVICES]
    path = os.path.join(folder, "topology.yaml")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


class Places:
    def __init__(self, lines, hosts):
        self.lines, self.hosts = lines, hosts


class HostProcess:
    """One host of a topology. The folder outlives restarts."""

    def __init__(self, binary, folder, topology, port, name="main"):
        self.binary, self.folder, self.topology, self.port, self.name = binary, folder, topology, port, name
        self.log = os.path.join(folder, f"{name}.log")
        self.arguments = []  # more of them, of `gantry run`
        self.starts = 0
        self.process = None

    def start(self, env=None):
        self.starts += 1
        with open(self.log, "ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            log.flush()
            self.process = subprocess.Popen([self.binary, "run", "-t", self.topology, "--host", self.name, *self.arguments],
                                            cwd=self.folder, env=env, stdout=log, stderr=log)

    def check_alive(self):
        if self.process.poll() is not None:
            raise Stopped(f"host {self.name} ended by itself with {self.process.returncode} at start {self.starts}:\n"
                          f"{self.tail()}")

    def is_ready(self):
        try:
            status, text = self.get("/health/ready")
            names = {check["name"] for check in json.loads(text)["checks"]}
            return status == 200 and names.issuperset(SERVICES)
        except OSError:
            return False

    def wait_ready(self):
        begun = time.monotonic()
        while not self.is_ready():
            self.check_alive()
            if time.monotonic() - begun > PATIENCE:
                raise Stopped(f"host {self.name} is not ready after {PATIENCE} s: {self.get('/health/ready')}\n"
                              f"{self.tail()}")
            time.sleep(0.02)

    def pid(self):
        """Of the host itself, below the process that watches over it."""
        return process_tree.host_of(self.process.pid)

    def kill(self):
        """All at once, as a power cut does; nobody is left to start it again."""
        self.check_alive()
        process_tree.kill_all(self.process)

    def died(self, within):
        """Whether the process has ended by itself, after at most so many seconds."""
        try:
            self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self):
        """Ends the host as an operator does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)

    def end(self):
        if self.process is not None and self.process.poll() is None:
            process_tree.kill_all(self.process)

    def tail(self, lines=25):
        with open(self.log, errors="replace") as file:
            return "".join(file.readlines()[-lines:])

    def logged(self, level):
        with open(self.log, errors="replace") as file:
            return [line.strip() for line in file if f'"level":"{level}"' in line]

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            text = None if body is None else body if isinstance(body, str) else json.dumps(body)
            connection.request(method, path, text, {"content-type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        except http.client.HTTPException as why:
            raise ConnectionError(repr(why)) from why
        finally:
            connection.close()

    def get(self, path):
        return self.ask("GET", path)

    def version(self, plugin):
        """Of the generation that runs."""
        status, text = self.get("/admin/plugins")
        rows = json.loads(text)["plugins"] if status == 200 else []
        return next((row["version"] for row in rows if row["id"] == plugin), f"{status} {text[:300]}")

    def gauges(self):
        """The sums over all plugins of what must be zero when nothing moves."""
        _, text = self.get("/metrics")
        sums = {}
        for name in ("gantry_consumer_lag", "gantry_write_queue", "gantry_outbox_bytes"):
            values = re.findall(rf"^{name}{{[^}}]*}} (\S+)$", text, re.M)
            if not values:
                raise RuntimeError(f"/metrics has no {name}:\n{text[:2000]}")
            sums[name] = sum(float(v) for v in values)
        return sums


class Host(HostProcess):
    """The only host, with a local bus and SQLite files of its own."""

    def __init__(self, args, config=None, preload=None):
        folder = tempfile.mkdtemp(prefix="gantry-chaos-")
        self.data = os.path.join(folder, "data")
        self.side = os.path.join(folder, "side")
        self.mail = os.path.join(folder, "mail")
        os.mkdir(self.data)
        os.mkdir(self.side)
        port = free_port()
        places = Places(["bus: { driver: local, path: data/bus, sync: 5ms }",
                         "stores:", "  default: { driver: sqlite, path: data/{plugin}.db, durability: power }",
                         "hosts:", f"  main: {{ http: 127.0.0.1:{port} }}"], ["main"])
        topology = write_topology(folder, places, args.plugins, args.catalog, config or {}, self.mail)
        super().__init__(os.path.abspath(args.gantry), folder, topology, port)
        self.preload = preload
        self.ports = [port]

    @property
    def power_log(self):
        return os.path.join(self.side, f"log.{self.starts}")

    def database(self, service):
        return os.path.join(self.data, service + ".db")

    def start(self):
        env = dict(os.environ)
        if self.preload:
            log = os.path.join(self.side, f"log.{self.starts + 1}")
            env.update(LD_PRELOAD=self.preload, GANTRY_POWER_CUT_DIR=self.data, GANTRY_POWER_CUT_LOG=log)
        super().start(env)

    def read(self, service, sql):
        """Rows of a plugin's store, beside the host."""
        database = sqlite3.connect(f"file:{self.database(service)}?mode=ro", uri=True, timeout=30)
        database.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in database.execute(sql)]
        finally:
            database.close()

    def damage(self, service):
        """What is wrong with the store itself."""
        check = self.read(service, "PRAGMA integrity_check")
        return [] if check == [{"integrity_check": "ok"}] else check[:5]

    def close(self, keep):
        self.end()
        if keep:
            print(f"kept for a look: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
