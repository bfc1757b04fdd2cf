#!/bin/sh
# Builds the consumer's host, plugin and test, and runs them:
#
#   tests/consumer/run.sh /path/to/kv-plugin
set -eu

bazel=${BAZEL:-bazel}
kv=$(mktemp -d)
cd "$(dirname "$0")"
status=0
"$bazel" build --ui_event_filters=-info --show_result=0 \
  --show_progress_rate_limit=60 //:all || status=1
if [ "$status" = 0 ]; then
  bin=$("$bazel" info bazel-bin 2>/dev/null)
  # The plugin keeps its values in the working directory.
  (cd "$kv" && "$bin/consumer" "$1" && "$bin/consumer" "$bin/plugin") || status=1
  "$bazel" test --ui_event_filters=-info --test_output=errors \
    --show_progress_rate_limit=60 //:host_test || status=1
fi
"$bazel" shutdown || true
rm -rf "$kv"
exit "$status"
