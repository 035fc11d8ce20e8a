#!/usr/bin/env bash
# Installs the Debian 12 packages that Gantry builds and runs with; does nothing when all are there.
# Needs root or sudo only when something is missing.
set -euo pipefail

packages=(
  build-essential binutils cmake ninja-build ccache git ca-certificates curl jq
  libboost1.81-dev libboost-filesystem1.81-dev libpistache-dev libyaml-cpp-dev libcli11-dev libspdlog-dev
  libsodium-dev libssl-dev libelf-dev libjemalloc-dev libsqlite3-dev libpqxx-dev libpq-dev librdkafka-dev pkg-config
)
# What the tests need beside that.
test_packages=(libgtest-dev libgmock-dev librapidcheck-dev libbenchmark-dev clang python3 python3-venv openssl minisign)
# A broker and a database on this machine, for topologies that need them and for tests.
server_packages=(postgresql-15 maven openjdk-17-jre-headless kcat)
case ${1:-} in
  --tests) packages+=("${test_packages[@]}" "${server_packages[@]}") ;;
  --servers) packages+=("${server_packages[@]}") ;;
esac

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f='${Status}' "$package" 2>/dev/null || true)
  [ "$status" = "install ok installed" ] || missing+=("$package")
done

# What a test reads our events with, for the user who runs the tests.
fetch_test_packages() {
  [ "${1:-}" = --tests ] || return 0
  python3 -B "$(dirname "${BASH_SOURCE[0]}")/../tests/integration/python_packages.py" ||
    echo "install.sh: the tests' Python packages can't be fetched; integration.cloudevents will be skipped" >&2
}
if [ ${#missing[@]} -eq 0 ]; then
  fetch_test_packages "$@"
  exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install.sh: missing ${missing[*]}; run as root, or install sudo" >&2; exit 1; }
  as_root=(sudo)
fi
echo "Installing ${#missing[@]} packages: ${missing[*]}"
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fetch_test_packages "$@"
