#!/usr/bin/env bash
# A PostgreSQL server for trials and tests, on the loopback only, in a directory of its own. Each verb may be repeated.
#
#   postgres.sh start DIR     makes the database if need be, starts the server, returns when it answers
#   postgres.sh stop DIR      an orderly end
#   postgres.sh kill DIR      kill -9 of the server's main process, by its pid; returns when it is gone
#   postgres.sh restart DIR   after stop or kill: same data, same port
#   postgres.sh remove DIR    stops it and deletes the directory
#   postgres.sh replica DIR OF   makes a streaming replica of the server in OF, which runs, and starts it
#
# DIR/env then holds POSTGRES_URL (with a password that was made here), POSTGRES_PID and POSTGRES_DATA, for a shell to read.
set -euo pipefail

verb=${1:?start, stop, kill, restart, remove or replica}
mkdir -p "${2:?a directory}"
dir=$(cd "$2" && pwd)
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb)")

# PostgreSQL refuses to run as root: then the user that its package brings runs it. The data lies where that user may go and
# where the path of a socket is short enough; `place` says where, when it is not DIR.
as=()
[ "$(id -u)" != 0 ] || as=(runuser -u postgres --)
home=$dir
if [ ${#dir} -gt 80 ] || ! (cd / && "${as[@]}" test -x "$dir"); then
  [ -s "$dir/place" ] && [ -d "$(cat "$dir/place")" ] || mktemp -d "${TMPDIR:-/var/tmp}/gantry-postgres-XXXXXX" >"$dir/place"
  home=$(cat "$dir/place")
fi
data=$home/data

# The pid counts only while it is a server on this data.
pid_of_server() {
  local pid
  pid=$(head -1 "$data/postmaster.pid" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$(readlink -f "$data")" ] && echo "$pid"
}

# A port that nobody listens on and that the kernel gives to no outgoing connection.
free_port() {
  local port
  for _ in $(seq 200); do
    port=$((20000 + RANDOM % 10000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  return 1
}

create() {
  [ ! -s "$data/PG_VERSION" ] || return 0
  (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$home/password")
  if [ ${#as[@]} -gt 0 ]; then chown postgres "$home" "$home/password"; fi
  (cd / && "${as[@]}" "$bin/initdb" -D "$data" -U gantry -A scram-sha-256 --pwfile="$home/password" -E UTF8 \
    --locale=C.UTF-8) >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
}

# A copy of the server in the directory $1 that follows it.
copy_of() {
  local from=$1
  [ ! -s "$data/PG_VERSION" ] || return 0
  (. "$from/env" && printf '%s' "${POSTGRES_URL#*//gantry:}" | sed 's/@.*//' >"$home/password")
  chmod 600 "$home/password"
  if [ ${#as[@]} -gt 0 ]; then chown postgres "$home" "$home/password"; fi
  (. "$from/env" && cd / && "${as[@]}" "$bin/pg_basebackup" -D "$data" -d "$POSTGRES_URL" -R -X stream -c fast) \
    >"$dir/initdb.log" 2>&1 || { cat "$dir/initdb.log" >&2; exit 1; }
}

start() {
  create
  [ -s "$dir/port" ] || free_port >"$dir/port"
  if ! pid_of_server >/dev/null; then
    # Durable as in production; small, because tests share a machine.
    (cd / && "${as[@]}" "$bin/pg_ctl" -D "$data" -s -w -t 60 -l "$home/server.log" start -o \
      "-p $(cat "$dir/port") -h 127.0.0.1 -k $home -c shared_buffers=64MB -c max_connections=60") \
      9>&- 2>"$dir/pg_ctl.log" || { cat "$dir/pg_ctl.log" >&2; tail -20 "$home/server.log" >&2; exit 1; }
  fi
  {
    echo "export POSTGRES_URL=postgresql://gantry:$(cat "$home/password")@127.0.0.1:$(cat "$dir/port")/postgres"
    echo "export POSTGRES_PID=$(pid_of_server)"
    echo "export POSTGRES_DATA=$data"
  } >"$dir/env"
}

stop() {
  if pid_of_server >/dev/null; then (cd / && "${as[@]}" "$bin/pg_ctl" -D "$data" -s -w -m fast stop); fi
}

kill_hard() {
  local pid
  pid=$(pid_of_server) || return 0
  kill -9 "$pid"
  # Its children notice that they are alone; a new server waits for the last one's end by itself.
  tail --pid="$pid" -f /dev/null
}

case $verb in
  start | restart) start ;;
  replica)
    copy_of "$(cd "${3:?the directory of the server to copy}" && pwd)"
    start
    ;;
  stop) stop ;;
  kill) kill_hard ;;
  remove)
    stop
    [ ! -s "$dir/place" ] || rm -rf "$(cat "$dir/place")"
    rm -rf "$dir"
    ;;
  *)
    echo "postgres.sh: $verb is unknown: expected start, stop, kill, restart, remove or replica" >&2
    exit 2
    ;;
esac
