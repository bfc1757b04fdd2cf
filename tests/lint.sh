#!/bin/bash
# Formatting of everything, clang-tidy of the SDK, the BUILD files' deps, and
# what only certain rooms may call or include (tests/support/check_calls.py). On
# Debian 12 it installs what is missing. Ends in a line "N passed, N failed", a
# file counting as one.
#
#   tests/lint.sh [--fix]     --fix formats instead of complaining
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
gen=$root/.build/lint/gen

# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"

cd "$root" || exit 1
# shellcheck disable=SC2086  # a list
install_missing $BUILD_PACKAGES $CHECK_PACKAGES python3

mapfile -t sources < <(git ls-files '*.cc' '*.h')
if [ "${1:-}" = --fix ]; then
  exec clang-format -i "${sources[@]}"
fi

# The headers that Bazel would generate. As system headers: not ours to judge.
mkdir -p "$gen"
(cd proto && protoc --cpp_out="$gen" goplugin/wire/*.proto) || exit 1

flags=(-std=c++17 -Isdk -isystem "$gen" -DASIO_STANDALONE -DASIO_NO_EXCEPTIONS
  -Dasio=goplugin_asio)
log=$root/.build/lint/log
mapfile -t tidy < <(git ls-files 'sdk/*.cc')
failures=0

unformatted=$(clang-format --dry-run "${sources[@]}" 2>&1 |
  sed -n 's/^\([^:]*\):.*\[-Wclang-format-violations\]$/\1/p' | sort -u)
for file in $unformatted; do
  echo "not formatted: $file (tests/lint.sh --fix)"
  failures=$((failures + 1))
done

# One line per bad file on descriptor 1, all complaints in the log.
: >"$log"
bad=$(printf '%s\n' "${tidy[@]}" | xargs -P "$(nproc)" -I{} bash -c '
  file=$1 log=$2
  shift 2
  if ! text=$(clang-tidy --quiet "$file" -- "$@" 2>/dev/null); then
    printf "%s\n" "$text" >>"$log"
    echo "$file"
  fi' _ {} "$log" "${flags[@]}")
for file in $bad; do
  echo "clang-tidy complains: $file"
  failures=$((failures + 1))
done
[ ! -s "$log" ] || head -n 200 "$log"

# A target that uses a header names its library, or a build against the Central
# Registry would not find it.
if ! python3 bazel/check_includes.py; then failures=$((failures + 1)); fi
# Paths are used by one room, and no slow call's header by the loop.
if ! python3 tests/support/check_calls.py --self-test ||
  ! python3 tests/support/check_calls.py; then
  failures=$((failures + 1))
fi

echo "$((${#sources[@]} + ${#tidy[@]} - failures)) passed, $failures failed"
[ "$failures" = 0 ]
