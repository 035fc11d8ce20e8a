#!/usr/bin/env bash
# A broker that does not come up says why: `broker_log_test.sh KAFKA_SH DIR`. DIR is made, and removed at the end.
set -euo pipefail

starter=$1
directory=$2
trap '"$starter" remove "$directory"' EXIT

"$starter" remove "$directory"
"$starter" start "$directory"
"$starter" stop "$directory"
echo "num.network.threads=none" >>"$directory/server.properties"
if said=$("$starter" start "$directory" 2>&1); then
  echo "the broker came up on a setting that is no number" >&2
  exit 1
fi
if ! grep -q "num.network.threads" <<<"$said"; then
  printf 'the reason is not said:\n%s\n' "$said" >&2
  exit 1
fi
