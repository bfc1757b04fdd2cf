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
#   tests/run.sh --grpcs-connections
#                             some tests over gRPC's own connections, where ours
#                             are used otherwise (gRPC 1.83 and later); a run
#                             without an option has them, too
#   tests/run.sh --world=today
#                             everything again with today's libraries, in a root
#                             of their own (tests/world/README.md)
#   tests/run.sh --all        all of these
#   tests/run.sh --build ...  only builds what that would run
#   tests/run.sh --install    only installs what the tests want
#
# TEST_ATTEMPTS (1): how often a test program that fails is tried; one that passes
# then is told as FLAKY.
#
# Ends in a line "N passed, N failed"; exit code 0 when none failed, 130 when
# none had until it was interrupted.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/.build
events=$out/test-events.json
stamp=$out/tests.$$.tmp
passed=0
failed=0
only_build=
interrupted=
trap 'interrupted=1' INT

# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"
# shellcheck source=tests/support/bazel.sh
. "$root/tests/support/bazel.sh"
# shellcheck source=tests/support/toolchains.sh
. "$root/tests/support/toolchains.sh"

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$root/tests/run.sh"
}

# check NAME COMMAND...: one test that is a command.
check() {
  local name=$1 log=$out/check.log
  [ -z "$interrupted" ] || return
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1))
    echo "PASSED  $name"
  elif [ -n "$interrupted" ]; then
    echo "INTERRUPTED  $name"
  else
    failed=$((failed + 1))
    echo "FAILED  $name"
    tail -n 60 "$log"
  fi
}

# bazel_test ARGUMENT...: runs Bazel's tests and counts their cases.
bazel_test() {
  local counts status
  [ -z "$interrupted" ] || return
  set -- --keep_going --show_result=0 --noshow_loading_progress \
    --show_progress_rate_limit=60 "$@"
  if [ -n "$only_build" ]; then
    "$BAZEL" build "$@" || failed=$((failed + 1))
    return
  fi
  rm -f "$events"
  "$BAZEL" test --build_event_json_file="$events" \
    --flaky_test_attempts="${TEST_ATTEMPTS:-1}" \
    --test_env=GOPLUGIN_PEERS="$out/peers" \
    --test_env=GOPLUGIN_REQUIRE_PEERS="${GOPLUGIN_REQUIRE_PEERS:-}" "$@"
  status=$?
  if [ -n "$interrupted" ]; then
    status=0
    [ -e "$events" ] || return
  fi
  counts=$(python3 "$root/tests/support/count_tests.py" "$events" "$status")
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

# Both kinds have to work: the other kind is what earlier releases have, and what
# is used when there is no thread for ours.
run_grpcs_connections() {
  if ! pkg-config --atleast-version=1.83 grpc++; then
    echo "gRPC before 1.83: its own connections are the only ones"
    return
  fi
  bazel_test --test_env=GOPLUGIN_TEST_ENDPOINTS=grpc \
    //tests/unit/channel/... //tests/unit/serve:serve_test \
    //tests/integration:{walk,attach,bounds,broker,broker_faults}_test \
    //tests/integration:{cut_connections,multiplex,multiplex_faults}_test \
    //tests/conformance:{broker,go_plugin,go_multiplex,pyvider_plugin}_test \
    //tests/conformance:{stock_host,streaming}_test
}

run_plain() {
  bazel_test //...
  [ -z "$only_build" ] || return
  run_grpcs_connections
  local bin
  bin=$("$BAZEL" info bazel-bin 2>/dev/null)
  check "examples/quickstart" quickstart "$bin"
  check "examples/run.sh" examples/run.sh
  check "examples/run.sh --plugin=go" examples/run.sh --plugin=go
  check "examples/run.sh --plugin=python" examples/run.sh --plugin=python
  check "examples/run.sh --supervised" examples/run.sh --supervised
  check "examples/inspect" inspect "$bin"
  check "consumer workspace" tests/consumer/run.sh \
    "$bin/examples/plugin_cpp/plugin_cpp"
  run_installed "$bin/examples/plugin_cpp/plugin_cpp"
  check "a static plugin" static_plugin "$bin"
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

# Last: it takes the place of the other one. $1: where programs are.
static_plugin() {
  "$BAZEL" build --config=static --show_progress_rate_limit=60 \
    //examples/plugin_cpp || return
  if ldd "$1/examples/plugin_cpp/plugin_cpp" | grep -E 'libgrpc|libssl'; then
    echo "it is not static"
    return 1
  fi
  quickstart "$1"
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
  # First what finds most in the least time.
  bazel_test --config=sanitize //tests/unit/...
  if [ -n "$only_build" ]; then
    build_fuzz || failed=$((failed + 1))
  else
    check "fuzz, ${FUZZ_SECONDS:-60} s each" fuzz
  fi
  bazel_test --config=sanitize -- //tests/... //examples/... -//tests/unit/...
}

fuzz_targets() {
  (cd tests/fuzz/corpus && printf '%s\n' *)
}

build_fuzz() {
  [ -z "$interrupted" ] || return
  # shellcheck disable=SC2046  # words
  "$BAZEL" build --config=fuzz --show_progress_rate_limit=60 \
    $(fuzz_targets | sed 's|.*|//tests/fuzz:&_fuzz|')
}

# Each target for its time, two at once.
fuzz() {
  local bin
  build_fuzz &&
    bin=$("$BAZEL" info --config=fuzz bazel-bin 2>/dev/null) || return
  # shellcheck disable=SC2016  # the inner shells' own variables
  fuzz_targets | xargs -P2 -I{} bash -c '
      target=$1 root=$2 bin=$3 corpus=$4/$1 dictionary=()
      mkdir -p "$corpus"
      [ ! -e "$root/tests/fuzz/$target.dict" ] ||
        dictionary=("-dict=$root/tests/fuzz/$target.dict")
      "$bin/tests/fuzz/${target}_fuzz" -verbosity=0 \
        -max_total_time="${FUZZ_SECONDS:-60}" "${dictionary[@]}" \
        -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=256 \
        -artifact_prefix="$corpus/" "$corpus" "$root/tests/fuzz/corpus/$target" \
        >"$corpus.log" 2>&1 && exit
      echo "FAILED  fuzz $target"
      tail -n 40 "$corpus.log"
      exit 1' _ {} "$root" "$bin" "$out/fuzz"
}

run_tsan() {
  bazel_test --config=tsan //tests/unit/... //tests/integration/...
}

# Everything with today's libraries. Where there are none, nothing has failed.
run_today() {
  local command
  if [ -n "$only_build" ]; then
    tests/world/today.sh tests/run.sh --build || failed=$((failed + 1))
    return
  fi
  tests/world/today.sh true
  if [ $? = 75 ]; then
    echo "SKIPPED  today"
    return
  fi
  for command in tests/world/openssl4.sh tests/world/opentelemetry.sh \
    tests/run.sh; do
    [ -z "$interrupted" ] || return
    tests/world/today.sh "$command"
    case $? in
      0) passed=$((passed + 1)); echo "PASSED  today: $command" ;;
      130) echo "INTERRUPTED  today: $command" ;;
      75) echo "SKIPPED  today: $command" ;;
      *) failed=$((failed + 1)); echo "FAILED  today: $command" ;;
    esac
  done
}

