"""The columns of the matrix: the same plugin files on a bus, a store, and hosts."""


class Column:
    """`hosts` maps a plugin to the hosts that run it; "*" stands for the others. `isolated`: each in a process of its own."""

    def __init__(self, name, bus, store, hosts, title, isolated=False):
        self.name, self.bus, self.store, self.hosts, self.title = name, bus, store, hosts, title
        self.isolated = isolated

    def names(self):
        return sorted({host for hosts in self.hosts.values() for host in hosts})

    def placed(self, plugin):
        return self.hosts.get(plugin, self.hosts["*"])

    def replicated(self):
        return any(len(hosts) > 1 for hosts in self.hosts.values())


ONE = {"*": ["main"]}
SPREAD = {"conf-source": ["a"], "conf-sink": ["b"], "conf-caller": ["a"], "conf-target": ["b"], "conf-frail": ["c"],
          "order": ["a"], "inventory": ["b"], "payment": ["b"], "*": ["c"]}
REPLICAS = {"conf-caller": ["a"], "conf-target": ["b", "c"], "conf-frail": ["c"], "catalog": ["a"], "payment": ["b"],
            "shipping": ["c"], "notification": ["c"], "conf-source": ["a", "b"], "*": ["a", "b", "c"]}
COLUMNS = [
    Column("local-sqlite", "local", "sqlite", ONE, "local bus, SQLite, one host"),
    Column("local-sqlite-isolated", "local", "sqlite", ONE, "local bus, SQLite, each plugin in a process of its own", True),
    Column("local-sqlite-3", "local", "sqlite", SPREAD, "local bus, SQLite, three processes"),
    Column("kafka-sqlite", "kafka", "sqlite", ONE, "Kafka, SQLite, one host"),
    Column("kafka-sqlite-3", "kafka", "sqlite", SPREAD, "Kafka, SQLite, three hosts"),
    Column("kafka-postgres", "kafka", "postgres", ONE, "Kafka, PostgreSQL, one host"),
    Column("kafka-postgres-3", "kafka", "postgres", REPLICAS, "Kafka, PostgreSQL, three hosts with replicas"),
]
