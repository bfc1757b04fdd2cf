#!/bin/sh
# Both ways of examples/attach, with programs that are built:
#   walk.sh SERVER ATTACH MAKE_CERTIFICATES
set -eu
scratch=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || kill "$server" 2> /dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT

# serve ARGUMENT...: sets port once the server has printed it.
serve() {
  mkfifo "$scratch/port"
  "$program" "$@" > "$scratch/port" &
  server=$!
  read -r port < "$scratch/port"
  rm "$scratch/port"
}

end() {
  kill "$server"
  wait "$server"
  server=
}

program=$1

serve "unix:$scratch/kv.sock"
"$2" "unix:$scratch/kv.sock"
# The first client left it running.
"$2" "unix:$scratch/kv.sock"
end

"$3" "$scratch/certificates"
serve localhost:0 --tls "$scratch/certificates"
"$2" "dns:///localhost:$port" --tls "$scratch/certificates"
if "$2" "ipv4:127.0.0.1:$port" 2> "$scratch/error"; then
  echo "attached without TLS" >&2
  exit 1
fi
grep -q TLS "$scratch/error"
end
echo "attached both ways"
