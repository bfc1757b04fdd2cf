#!/bin/bash
# Measures this SDK beside a stock Go host and a raw gRPC channel, with one Go
# plugin for all of them, and prints a table. README.md explains its rows. On
# Debian 12 it installs what is missing.
#
#   tests/benchmarks/run.sh [--quick] [--plugin PATH]
#
#   --quick        fewer rounds: one or two minutes, rough figures
#   --plugin PATH  a Go plugin with the KV service (default: the conformance
#                  tests' own, bin/kv)
#
# Needs an idle machine for figures worth quoting. Exit code 0 whatever the
# figures are; another one when something could not be built or run.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
peers=${GOPLUGIN_PEERS:-$root/.build/peers}
plugin=
quick=

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; }

while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=--quick ;;
    --plugin) plugin=$(realpath "${2:?--plugin wants a path}"); shift ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; exit 64 ;;
  esac
  shift
done

# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"
# shellcheck source=tests/support/bazel.sh
. "$root/tests/support/bazel.sh"

cd "$root"
# shellcheck disable=SC2086  # a list
install_missing $TEST_PACKAGES
# Old peers don't know what is new in their sources.
newer=$(find tests/conformance/go tests/benchmarks/go_host -name '*.go' \
  -newer "$peers/bin/go_host" 2>&1)
if [ -n "$newer" ] || [ ! -x "$peers/bin/go_host" ] || [ ! -x "$peers/bin/broker" ] ||
  [ ! -x "$peers/bin/kv" ] || [ ! -x "$peers/venv/bin/python" ]; then
  tests/conformance/peers.sh "$peers"
fi

mkdir -p .build
programs=.build/benchmarks
stamp=.build/benchmarks.$$.tmp
bazel_begin "$stamp"
trap 'bazel_end "$stamp"' EXIT
"$BAZEL" build -c opt --ui_event_filters=-info --show_result=0 \
  //tests/benchmarks:broker_host //tests/benchmarks:cpp_host \
  //tests/benchmarks:log_benchmark \
  //tests/plugins:misbehave
# Copies: another build may replace Bazel's own while we measure.
bin=$("$BAZEL" info -c opt bazel-bin 2>/dev/null)
rm -rf "$programs"
mkdir -p "$programs"
cp "$bin"/tests/benchmarks/{broker_host,cpp_host,log_benchmark} \
  "$bin/tests/plugins/misbehave" "$programs/"
# The C++ plugin, in both ways to link it.
for linked in static shared; do
  config=
  [ $linked = shared ] || config=--config=static
  # shellcheck disable=SC2086  # none or one
  "$BAZEL" build -c opt $config --ui_event_filters=-info --show_result=0 \
    //examples/plugin_cpp
  cp "$bin/examples/plugin_cpp/plugin_cpp" "$programs/plugin_cpp_$linked"
done
# Bazel's idle server has work to do now and then.
bazel_end "$stamp"

# shellcheck disable=SC2086  # none or one
python3 tests/benchmarks/compare.py $quick --programs "$programs" \
  --go-host "$peers/bin/go_host" --broker-peer "$peers/bin/broker" \
  --flood-peer "$peers/bin/kv" --plugin "${plugin:-$peers/bin/kv}" \
  --python "$peers/venv/bin/python"