mode=
for argument in "$@"; do
  case $argument in
    --build) only_build=1 ;;
    --install | --sanitize | --tsan | --all | --grpcs-connections | \
      --world=today) mode=$argument ;;
    --help | -h) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done

install_all() {
  # shellcheck disable=SC2086  # lists
  install_for_bazel $TEST_PACKAGES $FUZZ_PACKAGES
  # Where it can't be had, the plugin in Rust alone is missing.
  # shellcheck disable=SC2086  # a list
  have_cargo || (install_missing $RUST_PACKAGES) || true
}

# This world's tests, with what they want installed.
run_here() {
  install_all
  bazel_begin "$stamp"
  trap 'bazel_end "$stamp"' EXIT
  if [ -n "$only_build" ]; then
    # Built ahead, beside the tests of something else.
    bazel_yield "$stamp"
  else
    prepare_peers
  fi
  for run in "$@"; do "$run"; done
  bazel_end "$stamp"
}

cd "$root" || exit 1
mkdir -p "$out"
case $mode in
  --install) install_all; exit ;;
  "") run_here run_plain ;;
  --sanitize) run_here run_sanitize ;;
  --tsan) run_here run_tsan ;;
  --grpcs-connections) run_here run_grpcs_connections ;;
  --world=today) run_today ;;
  --all) run_here run_plain run_sanitize run_tsan; run_today ;;
esac
if [ -n "$only_build" ]; then
  [ "$failed" = 0 ]
  exit
fi
echo "$passed passed, $failed failed${interrupted:+, then interrupted}"
[ "$failed" = 0 ] || exit 1
[ -z "$interrupted" ] || exit 130
# These two have nothing to do in some worlds.
[ "$passed" -gt 0 ] || [ "$mode" = --world=today ] ||
  [ "$mode" = --grpcs-connections ]
