"""The shop in three hosts that one `gantry run` starts: the order stories, hosts that are killed, a parent that is killed.

    three_hosts_test.py GANTRY PLUGIN_DIR local|kafka|tls|isolated

kafka: with a broker of its own. tls: on the local bus, each host with a certificate, which it also asks of its clients. isolated: the
same, with a plugin of each host in a process of its own.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import order_stories_test
from order_stories_test import (SETTLED, approved, called_off, declined, drained, items, killed, odd_providers, place,
                                restarted, sold_out)
from shop import PATIENCE, ROOT, Reply, Shop, eventually, free_port, process_tree, variable

report = order_stories_test.report
HOSTS = ["orders", "stock", "delivery"]
RUNS_ON = {"order": "orders", "payment": "orders", "catalog": "stock", "inventory": "stock", "shipping": "delivery",
           "notification": "delivery"}
PATHS = {"/orders": "orders", "/payments": "orders", "/inventory": "stock", "/products": "stock",
         "/shipping": "delivery", "/notifications": "delivery"}


class ThreeHosts(Shop):
    """The parent is the process; a question goes to the host that has the path."""

    def __init__(self, gantry, plugin_dir, bus, brokers=None, certificates=None, isolated=()):
        self.gantry = str(gantry)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gantry-hosts-"))
        self.ports = dict(zip(HOSTS, (free_port() for _ in HOSTS)))
        self.process = None
        self.log = ""
        self.lines = threading.Condition()
        self.certificates = certificates
        self.processes = len(HOSTS) + len(isolated)
        name = "topology.three-hosts-kafka.yaml" if bus == "kafka" else "topology.three-hosts.yaml"
        text = (ROOT / "config" / name).read_text()
        text = re.sub(r"plugin_path: .*", f"plugin_path: [{plugin_dir}]", text).replace("config/demo", f"{ROOT}/config/demo")
        for host, port in zip(HOSTS, (8080, 8081, 8082)):
            files = {"cert": f"{host}.pem", "key": f"{host}.key", "ca": "ca.pem"} if certificates else {}
            tls = ", ".join(f"{key}: {certificates}/{name}" for key, name in files.items())
            own = f"127.0.0.1:{self.ports[host]}" + (f", tls: {{ {tls} }}" if tls else "")
            text = text.replace(f"{host}: {{ http: 127.0.0.1:{port} }}", f"{host}: {{ http: {own} }}")
        for plugin in isolated:
            text = re.sub(rf"(?m)^  {plugin}: {{ hosts", f"  {plugin}: {{ isolation: process, hosts", text)
        (self.folder / "topology.yaml").write_text(text)
        if brokers:
            os.environ["KAFKA_BOOTSTRAP"] = brokers

    @property
    def port(self):
        return self.ports["orders"]

    def ask(self, method, target, body=None, headers=None, timeout=PATIENCE, host=None, shown="client"):
        """`shown`: whose certificate the client has, where hosts ask for one."""
        chosen = host or next((h for path, h in PATHS.items() if target.startswith(path)), "orders")
        if self.certificates is None:
            return Asked(self, self.ports[chosen]).ask(method, target, body, headers, timeout)
        context = ssl.create_default_context(cafile=f"{self.certificates}/ca.pem")
        if shown:
            context.load_cert_chain(f"{self.certificates}/{shown}.pem", f"{self.certificates}/{shown}.key")
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports[chosen], timeout=timeout, context=context)
        try:
            payload = None if body is None else json.dumps(body).encode()
            connection.request(method, target, payload, {"content-type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def start(self, patience=PATIENCE):
        """Answers the milliseconds until all hosts have said that they are ready."""
        self.launch()
        if not self.wait_count('"The host is ready."', self.processes, patience):
            raise AssertionError("not all hosts became ready:\n" + self.log[-4000:])
        # A host whose isolated plugins have only just said so to the parent hears it a moment later.
        if not eventually(lambda: all(self.ask("GET", "/health/ready", host=h).status == 200 for h in HOSTS), patience):
            raise AssertionError("not all hosts are ready for requests:\n" + self.log[-4000:])
        return (time.monotonic() - self.began) * 1000

    def figures(self):
        return [self.ask("GET", "/metrics", host=h).body.decode() for h in HOSTS]

    def wait_count(self, text, count, patience=PATIENCE):
        until = time.monotonic() + patience
        with self.lines:
            while self.log.count(text) < count:
                left = until - time.monotonic()
                if left <= 0 or not self.reader.is_alive():
                    break
                self.lines.wait(min(left, 0.5))
            return self.log.count(text) >= count

    def pids(self):
        """The latest process of each host."""
        out = {}
        for line in self.log.splitlines():
            if '"A host was started."' in line:
                entry = json.loads(line)["fields"]
                out[entry["host"]] = int(entry["pid"])
        return out

    def kill_host(self, host):
        """kill -9 of one host; returns once the parent has started it again and it is ready."""
        ready = self.log.count('"The host is ready."')
        self.deaths += 1
        os.kill(self.pids()[host], signal.SIGKILL)
        if not self.wait_count('"The host is ready."', ready + 1):
            raise AssertionError(f"host {host} did not come back:\n" + self.log[-4000:])


class Asked(Shop):
    """One host of the three, as `Shop.ask` wants it."""

    def __init__(self, of, port):
        self.process, self.log, self.port = of.process, of.log, port


def spread(shop):
    """Each host runs its plugins and no other, is ready, and counts the calls that leave it."""
    for host in HOSTS:
        # A plugin's process that is late with its figures, or to say that it is well, is asked again.
        eventually(lambda: shop.ask("GET", "/health/ready", host=host).status == 200)
        ready = shop.ask("GET", "/health/ready", host=host)
        names = {c["name"] for c in ready.json()["checks"]}
        mine = {p for p, h in RUNS_ON.items() if h == host}
        report.check(f"{host}: ready with its own plugins", ready.status == 200 and names - {"quarantine"} == {"bus", *mine}, ready)
    def made():
        metrics = shop.ask("GET", "/metrics", host="orders").body.decode()
        return [int(n) for labels, n in re.findall(r"(?m)^gantry_remote_calls_total\{(.*)\} (\d+)$", metrics)
                if set(labels.split(",")) == {'callee="catalog"', 'plugin="order"'}]

    report.check("order asks catalog on another host", eventually(lambda: sum(made()) > 0), made())


def forged(shop):
    """Whoever says to be a plugin without proof is not believed, and gets no other answer."""
    plain = shop.ask("GET", "/inventory/SKU-0001")
    claimed = shop.ask("GET", "/inventory/SKU-0001", headers={"gantry-caller": "order"})
    unknown = shop.ask("GET", "/inventory/SKU-0001", headers={"gantry-caller": "nobody"})
    report.check("a claimed caller changes nothing", plain.body == claimed.body == unknown.body, (plain, claimed, unknown))


def host_killed(shop):
    """kill -9 of each host in turn in the middle of work; the parent starts it again, nothing is lost or repeated."""
    before = shop.stock("SKU-0022")
    placed = []
    for round_of, host in enumerate(HOSTS):
        for i in range(10):
            answer = shop.order(f"host-{host}-{i}", lines=[{"sku": "SKU-0022", "quantity": 1}])
            report.check(f"{host}: taken", answer.status == 201, answer)
            placed.append(answer.json()["orderId"])
        shop.kill_host(host)
    orders = [shop.order_ends(o, SETTLED) for o in placed]
    ends = [o["status"] for o in orders]
    report.check("a host is killed: all are Confirmed", ends == ["Confirmed"] * len(placed), ends)
    after = shop.stock("SKU-0022")
    report.check("a host is killed: stock counts each once",
                 after["onHand"] == before["onHand"] - len(placed) and after["reserved"] == 0, (before, after))
    captured = [sum(p["captured"] for p in items(shop, f"/payments?orderId={o['orderId']}")) for o in orders]
    report.check("a host is killed: each is paid once", captured == [o["total"] for o in orders], captured)
    shipments = [len(items(shop, f"/shipping/shipments?orderId={o['orderId']}")) for o in orders]
    report.check("a host is killed: each is shipped once", shipments == [1] * len(placed), shipments)


def parent_killed(shop):
    """kill -9 of the parent: its hosts go with it, so that the next one finds their files and ports free."""
    pids = shop.pids()
    shop.kill()
    report.check("the hosts end with their parent", all(process_tree.is_gone(p) for p in pids.values()), pids)
    shop.start()
    report.check("the next parent goes on", place(shop, "after-the-parent")["status"] == "Confirmed")


def asked_from_afar(shop):
    """The command line asks the hosts that know."""
    order = shop.order("cli").json()
    shop.order_ends(order["orderId"], SETTLED)

    for host in HOSTS:
        code, out, errors = shop.cli("tail", "--host", host, "--no-follow", "--from", "start", "--json")
        types = {json.loads(line)["headers"].get("ce_type") for line in out.splitlines()} if code == 0 else set()
        report.check(f"tail asks {host}", {"OrderCreated", "PaymentCaptured"} & types, (code, sorted(types), errors))
    correlation = shop.ask("GET", f"/orders/{order['orderId']}").headers["correlation-id"]
    report.check("an answer names its correlation", bool(correlation))
    code, out, errors = shop.cli("dlq", "list")
    report.check("dlq list asks all hosts", code == 0 and "nothing is parked" in out, (code, out, errors))
    code, out, errors = shop.cli("dlq", "show", "shipping", "1")
    report.check("dlq show asks the host that runs the plugin",
                 code == 1 and f":{shop.ports['delivery']}" in errors, (code, out, errors))
    code, out, errors = shop.cli("tail", "--host", "nowhere")
    report.check("an unknown host is said", code == 1 and "orders" in errors, (code, errors))


def proven(shop):
    """Without a certificate of the authority nobody is heard; a host's own is one."""
    for shown, heard in (("client", True), ("stock", True), ("stranger", False), (None, False)):
        try:
            answer = shop.ask("GET", "/health/live", shown=shown).status
        except (OSError, http.client.HTTPException) as e:
            answer = type(e).__name__
        report.check(f"with the certificate of {shown}", (answer == 200) == heard, answer)


