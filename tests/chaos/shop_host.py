"""The shop in one host of its own: topology, start, kill, stop, questions over HTTP."""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOPICS = {"catalog-events": 3, "inventory-commands": 2, "inventory-events": 2, "order-events": 3,
          "payment-commands": 2, "payment-events": 2, "shipping-commands": 2, "shipping-events": 2,
          "notification-events": 1}
SERVICES = ["catalog", "inventory", "order", "payment", "shipping", "notification"]
DEMO_STOCK = 100_000


class Stopped(Exception):
    """The host ended although nobody had told it to."""


def free_port():
    # Below the ports that the system gives to clients: none of the load's connections takes it during a restart.
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def _topology(folder, port, plugins, catalog, config, mail):
    settings = {
        "catalog": {"demo": True, "demo_file": catalog},
        "inventory": {"demo": True, "demo_stock": DEMO_STOCK},
        "notification": {"eml_directory": mail},
    }
    for service, more in config.items():
        settings.setdefault(service, {}).update(more)
    lines = ["version: 1", "name: shop", "bus: { driver: local, path: data/bus, sync: 5ms }",
             "stores:", "  default: { driver: sqlite, path: data/{plugin}.db, durability: power }", "topics:"]
    lines += [f"  {name}: {{ partitions: {count} }}" for name, count in TOPICS.items()]
    lines += ["hosts:", f"  main: {{ http: 127.0.0.1:{port} }}", f"plugin_path: [{json.dumps(plugins)}]", "plugins:"]
    # JSON is YAML too.
    lines += [f"  {service}: {{ hosts: [main], config: {json.dumps(settings.get(service, {}))} }}"
              for service in SERVICES]
    path = os.path.join(folder, "topology.yaml")
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


class Host:
    def __init__(self, args, config=None, preload=None):
        self.folder = tempfile.mkdtemp(prefix="gantry-chaos-")
        self.data = os.path.join(self.folder, "data")
        self.side = os.path.join(self.folder, "side")
        self.mail = os.path.join(self.folder, "mail")
        self.log = os.path.join(self.folder, "host.log")
        os.mkdir(self.data)
        os.mkdir(self.side)
        self.port = free_port()
        self.binary = os.path.abspath(args.gantry)
        self.preload = preload
        self.starts = 0
        self.process = None
        self.topology = _topology(self.folder, self.port, os.path.abspath(args.plugins),
                                  os.path.abspath(args.catalog), config or {}, self.mail)

    @property
    def power_log(self):
        return os.path.join(self.side, f"log.{self.starts}")

    def database(self, service):
        return os.path.join(self.data, service + ".db")

    def start(self):
        self.starts += 1
        env = dict(os.environ)
        if self.preload:
            env.update(LD_PRELOAD=self.preload, GANTRY_POWER_CUT_DIR=self.data, GANTRY_POWER_CUT_LOG=self.power_log)
        with open(self.log, "ab") as log:
            log.write(f"--- start {self.starts}\n".encode())
            log.flush()
            self.process = subprocess.Popen([self.binary, "run", "-t", self.topology], cwd=self.folder, env=env,
                                            stdout=log, stderr=log)

    def check_alive(self):
        if self.process.poll() is not None:
            raise Stopped(f"the host ended by itself with {self.process.returncode} at start {self.starts}:\n"
                          f"{self.tail()}")

    def wait_ready(self):
        while True:
            self.check_alive()
            try:
                status, text = self.get("/health/ready")
                names = {check["name"] for check in json.loads(text)["checks"]}
                if status == 200 and names.issuperset(SERVICES):
                    return
            except OSError:
                pass
            time.sleep(0.02)

    def kill(self):
        self.check_alive()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends the host as an operator does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=120)

    def close(self, keep):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if keep:
            print(f"kept for a look: {self.folder}", flush=True)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

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
