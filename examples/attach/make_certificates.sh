#!/bin/sh
# Makes what examples/attach needs for TLS: make_certificates.sh DIRECTORY
# An authority (ca), and a certificate of it for each side. Good for a day.
set -eu
mkdir -p "$1"
cd "$1"
umask 077

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }

key ca.key
openssl req -x509 -new -key ca.key -days 1 -subj /CN=kv-authority -out ca.pem

# issue NAME USAGE: the name to verify stands in subjectAltName.
issue() {
  key "$1.key"
  printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=%s\n' "$2" > "$1.ext"
  openssl req -new -key "$1.key" -subj "/CN=$1" |
    openssl x509 -req -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 \
      -extfile "$1.ext" -out "$1.pem" 2> /dev/null
}
issue plugin serverAuth
issue host clientAuth
