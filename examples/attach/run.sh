#!/bin/sh
# Builds and runs the example: see README.md.
set -eu
cd "$(dirname "$0")/../.."
bazel build //examples/attach/...
built=bazel-bin/examples/attach
exec examples/attach/walk.sh "$built/server" "$built/attach" \
  examples/attach/make_certificates.sh
