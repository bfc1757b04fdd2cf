#!/bin/sh
echo "bazel coverage needs the Bazel Central Registry build" >&2
exit 1
