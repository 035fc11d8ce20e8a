"""What the promises run on: servers, hosts, and the questions that are put to them over HTTP.

A column is a way to place the same plugin files: a bus, a store, and which host runs which plugin. A world is one
topology of a column with its hosts running. All of it lives in one folder on loopback and is stopped by process id.
"""

import contextlib
import http.client
import json
import pathlib
import re
import shutil
import signal
import subprocess
import threading
import urllib.parse

import shared  # noqa: F401: before what it makes importable
import process_tree
from checks import PATIENCE, check, until
from ports import free_port
from shop import Reply

PLUGINS = ["conf-source", "conf-sink", "conf-caller", "conf-target", "conf-frail"]
TOPICS = {"conf-events": 3, "conf-answers": 2, "conf-batches": 1, "conf-small": 1, "conf-first": 1, "conf-last": 1,
          "conf-plain": 1, "conf-foreign": 2}


class Host:
    """One process of `gantry run`."""

    def __init__(self, world, name, port):
        self.world, self.name, self.port = world, name, port
        self.log = world.folder / f"{name}.log"
        self.process = None
        self.local = threading.local()

    def start(self):
        with open(self.log, "ab") as log:
            command = [self.world.gantry, "run", "-t", "topology.yaml", "--json", "--host", self.name]
            self.process = subprocess.Popen(command, cwd=self.world.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def ready(self):
        check(self.process.poll() is None, f"host {self.name} ended with {self.process.returncode}", self.tail())
        try:
            reply = self.ask("GET", "/health/ready", timeout=5)
        except (OSError, http.client.HTTPException):
            return False
        names = {c["name"] for c in reply.json().get("checks", [])}
        return reply.status == 200 and names.issuperset(self.world.plugins_of(self.name))

    def wait_ready(self):
        until(f"host {self.name} is ready", self.ready, 90)

    def kill(self):
        """kill -9. What the process has started goes with it, a moment later."""
        process_tree.kill_all(self.process)

    def stop(self):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def tail(self, lines=12):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def ask(self, method, target, body=None, headers=None, timeout=PATIENCE):
        """A question over a connection that is kept; a connection that turns out closed is asked again once if the
        question is a GET."""
        payload = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
        all_headers = {**({} if payload is None else {"content-type": "application/json"}), **(headers or {})}
        kept = getattr(self.local, "connection", None)
        for connection in [kept] * (kept is not None and method == "GET") + [None]:
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            connection.timeout = timeout
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            try:
                connection.request(method, target, payload, all_headers)
                answer = connection.getresponse()
                reply = Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
            except (OSError, http.client.HTTPException):
                connection.close()
                self.local.connection = None
                if connection is kept:
                    continue
                raise
            self.local.connection = connection
            return reply
        raise ConnectionError("unreachable")


class World:
    """One topology, running. The folder outlives restarts of its hosts."""

    count = 0
    count_lock = threading.Lock()

    def __init__(self, run, column, servers, label, plugins=PLUGINS, topics=None, settings=None, limits=None, outbox=None,
                 bus=None, libraries=None, plugin_dirs=None, owner_apart=False):
        self.gantry, self.column, self.servers, self.label = run.gantry, column, servers, label
        self.run = run
        with World.count_lock:
            World.count += 1
            self.number = World.count
        self.folder = run.folder / column.name / f"{self.number:02}-{label}"
        self.folder.mkdir(parents=True)
        self.plugins, self.topics = list(plugins), dict(TOPICS if topics is None else topics)
        self.settings, self.limits, self.outbox = settings or {}, limits or {}, outbox
        self.bus, self.libraries = bus or {}, libraries or {}
        self.plugin_dirs = plugin_dirs or run.plugin_dirs
        self.hosts = {name: Host(self, name, free_port()) for name in column.names()}
        # The host that owns a local bus which several share; apart: it runs no plugin, so that it may go away alone.
        self.owner = None
        if column.bus == "local" and len(self.hosts) > 1:
            self.owner = "owner" if owner_apart else column.names()[0]
            self.hosts.setdefault(self.owner, Host(self, self.owner, free_port()))
        self.turn = 0
        self.deaths_told = 0
        self.deaths_lock = threading.Lock()
        self.write_topology()

    def draft(self, label, **how):
        """Another topology of this column, which is only checked."""
        return World(self.run, self.column, self.servers, label, **how)

    # The topology

    def plugins_of(self, host):
        return [p for p in self.plugins if host in self.column.placed(p)]

    def document(self):
        if self.column.bus == "kafka":
            bus = {"driver": "kafka", "brokers": self.servers.brokers,
                   "properties": {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}}
        else:
            bus = {"driver": "local", "path": "data/bus", "sync": "5ms"}
            if self.owner:
                bus.update(owner=self.owner, socket="data/bus.sock")
        if self.column.store == "postgres":
            store = {"driver": "postgres", "url": self.servers.variable("postgres", "POSTGRES_URL"),
                     "schema": f"w{self.number}_{{plugin}}", "pool": 3}
        else:
            store = {"driver": "sqlite", "path": "data/{plugin}.db"}
        out = {"version": 1, "name": f"conf{self.number}", "bus": {**bus, **self.bus}, "stores": {"default": store}, "topics": {},
               "hosts": {h.name: {"http": f"127.0.0.1:{h.port}"} for h in self.hosts.values()},
               "plugin_path": [str(d) for d in self.plugin_dirs], "plugins": {}}
        for name, spec in self.topics.items():
            out["topics"][name] = spec if isinstance(spec, dict) else {"partitions": spec}
        if "conf-foreign" in out["topics"]:
            out["topics"]["conf-foreign"] = {**out["topics"]["conf-foreign"], "external": True}
        if "conf-small" in out["topics"]:
            out["topics"]["conf-small"] = {"max_message": "4KiB", **out["topics"]["conf-small"]}
        for plugin in self.plugins:
            out["plugins"][plugin] = {"hosts": self.column.placed(plugin), **self.settings.get(plugin, {})}
            if self.column.isolated:
                out["plugins"][plugin]["isolation"] = "process"
            if plugin in self.libraries:
                out["plugins"][plugin]["library"] = self.libraries[plugin]
        if self.limits:
            out["limits"] = self.limits
        if self.outbox:
            out["outbox"] = {"max_bytes": self.outbox}
        return out

    def write_topology(self):
        # JSON is YAML too.
        (self.folder / "topology.yaml").write_text(json.dumps(self.document(), indent=1))

    # Life

    def start(self):
        for host in sorted(self.hosts.values(), key=lambda h: h.name != self.owner):
            if self.plugins_of(host.name) or host.name == self.owner:
                host.start()
        for host in self.running():
            host.wait_ready()
        return self

    def running(self):
        return [h for h in self.hosts.values() if h.process is not None and h.process.poll() is None]

    def stop(self):
        """Stops all hosts in an orderly way; every one must end well."""
        hosts = self.running()
        for host in hosts:
            host.process.send_signal(signal.SIGTERM)
        for host in hosts:
            code = host.stop()
            check(code == 0, f"SIGTERM: host {host.name} ended with {code}", host.tail())

    def close(self):
        for host in self.running():
            host.kill()
        if self.column.bus == "kafka":
            self.servers.forget_topics(self.topics)

    def check_deaths(self):
        """No promise is about a host that dies by itself, and one that does has another life before anybody notices."""
        with self.deaths_lock:
            found = sorted(self.folder.glob("data/state/blackbox/*-*.json"), key=lambda f: f.stat().st_mtime_ns)
            news, self.deaths_told = found[self.deaths_told:], len(found)
        check(not news, "a process died by itself", *(f.read_text()[:1500] for f in news))

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind, *_):
        self.close()
        if kind is None:
            self.check_deaths()

    def cli(self, *args, host=None, fails=False):
        """The command line, asking a host of this world; what it printed."""
        name = host or next(iter(self.hosts))
        done = subprocess.run([self.gantry, *args, "--address", f"127.0.0.1:{self.hosts[name].port}"], cwd=self.folder,
                              capture_output=True, text=True, timeout=PATIENCE, check=False)
        check(fails is None or (done.returncode != 0) == fails, f"gantry {' '.join(args)} ended with {done.returncode}",
              done.stdout[-600:], done.stderr[-600:])
        return done.stdout if not fails else done.stdout + done.stderr

    def validate(self):
        """The problems that `gantry validate` finds."""
        done = subprocess.run([self.gantry, "validate", "-t", "topology.yaml", "--json"], cwd=self.folder, capture_output=True,
                              text=True, timeout=PATIENCE, check=False)
        return done.returncode, done.stdout + done.stderr

    def backup(self, plugin):
        """Takes a backup of a plugin's store; answers what puts it back while the hosts are stopped."""
        self.stop()
        if self.column.store == "sqlite":
            copy = self.folder / f"{plugin}.backup"
            copy.mkdir()
            files = lambda folder: sorted(folder.glob(f"{plugin}.db*"))
            for file in files(self.folder / "data"):
                shutil.copy(file, copy)

            def restore():
                for file in files(self.folder / "data"):
                    file.unlink()
                for file in files(copy):
                    shutil.copy(file, self.folder / "data")
        else:
            url, schema = self.servers.variable("postgres", "POSTGRES_URL"), f"w{self.number}_{plugin}"
            dump = self.folder / f"{plugin}.sql"
            self.psql("pg_dump", "-n", f'"{schema}"', "-f", str(dump), url)

            def restore():
                self.psql("psql", "-q", "-v", "ON_ERROR_STOP=1", "-c", f'DROP SCHEMA "{schema}" CASCADE', "-f", str(dump), url)
        self.start()
        return restore

    @staticmethod
    def psql(program, *args):
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
        done = subprocess.run([str(found[-1]) if found else program, *args], capture_output=True, text=True, check=False,
                              timeout=PATIENCE)
        check(done.returncode == 0, program, done.stderr[-800:])

    # Questions

    def hosts_of(self, plugin):
        return [self.hosts[name] for name in self.column.placed(plugin)]

    def host_of(self, plugin):
        """One of the hosts of a plugin, another one each time."""
        hosts = self.hosts_of(plugin)
        self.turn += 1
        return hosts[self.turn % len(hosts)]

    def ask(self, plugin, method, target, body=None, headers=None, **more):
        return self.host_of(plugin).ask(method, target, body, headers, **more)

    def get(self, plugin, target):
        reply = self.ask(plugin, "GET", target)
        check(reply.status == 200, f"GET {target}", reply)
        return reply.json()

    def act(self, program, wanted=201, path="/source/do", headers=None, method="POST"):
        """Runs a program of conf-source in one transaction."""
        reply = self.ask("conf-source", method, path, program, headers)
        check(reply.status == wanted, f"{method} {path} {str(program)[:200]}: wanted {wanted}", reply)
        return reply.json() if reply.body else {}

    def emit(self, key, topic="conf-events", type="Recorded", **data):
        """The id of an event that conf-source has emitted."""
        return self.act({"emit": [event(key, topic, type, **data)]})["ids"][0]

    def entry(self, name):
        return self.get("conf-source", f"/source/entries/{name}")["number"]

    @staticmethod
    def at_least(count, what, probe):
        found = []

        def enough():
            found[:] = probe()
            return len(found) >= count

        until(f"{count} {what}", enough)
        return found

    def handled(self, key):
        """What conf-sink has handled whose key begins so, in its order."""
        return self.get("conf-sink", f"/sink/handled?key={urllib.parse.quote(key)}")["events"]

    def await_handled(self, key, count):
        return self.at_least(count, f"events of {key} that were handled", lambda: self.handled(key))

    def attempts(self, event_id):
        """Over all replicas, since they were started."""
        return sum(h.ask("GET", f"/sink/attempts/{event_id}").json()["attempts"] for h in self.hosts_of("conf-sink"))

    def watched(self, key):
        """What the observers of each replica have seen."""
        return [h.ask("GET", f"/sink/watched?key={key}").json() for h in self.hosts_of("conf-sink")]

    def open_gate(self, key):
        reply = self.ask("conf-sink", "PUT", f"/sink/gates/{key}", b"")
        check(reply.status == 204, "PUT gate", reply)

    def parked(self, plugin, key):
        """What `gantry dlq list` shows of a key, wherever the plugin runs."""
        host = self.column.placed(plugin)[0]
        rows = json.loads(self.cli("dlq", "list", plugin, "--json", host=host))
        rows = rows if isinstance(rows, list) else rows.get("parked", rows.get("items", []))
        return [row for row in rows if row["key"] == key]

    def await_parked(self, plugin, key, count):
        return self.at_least(count, f"parked of {key}", lambda: self.parked(plugin, key))

    def dlq(self, verb, plugin, row):
        return self.cli("dlq", verb, plugin, row["id"], "--json", host=self.column.placed(plugin)[0])

    def events(self, topic, key=None, type=None):
        """The log as an operator reads it."""
        host, out, cursor = next(iter(self.hosts.values())), [], "start"
        while True:
            query = {"topic": topic, "from": cursor, "limit": 1000, **({"key": key} if key else {}), **({"type": type} if type else {})}
            reply = host.ask("GET", "/admin/events?" + urllib.parse.urlencode(query))
            check(reply.status == 200, "GET /admin/events", reply)
            page = reply.json()
            out += page["events"]
            cursor = page["cursor"]
            if not page["more"]:
                return out

    def metric(self, name, **labels):
        """The sum of a series over hosts and over the labels that are not given."""
        total = 0.0
        for host in self.running():
            text = host.ask("GET", "/metrics").body.decode()
            for found, value in re.findall(rf"^{name}(?:{{([^}}]*)}})? (\S+)$", text, re.M):
                if all(f'{k}="{v}"' in (found or "") for k, v in labels.items()):
                    total += float(value)
        return total


def event(key, topic="conf-events", type="Recorded", **data):
    return {"topic": topic, "type": type, "key": key, "data": data}


def numbered(key, topic="conf-events", type="Recorded", **data):
    """An event whose n is one more than that of the last commit that made one for this key."""
    return {"topic": topic, "type": type, "key": key, "data": data, "numbered": True}


@contextlib.contextmanager
def unreachable_bus(w):
    """Kafka: the broker is stopped. A local bus that is shared: the process that owns it is killed."""
    if w.column.bus == "kafka":
        w.servers.run("kafka", "stop")
        try:
            yield
        finally:
            w.servers.run("kafka", "start")
    else:
        owner = w.hosts[w.owner]
        owner.kill()
        try:
            yield
        finally:
            owner.start()
            owner.wait_ready()
