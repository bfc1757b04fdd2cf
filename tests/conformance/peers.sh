#!/bin/sh
# Builds the real peers that the conformance tests and benchmarks talk to.
#
#   tests/conformance/peers.sh [OUTDIR]
#
# OUTDIR (default: $GOPLUGIN_PEERS, or ~/.cache/go-plugin-cpp/peers) gets bin/
# with one program for each peer, see README.md in go/ and python/. Safe to run
# again: what is up to date is left alone. Says what it installs, and needs the
# Go module proxy, PyPI and crates.io for that, nothing else.
#
# Exit codes: 0 all built, 1 something is missing (the last line says what).
# Without a cargo there is no plugin in Rust, which is an error only with
# GOPLUGIN_REQUIRE_PEERS=1.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=${1:-${GOPLUGIN_PEERS:-${XDG_CACHE_HOME:-$HOME/.cache}/go-plugin-cpp/peers}}
mkdir -p "$out/bin"
out=$(cd "$out" && pwd)

say() { echo "peers: $*"; }
die() { echo "peers: error: $*" >&2; exit 1; }

# shellcheck source=tests/support/toolchains.sh
. "$root/tests/support/toolchains.sh"



# build DIR TARGET PACKAGE: a Go program, in the module of DIR.
build() {
  (cd "$1" && GOTOOLCHAIN=local GOFLAGS="" GOWORK=off \
    "$go" build -buildvcs=false -o "$out/bin/$2" "$3") ||
    die "can't build $3"
}

build_go() {
  build "$here/go" kv ./cmd/kv
  build "$here/go" host ./cmd/host
  build "$here/go" broker ./cmd/broker
  build "$here/go" yamux ./cmd/yamux
  build "$root/examples/plugin_go" plugin_go .
  build "$root/tests/benchmarks/go_host" go_host .
  examples=github.com/hashicorp/go-plugin/examples
  build "$here/go" hashicorp-host "$examples/grpc"
  build "$here/go" hashicorp-plugin-go-grpc "$examples/grpc/plugin-go-grpc"
  build "$here/go" hashicorp-plugin-go-netrpc "$examples/grpc/plugin-go-netrpc"
  build "$here/go" hashicorp-bidirectional-host "$examples/bidirectional"
  build "$here/go" hashicorp-bidirectional-plugin \
    "$examples/bidirectional/plugin-go-grpc"
  build "$here/go" hashicorp-streaming-host "$examples/streaming"
  build "$here/go" hashicorp-streaming-plugin "$examples/streaming/plugin"
  build "$here/go" hashicorp-negotiated-host "$examples/negotiated"
  build "$here/go" hashicorp-negotiated-plugin "$examples/negotiated/plugin-go"
}

go_plugin_source() {
  (cd "$here/go" && GOTOOLCHAIN=local GOFLAGS="" GOWORK=off "$go" list -m \
    -f '{{.Dir}}' github.com/hashicorp/go-plugin)
}

# wrapper NAME COMMAND...: a program that runs COMMAND with its own arguments.
wrapper() {
  name=$1
  shift
  { echo '#!/bin/sh'; printf 'exec'; printf " '%s'" "$@"; echo ' "$@"'; } \
    > "$out/bin/$name.new"
  chmod +x "$out/bin/$name.new"
  mv "$out/bin/$name.new" "$out/bin/$name"
}

# go-plugin's own Python example: copied from the module cache, never kept here.
# Its generated code is too old for today's protobuf, so it is made anew.
build_hashicorp_python() {
  module=$(go_plugin_source)
  target=$out/hashicorp-python
  [ -e "$target/proto/kv_pb2_grpc.py" ] && return
  mkdir -p "$target/proto"
  cp "$module/examples/grpc/plugin-python/plugin.py" "$target/"
  cp "$module/examples/grpc/proto/kv.proto" "$target/proto/"
  chmod -R u+w "$target"
  "$out/venv/bin/python" -m grpc_tools.protoc -I "$target" \
    --python_out="$target" --grpc_python_out="$target" proto/kv.proto
}

build_python() {
  PYTHON=$python "$root/examples/plugin_python/setup.sh" "$out/venv" ||
    die "can't set the Python plugin up"
  build_hashicorp_python
  wrapper plugin_python "$out/venv/bin/python" \
    "$root/examples/plugin_python/plugin.py"
  wrapper pyvider-host "$out/venv/bin/python" "$here/python/host.py"
  wrapper hashicorp-plugin-python "$out/venv/bin/python" \
    "$out/hashicorp-python/plugin.py"
}

build_rust() {
  (cd "$here/rust" && CARGO_TARGET_DIR="$out/rust" "$cargo" build --quiet \
    --locked) || die "can't build the plugin in Rust"
  ln -sfn "$out/rust/debug/kv_rust" "$out/bin/kv_rust"
}

find_python
find_go "$out/go-venv"
say "Go: $go ($(GOTOOLCHAIN=local "$go" env GOVERSION)), Python: $python"
build_go
# For the test that compares README.md's tables with it.
ln -sfn "$(go_plugin_source)" "$out/go-plugin"
build_python
if have_cargo || [ "${GOPLUGIN_REQUIRE_PEERS:-}" = 1 ]; then
  find_cargo
  say "Rust: $cargo ($("$cargo" --version))"
  build_rust
else
  say "no cargo 1.85 or newer: no plugin in Rust, its tests are skipped"
fi
say "built in $out/bin: $(ls -x -w 0 "$out/bin")"
