"""The shop on a Kafka broker and a PostgreSQL server of its own, both behind doors (tcp_proxy.py), in one host or several."""

import concurrent.futures
import glob
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.parse

from shop_host import Host, HostProcess, Places, TOPICS, free_port, write_topology
from tcp_proxy import Proxy

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "deploy" / "servers"
# Short, so that a partition whose host is gone is given away within a test.
SESSION_SECONDS = 6
PROPERTIES = {"session.timeout.ms": SESSION_SECONDS * 1000, "heartbeat.interval.ms": 1000,
              "reconnect.backoff.max.ms": 1000}
OUTBOX_BYTES = "256MiB"


class Servers:
    """A broker and a database server. Clients go through the proxy; the test itself goes to them directly."""

    def __init__(self, folder):
        self.kafka, self.postgres = os.path.join(folder, "kafka"), os.path.join(folder, "postgres")
        self.kafka_door, self.postgres_door = free_port(), free_port()
        self.proxy = None

    def start(self):
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for done in [pool.submit(self.start_broker), pool.submit(self.start_postgres)]:
                done.result()
        self.proxy = Proxy({"kafka": (self.kafka_door, port_of(self.brokers), False),
                            "postgres": (self.postgres_door, port_of(self.url), True)})

    def run(self, script, verb, folder, **env):
        done = subprocess.run([str(SCRIPTS / script), verb, folder], env={**os.environ, **env}, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise RuntimeError(f"{script} {verb}: {done.stdout}")

    def start_broker(self):
        # Clients are told to come to the door.
        self.run("kafka.sh", "start", self.kafka,
                 KAFKA_PROPERTIES=f"advertised.listeners=BROKER://127.0.0.1:{self.kafka_door}\n"
                                  "group.max.session.timeout.ms=60000")

    def kill_broker(self):
        self.run("kafka.sh", "kill", self.kafka)

    def start_postgres(self):
        self.run("postgres.sh", "start", self.postgres)

    def kill_postgres(self):
        self.run("postgres.sh", "kill", self.postgres)

    def stop_postgres(self):
        self.run("postgres.sh", "stop", self.postgres)

    def variable(self, folder, name):
        return re.search(rf"(?m)^(?:export )?{name}=(.*)$", pathlib.Path(folder, "env").read_text()).group(1)

    @property
    def brokers(self):
        return self.variable(self.kafka, "KAFKA_BOOTSTRAP")

    @property
    def url(self):
        return self.variable(self.postgres, "POSTGRES_URL")

    @property
    def url_at_door(self):
        return self.url.replace(f":{port_of(self.url)}/", f":{self.postgres_door}/")

    def ask(self, sql):
        """Rows of a query as dictionaries with the database's own types."""
        wrapped = f"SELECT coalesce(json_agg(row), '[]') FROM ({sql}) AS row"
        done = subprocess.run(["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-d", self.url, "-c", wrapped], text=True,
                              capture_output=True, timeout=120)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr} in {sql}")
        return json.loads(done.stdout)

    def back_up(self, folder):
        """A copy of the whole database server as it is at the end of this call, taken while it works."""
        subprocess.run(["pg_basebackup", "-d", self.url, "-D", folder, "-c", "fast", "-X", "stream"], check=True,
                       capture_output=True)

    def restore(self, folder):
        """The server is down before, and up with the copy's data after."""
        data = self.variable(self.postgres, "POSTGRES_DATA")
        owner = os.stat(data)
        shutil.rmtree(data)
        shutil.move(folder, data)
        for where, folders, files in os.walk(data):
            for name in (".", *files):
                os.chown(os.path.join(where, name), owner.st_uid, owner.st_gid)
        self.start_postgres()

    def backends(self):
        """The processes that serve clients of the door."""
        return [row["pid"] for row in self.ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'gantry'")]

    def kill_backend(self, pid):
        # Asked for a moment ago: only a process of this server is meant.
        if os.path.realpath(f"/proc/{pid}/cwd") == os.path.realpath(self.variable(self.postgres, "POSTGRES_DATA")):
            os.kill(pid, signal.SIGKILL)

    def remove(self):
        if self.proxy:
            self.proxy.close()
        for script, folder in (("kafka.sh", self.kafka), ("postgres.sh", self.postgres)):
            self.run(script, "remove", folder)

    def stop(self):
        if self.proxy:
            self.proxy.close()
        for script, folder in (("kafka.sh", self.kafka), ("postgres.sh", self.postgres)):
            self.run(script, "stop", folder)


def port_of(place):
    return int(re.search(r":(\d+)(?:/|$)", place).group(1))


SERVICES = ("catalog", "order", "inventory", "payment", "shipping", "notification")


class ServerShop:
    """Hosts on one pair of servers. What `Host` is to one host, for the load and for the audit."""

    def __init__(self, args, config=None, preload=None, names=("main",), more=()):
        self.folder = tempfile.mkdtemp(prefix="gantry-chaos-")
        self.mail = os.path.join(self.folder, "mail")
        self.servers = Servers(self.folder)
        self.hosts = {}
        self.wanted = []  # names of those that should be up now
        self.ports = [free_port() for _ in names]
        self.places = list(zip(names, self.ports))
        self.args, self.config, self.more = args, config or {}, list(more)

    def start_servers(self):
        self.servers.start()
        # A host has a writer and a reader in each of six stores, and opens another connection now and then.
        lines = ["bus:", "  driver: kafka", f"  brokers: 127.0.0.1:{self.servers.kafka_door}",
                 f"  properties: {json.dumps({k: str(v) for k, v in PROPERTIES.items()})}",
                 "stores:", f'  default: {{ driver: postgres, url: "{self.servers.url_at_door}", pool: 2 }}',
                 *self.more, "hosts:", *(f"  {name}: {{ http: 127.0.0.1:{port} }}" for name, port in self.places)]
        names = [name for name, _ in self.places]
        topology = write_topology(self.folder, Places(lines, names), self.args.plugins, self.args.catalog, self.config,
                                  self.mail)
        self.binary, self.topology = os.path.abspath(self.args.gantry), topology
        self.hosts = {name: HostProcess(self.binary, self.folder, topology, port, name) for name, port in self.places}

    def start(self):
        if not self.hosts:
            self.start_servers()
        for name in self.hosts:
            self.start_host(name)

    def start_host(self, name):
        self.hosts[name].start()
        self.wanted.append(name)

    def kill_host(self, name):
        self.wanted.remove(name)
        self.hosts[name].kill()

    def stop_host(self, name):
        self.wanted.remove(name)
        return self.hosts[name].stop()

    def up(self):
        return [self.hosts[name] for name in self.wanted]

    def check_alive(self):
        for host in self.up():
            host.check_alive()

    def wait_ready(self):
        for host in self.up():
            host.wait_ready()

    def ask(self, *request, **more):
        return self.up()[0].ask(*request, **more)

    def gauges(self):
        sums = {}
        for host in self.up():
            for name, value in host.gauges().items():
                sums[name] = sums.get(name, 0) + value
        return sums

    def unread(self):
        """How many records lie behind the positions of all plugins. A host's own gauge counts what waits in its partitions:
        one that nobody has at the moment is in no host's sum."""
        positions = [(row["topic"], row["part"], row["next"]) for service in SERVICES
                     for row in self.read(service, "SELECT topic, part, next FROM gantry_position")]
        places = sorted({(topic, part) for topic, part, _ in positions})
        asked = [word for topic, part in places for word in ("-t", f"{topic}:{part}:-1")]
        out = subprocess.run(["kcat", "-b", self.servers.brokers, "-Q", *asked], check=True, capture_output=True, text=True)
        ends = {(topic, int(part)): int(end)
                for topic, part, end in re.findall(r"^(\S+) \[(\d+)\] offset (-?\d+)$", out.stdout, re.M)}
        return sum(max(0, ends[topic, part] - reached) for topic, part, reached in positions)

    def stop(self):
        """Zero when each host has ended well."""
        return max((self.stop_host(name) for name in list(self.wanted)), default=0)

    def tail(self, lines=25):
        return "\n".join(f"{host.name}:\n{host.tail(lines)}" for host in self.hosts.values())

    def logged(self, level):
        return [line for host in self.hosts.values() for line in host.logged(level)]

    def read(self, service, sql):
        # The schema is the service's name: unqualified names are found there.
        for table in set(re.findall(r"(?i)\bFROM (\w+)", sql)):
            sql = re.sub(rf"(?i)\bFROM {table}\b", f'FROM "{service}".{table}', sql)
        return self.servers.ask(sql)

    def damage(self, service):
        check = max(glob.glob("/usr/lib/postgresql/*/bin/pg_amcheck"), default="pg_amcheck")
        at = urllib.parse.urlsplit(self.servers.url)  # which this program does not understand
        done = subprocess.run([check, "-h", at.hostname, "-p", str(at.port), "-U", at.username, "-d", at.path[1:],
                               "--install-missing", "--heapallindexed", f"--schema={service}"], text=True,
                              capture_output=True, env={**os.environ, "PGPASSWORD": at.password})
        return [] if done.returncode == 0 else [done.stdout[-1000:], done.stderr[-1000:]]

    def close(self, keep):
        for host in self.hosts.values():
            host.end()
        if keep:
            self.servers.stop()
            print(f"kept for a look: {self.folder}", flush=True)
        else:
            self.servers.remove()
            shutil.rmtree(self.folder, ignore_errors=True)
