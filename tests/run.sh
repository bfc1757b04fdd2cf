#!/bin/bash
# Builds and runs all tests. On Debian 12 it installs what is missing.
#
#   tests/run.sh              everything: unit, integration, conformance with Go
#                             and Python peers, the consumer, the examples
#   tests/run.sh --sanitize   the tests again under AddressSanitizer and
#                             UndefinedBehaviorSanitizer, and each fuzz target
#                             for FUZZ_SECONDS (60)
#   tests/run.sh --tsan       the unit and integration tests under
#                             ThreadSanitizer
#   tests/run.sh --world=today
#                             everything again with today's libraries, in a root
#                             of their own (tests/world/README.md)
#   tests/run.sh --all        all of these
#
# Ends in a line "N passed, N failed"; exit code 0 when none failed.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/.build
events=$out/test-events.json
stamp=$out/tests.$$.tmp
passed=0
failed=0

# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"
# shellcheck source=tests/support/bazel.sh
. "$root/tests/support/bazel.sh"

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$root/tests/run.sh"
}

# check NAME COMMAND...: one test that is a command.
check() {
  local name=$1 log=$out/check.log
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    echo "PASSED  $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    tail -n 60 "$log"
  fi
}

# bazel_test ARGUMENT...: runs Bazel's tests and counts their cases.
bazel_test() {
  local counts
  rm -f "$events"
  "$BAZEL" test --keep_going --show_result=0 \
    --noshow_loading_progress --show_progress_rate_limit=60 \
    --build_event_json_file="$events" \
    --test_env=GOPLUGIN_PEERS="$out/peers" \
    --test_env=GOPLUGIN_REQUIRE_PEERS="${GOPLUGIN_REQUIRE_PEERS:-}" "$@"
  counts=$(python3 "$root/tests/support/count_tests.py" "$events" $?)
  echo "$* -> $counts"
  # shellcheck disable=SC2086  # two words
  set -- $counts
  passed=$((passed + ${1:-0}))
  failed=$((failed + ${2:-1}))
}

# The peers, or a line that says why there are none.
prepare_peers() {
  if "$root/tests/conformance/peers.sh" "$out/peers" >"$out/peers.log" 2>&1; then
    return
  fi
  tail -n 5 "$out/peers.log"
  echo "No peers: their tests are skipped, or fail with GOPLUGIN_REQUIRE_PEERS=1"
}

run_plain() {
  bazel_test //...
  local bin
  bin=$("$BAZEL" info bazel-bin 2>/dev/null)
  check "examples/quickstart" quickstart "$bin"
  check "examples/run.sh" examples/run.sh
  check "examples/run.sh --plugin=go" examples/run.sh --plugin=go
  check "examples/run.sh --plugin=python" examples/run.sh --plugin=python
  check "examples/inspect" inspect "$bin"
  check "consumer workspace" tests/consumer/run.sh \
    "$bin/examples/plugin_cpp/plugin_cpp"
  run_installed "$bin/examples/plugin_cpp/plugin_cpp"
}

# Users without Bazel; $1: the plugin that they call.
run_installed() {
  local prefix=$out/installed kind
  if [ "$(bazel_major)" -ge 8 ]; then
    echo "No installation with the Central Registry's libraries: not tested"
    return
  fi
  check "install" tests/consumer/install.sh "$prefix"
  for kind in pkg-config cmake module; do
    check "consumer $kind" tests/consumer/installed.sh "$kind" "$prefix" "$1"
  done
}

# The plugin keeps its values in the working directory.
quickstart() {
  mkdir -p "$out/kv"
  (cd "$out/kv" && "$1/examples/quickstart/quickstart" \
    "$1/examples/plugin_cpp/plugin_cpp")
}

# Calls the C++ plugin with JSON, by the service's .proto file.
inspect() {
  mkdir -p "$out/kv"
  (cd "$out/kv" && "$1/examples/inspect/inspect" --cookie BASIC_PLUGIN=hello \
    --versions 1 --proto "$root/examples/proto/kv.proto" \
    --call proto.KV/Put --json '{"key": "hello", "value": "d29ybGQ="}' \
    -- "$1/examples/plugin_cpp/plugin_cpp")
}

run_sanitize() {
  bazel_test --config=sanitize //tests/... //examples/...
  local target
  for target in handshake_line log_line certificate broker_message \
    yamux_frames conversation; do
    check "fuzz $target, ${FUZZ_SECONDS:-60} s" fuzz "$target"
  done
}

fuzz() {
  local corpus=$out/fuzz/$1 dictionary=()
  mkdir -p "$corpus"
  [ ! -e "tests/fuzz/$1.dict" ] || dictionary=("-dict=$root/tests/fuzz/$1.dict")
  "$BAZEL" run --config=fuzz "//tests/fuzz:${1}_fuzz" -- \
    -verbosity=0 -max_total_time="${FUZZ_SECONDS:-60}" "${dictionary[@]}" \
    -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 \
    -artifact_prefix="$corpus/" "$corpus" "$root/tests/fuzz/corpus/$1"
}

run_tsan() {
  bazel_test --config=tsan //tests/unit/... //tests/integration/...
}

# The same command in another world. Where there is none today that is told, and
# nothing has failed.
run_today() {
  tests/world/today.sh tests/run.sh
  case $? in
    0) passed=$((passed + 1)) ;;
    75) echo "SKIPPED  today's libraries" ;;
    *) failed=$((failed + 1)) ;;
  esac
}

mode=${1:-}
case $mode in
  "" | --sanitize | --tsan | --world=today | --all) ;;
  --help | -h) usage; exit ;;
  *) usage >&2; exit 2 ;;
esac

# This world's tests, with what they want installed.
run_here() {
  # shellcheck disable=SC2086  # lists
  install_for_bazel $TEST_PACKAGES $CHECK_PACKAGES
  bazel_begin "$stamp"
  trap 'bazel_end "$stamp"' EXIT
  prepare_peers
  for run in "$@"; do "$run"; done
  bazel_end "$stamp"
}

cd "$root" || exit 1
mkdir -p "$out"
case $mode in
  "") run_here run_plain ;;
  --sanitize) run_here run_sanitize ;;
  --tsan) run_here run_tsan ;;
  --world=today) run_today ;;
  --all) run_here run_plain run_sanitize run_tsan; run_today ;;
esac
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && { [ "$passed" -gt 0 ] || [ "$mode" = --world=today ]; }
