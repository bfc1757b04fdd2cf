#!/bin/bash
# Compiles everything again, warnings being errors: with Clang, as C++20 and as
# C++23. Nothing is linked or run. In the root of today.sh:
#
#   tests/world/today.sh tests/world/compilers.sh [clang] [cxx20] [cxx23]
#
# Ends in a line "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1

# shellcheck source=tests/support/install.sh
. tests/support/install.sh
# shellcheck source=tests/support/bazel.sh
. tests/support/bazel.sh

[ $# -gt 0 ] || set -- clang cxx20 cxx23
stamp=.build/compilers.$$.tmp
mkdir -p .build
bazel_begin "$stamp"
trap 'bazel_end "$stamp"' EXIT

failed=0
for kind in "$@"; do
  case $kind in
    clang) flag=--repo_env=CC=clang ;;
    *) flag=--cxxopt=-std=c++${kind#cxx} ;;
  esac
  begin=$SECONDS
  result=PASSED
  # The suffix: an output tree of its own.
  "$BAZEL" build --keep_going --noshow_progress --show_result=0 \
    --output_groups=compilation_outputs "--platform_suffix=$kind" "$flag" \
    //... || { result=FAILED; failed=$((failed + 1)); }
  echo "$result  $kind, $((SECONDS - begin)) s"
done
echo "$(($# - failed)) passed, $failed failed"
[ "$failed" = 0 ]
