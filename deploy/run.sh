#!/usr/bin/env bash
# Installs what is missing, builds, starts the servers that the topology needs, and runs all its hosts.
# Usage: deploy/run.sh [NAME | FILE]      stop it with Ctrl-C
#   without an argument: config/topology.yaml, the shop in one host on the local bus with SQLite; no server is needed
#   NAME: config/topology.NAME.yaml
# A topology that reads KAFKA_BOOTSTRAP or POSTGRES_URL from the environment gets a broker or a database of its own when
# the variable is not set: on loopback, with its data in data/servers, stopped together with the hosts.
set -euo pipefail
cd "$(dirname "$0")/.."

topology=config/topology.yaml
if [ $# -gt 0 ]; then
  topology=config/topology.$1.yaml
  [ -f "$topology" ] || topology=$1
fi
if [ ! -f "$topology" ]; then
  echo "deploy/run.sh: found no topology $1; expected a file, or one of these names:" \
    "$(ls config/topology.*.yaml | sed 's/.*topology\.//; s/\.yaml//' | tr '\n' ' ')" >&2
  exit 2
fi
reads() { grep -q "\${env:$1}" "$topology" && [ -z "${!1:-}" ]; }
needs_kafka=no
needs_postgres=no
if reads KAFKA_BOOTSTRAP; then needs_kafka=yes; fi
if reads POSTGRES_URL; then needs_postgres=yes; fi

if [ $needs_kafka = yes ] || [ $needs_postgres = yes ]; then deploy/install.sh --servers; else deploy/install.sh; fi
if [ ! -f build/release/build.ninja ]; then
  cmake --preset release -DGANTRY_BUILD_TESTS=OFF -DGANTRY_BUILD_BENCH=OFF >build.log 2>&1 || { cat build.log; exit 1; }
  rm -f build.log
fi
cmake --build --preset release --target gantry all

scripts=deploy/servers
servers=$PWD/data/servers
stop_servers() {
  [ $needs_kafka = no ] || $scripts/kafka.sh stop "$servers/kafka"
  [ $needs_postgres = no ] || $scripts/postgres.sh stop "$servers/postgres"
}
if [ $needs_kafka = no ] && [ $needs_postgres = no ]; then exec build/release/bin/gantry run -t "$topology"; fi
trap stop_servers EXIT
trap : INT TERM  # the hosts get the signal as well, and drain; the servers must outlive them
if [ $needs_kafka = yes ]; then
  $scripts/kafka.sh start "$servers/kafka"
  set -a && . "$servers/kafka/env" && set +a
fi
if [ $needs_postgres = yes ]; then
  $scripts/postgres.sh start "$servers/postgres"
  set -a && . "$servers/postgres/env" && set +a
fi
build/release/bin/gantry run -t "$topology" &
hosts=$!
code=0
while kill -0 $hosts 2>/dev/null; do
  trap 'kill -TERM $hosts 2>/dev/null' INT TERM
  code=0
  wait $hosts || code=$?
done
exit $code