def certificates_in(folder):
    """An authority, a certificate for each host and for a client, and one that nobody has signed."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=shop", "-days", "2",
            "-addext", "basicConstraints=critical,CA:TRUE")
    for name in (*HOSTS, "client"):
        names = folder / f"{name}.names"
        names.write_text(f"subjectAltName = DNS:{name},IP:127.0.0.1\n")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.request", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.request", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-out", f"{name}.pem", "-extfile", str(names))
    openssl("req", "-x509", *key, "-keyout", "stranger.key", "-out", "stranger.pem", "-subj", "/CN=orders", "-days", "2")


def tell(gantry, plugin_dir, bus, brokers):
    with ThreeHosts(gantry, plugin_dir, bus, brokers) as shop:
        print(f"   the first start was ready after {shop.start():.0f} ms", flush=True)
        for story in (approved, declined, sold_out, called_off, odd_providers, spread, forged, restarted, drained, killed,
                      host_killed, parent_killed):
            report.story(story.__name__, lambda: story(shop))
        report.story("asked_from_afar", lambda: asked_from_afar(shop))
        report.check("at the end: exits with 0", shop.stop() == 0, shop.log[-1500:])


def tell_with_certificates(gantry, plugin_dir, isolated=()):
    with tempfile.TemporaryDirectory(prefix="gantry-certificates-") as folder:
        certificates_in(pathlib.Path(folder))
        with ThreeHosts(gantry, plugin_dir, "local", certificates=folder, isolated=isolated) as shop:
            shop.start()
            for story in (approved, declined, spread, proven):
                report.story(story.__name__, lambda: story(shop))
            report.story("asked_from_afar", lambda: asked_from_afar(shop))
            report.check("at the end: exits with 0", shop.stop() == 0, shop.log[-1500:])


def main():
    gantry, plugin_dir, bus = sys.argv[1:]
    gantry = os.path.abspath(gantry)
    if bus == "tls":
        tell_with_certificates(gantry, plugin_dir)
        report.end()
    if bus == "isolated":
        tell_with_certificates(gantry, plugin_dir, ["order", "catalog", "shipping"])
        report.end()
    if bus == "local":
        tell(gantry, plugin_dir, bus, None)
        report.end()
    servers = pathlib.Path(tempfile.mkdtemp(prefix="gantry-kafka-"))
    script = str(ROOT / "deploy/servers/kafka.sh")
    try:
        subprocess.run([script, "start", str(servers)], check=True)
        tell(gantry, plugin_dir, bus, variable(servers / "env", "KAFKA_BOOTSTRAP"))
    finally:
        subprocess.run([script, "remove", str(servers)], check=False)
        shutil.rmtree(servers, ignore_errors=True)
    report.end()


if __name__ == "__main__":
    main()
