#!/bin/sh
# Makes the certificates of the TLS tests: two authorities; of the first one servers that are good, expired, named
# otherwise and without a DNS name, and a client; of the second one a server and a client that the first does not know.
# Usage: certificates.sh DIR
set -eu
mkdir -p "$1"
cd "$1"

authority() { # name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.pem" \
    -subj "/CN=$1" -days 2 -addext basicConstraints=critical,CA:TRUE 2>/dev/null
  mkdir -p "$1.db"
  : >"$1.db/index"
  cat >"$1.cnf" <<CNF
[ca]
default_ca = this
[this]
database = $1.db/index
new_certs_dir = $1.db
certificate = $1.pem
private_key = $1.key
default_md = sha256
policy = any
rand_serial = yes
unique_subject = no
[any]
commonName = supplied
CNF
}

certificate() { # authority name subjectAltName [end]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2.key" -out "$2.csr" -subj "/CN=$2" 2>/dev/null
  echo "subjectAltName = $3" >"$2.ext"
  openssl ca -batch -notext -config "$1.cnf" -in "$2.csr" -out "$2.pem" -extfile "$2.ext" \
    -startdate 20200101000000Z -enddate "${4:-20990101000000Z}" 2>/dev/null
}

authority ours
authority strangers
certificate ours good IP:127.0.0.1,DNS:localhost
certificate ours expired IP:127.0.0.1,DNS:localhost 20210101000000Z
certificate ours elsewhere DNS:elsewhere.example
certificate ours client DNS:client
certificate ours numeric IP:127.0.0.1
certificate strangers stranger IP:127.0.0.1,DNS:localhost
