"""What an operator gets wrong about servers, and what the host says then. On a Kafka broker and a PostgreSQL server of
this test's own; each story has a database to itself.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "chaos"))
from shop import Report, Shop, eventually, free_port, variable
from tcp_proxy import Proxy

ROOT = pathlib.Path(__file__).resolve().parents[2]
KAFKA, POSTGRES = ROOT / "deploy/servers/kafka.sh", ROOT / "deploy/servers/postgres.sh"
JAAS = ('org.apache.kafka.common.security.plain.PlainLoginModule required username="broker" password="broker-word" '
        'user_broker="broker-word" user_shop="shop-word";')
SASL_LISTENER = "\n".join([
    "listener.security.protocol.map=BROKER:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT", "sasl.enabled.mechanisms=PLAIN",
    "sasl.mechanism.inter.broker.protocol=PLAIN", f"listener.name.broker.plain.sasl.jaas.config={JAAS}"])

report = Report()


class Stories:
    def __init__(self, gantry, plugins, servers):
        self.gantry, self.plugins = gantry, plugins
        self.servers = pathlib.Path(servers)
        self.url = variable(self.servers / "postgres/env", "POSTGRES_URL")
        self.brokers = variable(self.servers / "kafka/env", "KAFKA_BOOTSTRAP")
        self.databases = 0

    def database(self):
        self.databases += 1
        name = f"errors_{os.getpid()}_{self.databases}"
        self.sql(self.url, f"CREATE DATABASE {name}")
        return re.sub(r"/postgres$", f"/{name}", self.url)

    def sql(self, url, text):
        subprocess.run(["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", text], check=True, capture_output=True)

    def postgres(self, verb):
        subprocess.run([str(POSTGRES), verb, str(self.servers / "postgres")], check=True, stdin=subprocess.DEVNULL)

    def shop(self, url=None, **more):
        edit, place = more.pop("edit", lambda text: text), url or self.database()
        return Shop(self.gantry, [self.plugins], edit=lambda text: edit(text.replace(self.url, place)), **more)

    def refused(self, name, shop, *words):
        """The host ends by itself and says why."""
        code = shop.ended()
        report.check(f"{name}: ends with 1", code == 1, f"{code}\n{shop.log[-1500:]}")
        for word in words:
            report.check(f"{name}: says {word!r}", word in shop.log, shop.log[-1500:])

    def not_ready(self, name, shop, *words, hidden=()):
        """The host runs, since other plugins may; readiness and the log say why this one does not."""
        def health():
            try:
                reply = shop.get("/health/ready")
            except OSError:
                return None
            return reply if all(word.encode() in reply.body for word in words) else None

        reply = eventually(health)
        report.check(f"{name}: readiness says why", reply is not None and reply.status == 503, shop.log[-1500:])
        for word in words:
            report.check(f"{name}: the log says {word!r}", word in shop.log, shop.log[-1500:])
        for word in hidden:
            report.check(f"{name}: keeps the secret", reply is None or word not in shop.log + reply.body.decode(),
                         "the password is shown")

    def broker_absent_at_start(self):
        door = free_port()
        with self.shop(edit=lambda text: text.replace(self.brokers, f"127.0.0.1:{door}")) as shop:
            shop.launch()

            def health():
                try:
                    reply = shop.get("/health/ready")
                except OSError:
                    return None
                return reply if str(door).encode() in reply.body else None

            reply = eventually(health)
            report.check("broker absent: readiness says why", reply is not None and reply.status == 503, f"{reply}")
            report.check("broker absent: the log says that it waits", shop.wait_log("aiting"), shop.log[-1500:])
            report.check("broker absent: alive", shop.get("/health/live").status == 200)
            proxy = Proxy({"kafka": (door, int(self.brokers.rsplit(":", 1)[1]), False)})
            try:
                report.check("broker absent: goes on when it comes", shop.wait_log("The host is ready"), shop.log[-1500:])
                report.check("broker absent: ready then",
                             eventually(lambda: shop.get("/health/ready").status == 200))
                report.check("broker absent: ends well", shop.stop() == 0, shop.log[-1500:])
            finally:
                proxy.close()

    def wrong_database_password(self):
        word = re.search(r"gantry:([^@]*)@", self.url).group(1)
        wrong = self.url.replace(word, "not-the-word")
        with self.shop(wrong) as shop:
            shop.launch()
            self.not_ready("wrong database password", shop, "wrong user or password", hidden=("not-the-word", word))

    def database_stops_while_the_host_runs(self):
        gone, back = "The store can't be reached.", "The store can be reached again."

        def lines(sentence):
            return [line for line in shop.log.splitlines() if sentence in line and '"plugin":"order"' in line]

        def up(value):
            return f'\ngantry_store_up{{plugin="order"}} {value}' in shop.get("/metrics").body.decode()

        with self.shop() as shop:
            shop.start()
            report.check("database stops: ready before", eventually(shop.is_ready))
            report.check("database stops: up before", eventually(lambda: up(1)))
            self.postgres("stop")
            try:
                self.not_ready("database stops", shop, "can't be reached")  # it ends first, and then nobody listens
                report.check("database stops: the metric shows it", eventually(lambda: up(0)))
                report.check("database stops: alive", shop.get("/health/live").status == 200)
                report.check("database stops: no order is taken", shop.order("stopped-1").status == 503)
            finally:
                self.postgres("restart")
            report.check("database stops: comes back by itself", eventually(shop.is_ready), shop.log[-1500:])
            report.check("database stops: the metric shows that", eventually(lambda: up(1)))
            report.check("database stops: said once that it is back", len(lines(back)) == 1, lines(back))
            report.check("database stops: said once that it has gone", len(lines(gone)) == 1, lines(gone))
            report.check("database stops: by a warning", '"level":"warn"' in lines(gone)[0], lines(gone))
            report.check("database stops: orders are taken again", shop.order("stopped-2").status == 201)
            report.check("database stops: ends well", shop.stop() == 0, shop.log[-1500:])

    def database_absent_at_start(self):
        door, server = free_port(), int(re.search(r":(\d+)/postgres$", self.url).group(1))
        with self.shop(self.database().replace(f":{server}/", f":{door}/")) as shop:
            shop.launch()
            self.not_ready("database absent", shop, "nobody listens there")
            report.check("database absent: the host is there", shop.wait_log("The host is ready."), shop.log[-1500:])
            line = next(line for line in shop.log.splitlines() if "The host is ready." in line)
            report.check("database absent: it says without whom", '"level":"warn"' in line and "plugins failed: " in line
                         and "order" in line, line)
            report.check("database absent: no order is taken", shop.order("absent-1").status == 503)
            proxy = Proxy({"postgres": (door, server, True)})
            try:
                report.check("database absent: ready when it comes", eventually(shop.is_ready), shop.log[-1500:])
                for words in ("A plugin waits for what can't be reached", "A plugin was started: what it waited for can be reached."):
                    told = [line for line in shop.log.splitlines() if words in line and '"plugin":"order"' in line]
                    report.check(f"database absent: said once: {words}", len(told) == 1, told)
                report.check("database absent: orders are taken then", shop.order("absent-2").status == 201)
                report.check("database absent: ends well", shop.stop() == 0, shop.log[-1500:])
            finally:
                proxy.close()

    def fewer_partitions(self):
        with self.shop(topics=["errors-topic: { partitions: 2 }"]) as shop:
            shop.start()
            shop.stop()
        with self.shop(topics=["errors-topic: { partitions: 5 }"]) as shop:
            shop.launch()
            self.refused("fewer partitions", shop, "errors-topic", "has 2 partitions", "says 5")

    def newer_schema(self):
        url = self.database()
        with self.shop(url) as shop:
            shop.start()
            shop.stop()
        self.sql(url, 'INSERT INTO "order".gantry_migrations (number, name, sha256, applied_at)'
                      " VALUES (9999, 'of a later version', 'x', '')")
        with self.shop(url) as shop:
            shop.launch()
            self.not_ready("newer schema", shop, "order", "9999")

    def one_address_for_two_hosts(self):
        port = free_port()
        with self.shop() as shop:
            file = shop.folder / "twice.yaml"
            file.write_text((shop.folder / "topology.yaml").read_text().replace(
                "hosts:\n", f"hosts:\n  twin: {{ http: 127.0.0.1:{port} }}\n  other: {{ http: 127.0.0.1:{port} }}\n", 1))
            done = subprocess.run([str(self.gantry), "validate", "-t", str(file)], cwd=shop.folder, text=True,
                                  capture_output=True)
            said = done.stdout + done.stderr
            report.check("one address: refused", done.returncode == 1, f"{done.returncode} {said}")
            report.check("one address: named", str(port) in said and "twin" in said and "other" in said, said)
        with self.shop() as first, self.shop() as second:
            first.start()
            text = (second.folder / "topology.yaml").read_text()
            (second.folder / "topology.yaml").write_text(text.replace(f":{second.port} ", f":{first.port} "))
            second.launch()
            self.refused("address taken", second, str(first.port))
            report.check("address taken: the first goes on", first.get("/health/ready").status == 200)

    def replicas_of_topics(self):
        def asking(keys):
            return lambda text: text.replace(f"  brokers: {self.brokers}\n", f"  brokers: {self.brokers}\n{keys}").replace(
                "topics:\n", f"topics:\n  a-replicas-{os.getpid()}: {{}}\n", 1)

        # A broker that is not there yet may still come.
        with self.shop(edit=asking("  replication: 2\n")) as shop:
            shop.launch()
            report.check("more replicas than brokers: said", shop.wait_log("eplication factor"), shop.log[-1500:])
            report.check("more replicas than brokers: asked to end while it waits, it does", shop.stop() == 0,
                         shop.log[-1500:])
        with self.shop(edit=asking("  replication: 1\n  min_insync: 1\n")) as shop:
            shop.start()
            report.check("as many replicas as brokers: ready", shop.get("/health/ready").status == 200)

    def metrics_while_the_broker_stands_still(self):
        broker = int(variable(self.servers / "kafka/env", "KAFKA_PID"))

        def metrics():
            reply = shop.ask("GET", "/metrics", timeout=30)
            return reply.body.decode() if reply.status == 200 else ""

        def says(*lines):
            text = metrics()
            return all(f"\n{line}" in text for line in lines)

        with self.shop() as shop:
            shop.start()
            report.check("broker still: its clients show", eventually(lambda: says(
                'gantry_kafka_messages_sent_total{client="producer"} ', 'gantry_kafka_round_trip_seconds{client="consumer",group=',
                'gantry_kafka_bytes_buffered{client="consumer",group=', 'gantry_kafka_rebalances_total{client="consumer",group=')),
                         [line for line in metrics().splitlines() if "kafka" in line])
            os.kill(broker, signal.SIGSTOP)
            try:
                report.check("broker still: said", eventually(lambda: shop.get("/health/ready").status == 503))
                for number in range(5):
                    shop.get("/nothing-of-any-plugin")
                    report.check(f"broker still: scrape {number} shows everything else", says(
                        'gantry_requests_total{', 'gantry_write_queue{plugin="order"} ', 'gantry_consumer_lag{plugin="order"} '))
            finally:
                os.kill(broker, signal.SIGCONT)
            report.check("broker still: goes on with it", eventually(lambda: shop.get("/health/ready").status == 200))
            report.check("broker still: ends well", shop.stop() == 0, shop.log[-1500:])

    def broker_that_asks_for_a_password(self):
        folder = self.servers / "sasl"
        subprocess.run([str(KAFKA), "start", str(folder)], check=True, env={**os.environ, "KAFKA_PROPERTIES": SASL_LISTENER})
        try:
            brokers = variable(folder / "env", "KAFKA_BOOTSTRAP")

            def with_password(word):
                return lambda text: text.replace(
                    f"  brokers: {self.brokers}\n",
                    f"  brokers: {brokers}\n  properties:\n    security.protocol: sasl_plaintext\n"
                    f"    sasl.mechanisms: PLAIN\n    sasl.username: shop\n    sasl.password: {word}\n")

            with self.shop(edit=with_password("shop-word")) as shop:
                shop.start()
                reply = shop.order("sasl-1")
                report.check("broker's password: an order goes through", reply.status == 201, f"{reply}")
                ended = shop.order_ends(reply.json()["orderId"], ("Confirmed", "Cancelled"))
                report.check("broker's password: and is confirmed", ended["status"] == "Confirmed", f"{ended}")
                report.check("broker's password: ends well", shop.stop() == 0, shop.log[-1500:])
            with self.shop(edit=with_password("not-the-word")) as shop:
                shop.launch()
                report.check("wrong broker password: said", shop.wait_log("uthentication"), shop.log[-1500:])
                report.check("wrong broker password: kept to itself", "not-the-word" not in shop.log)
        finally:
            subprocess.run([str(KAFKA), "remove", str(folder)], check=True)


def main():
    # Whoever ends the test ends what it has started as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    folder = tempfile.mkdtemp(prefix="gantry-errors-")
    os.environ["GANTRY_SHOP_SERVERS"] = folder  # where shop.py looks for them
    try:
        for script, name in ((KAFKA, "kafka"), (POSTGRES, "postgres")):
            subprocess.run([str(script), "start", f"{folder}/{name}"], check=True, stdin=subprocess.DEVNULL)
        tell(Stories(sys.argv[1], sys.argv[2], folder), sys.argv[3:])
    finally:
        for script, name in ((KAFKA, "kafka"), (POSTGRES, "postgres")):
            subprocess.run([str(script), "remove", f"{folder}/{name}"], check=False)
        shutil.rmtree(folder, ignore_errors=True)
    report.end()


def tell(stories, chosen):
    for name in ("broker_absent_at_start", "wrong_database_password", "database_stops_while_the_host_runs",
                 "database_absent_at_start", "fewer_partitions", "newer_schema", "one_address_for_two_hosts", "broker_that_asks_for_a_password", "replicas_of_topics",
                 "metrics_while_the_broker_stands_still"):
        if not chosen or name in chosen:
            report.story(name, getattr(stories, name))


if __name__ == "__main__":
    main()
