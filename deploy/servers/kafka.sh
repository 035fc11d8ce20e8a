#!/usr/bin/env bash
# A real Kafka broker (KRaft, both roles in one process) for trials and tests, on loopback and free ports.
#
#   kafka.sh start DIR     starts it with its data in DIR and returns once it answers; DIR/env then says
#                          KAFKA_BOOTSTRAP=127.0.0.1:<port> and KAFKA_PID=<pid>. Started again on the same DIR, it comes
#                          back with the same data and ports. Does nothing when it runs already.
#   kafka.sh stop DIR      stops it; all is well when it does not run
#   kafka.sh kill DIR      ends it with SIGKILL, as a crash would
#   kafka.sh remove DIR    stops it and removes DIR
#   kafka.sh fetch         only fetches the broker's libraries
#
# KAFKA_HEAP sets the broker's memory (default 512m); KAFKA_PROPERTIES adds lines to a new broker's server.properties.
# The libraries are fetched once by Maven into $XDG_CACHE_HOME/gantry (default ~/.cache/gantry). Needs java and mvn.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gantry
libraries=$cache/kafka-$(sha256sum "$here/pom.xml" | cut -c1-12)
ports_from=20000
ports_to=29999
start_seconds=60
stop_seconds=20

fetch() {
  [ -e "$libraries/complete" ] && return
  mkdir -p "$cache"
  (
    flock 9
    [ -e "$libraries/complete" ] && exit
    rm -rf "$libraries" && mkdir -p "$libraries/jars"
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libraries/jars" >&2
    touch "$libraries/complete"
  ) 9>"$cache/kafka.lock"
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A port that nobody listens on and that the kernel gives to no outgoing connection.
free_port() {
  local port
  while :; do
    port=$((ports_from + (RANDOM * 32768 + RANDOM) % (ports_to - ports_from)))
    listening "$port" || break
  done
  echo "$port"
}

# The pid when the broker of this directory runs: the process of this number works in it.
running() {
  local pid
  [ -e "$1/pid" ] || return 1
  pid=$(cat "$1/pid")
  [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$1" ] && ! dead "$pid" && echo "$pid"
}

dead() { [ ! -e "/proc/$1/stat" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }

java_run() { java "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData -cp "$libraries/jars/*" "$@"; }

lay_out() {
  local dir=$1 broker controller
  broker=$(free_port)
  controller=$(free_port)
  while [ "$controller" = "$broker" ]; do controller=$(free_port); done
  cat >"$dir/server.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=BROKER://127.0.0.1:$broker,CONTROLLER://127.0.0.1:$controller
advertised.listeners=BROKER://127.0.0.1:$broker
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
log.dirs=$dir/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.cleaner.enable=false
num.network.threads=2
num.io.threads=4
${KAFKA_PROPERTIES:-}
END
  echo "$broker" >"$dir/port"
  # A cluster id is a UUID in base64url; one that begins with a dash would look like an option.
  java_run kafka.tools.StorageTool format -t "$(head -c 16 /dev/urandom | base64 | tr '+/' 'ab' | cut -c1-22)" \
    -c "$dir/server.properties" >"$dir/format.log" 2>&1 || { cat "$dir/format.log" >&2; exit 1; }
}

start() {
  local dir port pid deadline
  mkdir -p "$1"
  dir=$(cd "$1" && pwd)
  running "$dir" >/dev/null && return
  fetch
  [ -e "$dir/data/meta.properties" ] || lay_out "$dir"
  port=$(cat "$dir/port")
  (
    cd "$dir"
    exec setsid java "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:-UsePerfData \
      -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
      "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss.SSS" \
      -cp "$libraries/jars/*" kafka.Kafka "$dir/server.properties" </dev/null >>"$dir/broker.log" 2>&1 9>&-
  ) &
  pid=$!
  echo "$pid" >"$dir/pid"
  deadline=$((SECONDS + start_seconds))
  until listening "$port"; do
    if dead "$pid" || [ "$SECONDS" -ge "$deadline" ]; then
      echo "the broker in $dir does not come up; the end of its log:" >&2
      tail -20 "$dir/broker.log" >&2
      stop "$dir"
      exit 1
    fi
    sleep 0.1
  done
  printf 'KAFKA_BOOTSTRAP=127.0.0.1:%s\nKAFKA_PID=%s\n' "$port" "$pid" >"$dir/env"
}

await_end() {
  local deadline=$((SECONDS + stop_seconds))
  until dead "$1"; do
    if [ "$SECONDS" -ge "$deadline" ]; then kill -KILL "$1" 2>/dev/null || true; fi
    sleep 0.05
  done
}

finish() {
  local dir pid
  [ -d "$2" ] || return 0
  dir=$(cd "$2" && pwd)
  if pid=$(running "$dir"); then
    kill "-$1" "$pid" 2>/dev/null || true
    await_end "$pid"
  fi
  rm -f "$dir/pid" "$dir/env"
}

stop() { finish TERM "$1"; }

usage() {
  sed -n '2,14p' "${BASH_SOURCE[0]}" >&2
  exit 2
}

case "${1:-}" in
  fetch) fetch ;;
  start) [ $# -eq 2 ] || usage; start "$2" ;;
  stop) [ $# -eq 2 ] || usage; stop "$2" ;;
  kill) [ $# -eq 2 ] || usage; finish KILL "$2" ;;
  remove) [ $# -eq 2 ] || usage; stop "$2"; rm -rf "$2" ;;
  *) usage ;;
esac
