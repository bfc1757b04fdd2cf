#!/bin/sh
# Builds the consumer and runs it with a plugin:
#
#   tests/consumer/run.sh /path/to/kv-plugin
set -eu

bazel=${BAZEL:-bazel}
kv=$(mktemp -d)
cd "$(dirname "$0")"
status=0
"$bazel" build --ui_event_filters=-info --show_result=0 \
  --show_progress_rate_limit=60 //:consumer || status=1
if [ "$status" = 0 ]; then
  consumer=$("$bazel" info bazel-bin 2>/dev/null)/consumer
  # The plugin keeps its values in the working directory.
  (cd "$kv" && "$consumer" "$1") || status=1
fi
"$bazel" shutdown || true
rm -rf "$kv"
exit "$status"
