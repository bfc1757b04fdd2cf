#!/bin/bash
# Formatting of everything, clang-tidy of the SDK, shellcheck of the scripts, the
# BUILD files' deps, what only certain rooms may call or include
# (tests/support/check_calls.py), the tests that the fault table names
# (check_fault_table.py), and what README.md prints of other files
# (check_readme.py). On Debian 12 it installs what is missing; clang-tidy comes
# from PyPI: Debian's looks at all that system headers declare, which takes twice
# the time. Ends in a line "N passed, N failed", a file counting as one.
#
#   tests/lint.sh [--fix]     --fix formats instead of complaining
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
gen=$root/.build/lint/gen
stamp=$root/.build/lint.$$.tmp

# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"
# shellcheck source=tests/support/toolchains.sh
. "$root/tests/support/toolchains.sh"
# shellcheck source=tests/support/bazel.sh
. "$root/tests/support/bazel.sh"

cd "$root" || exit 1
# In a copy that is no repository all that is there counts.
if ! git rev-parse --git-dir >/dev/null 2>&1; then
  export GIT_DIR=$root/.build/lint/git GIT_WORK_TREE=$root
  mkdir -p .build/lint && git init --quiet && git add --all || exit 1
fi
# shellcheck disable=SC2086  # a list
install_missing $BUILD_PACKAGES $PYTHON_PACKAGES shellcheck

venv=$root/.build/lint/venv
format=$venv/bin/clang-format
find_python
make_venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check \
  clang-format==14.0.6 clang-tidy==23.1.4 || exit 1

mapfile -t sources < <(git ls-files '*.cc' '*.h')
if [ "${1:-}" = --fix ]; then
  exec "$format" -i "${sources[@]}"
fi

# The headers that Bazel would generate. As system headers: not ours to judge.
mkdir -p "$gen"
(cd proto && protoc --cpp_out="$gen" goplugin/wire/*.proto) || exit 1

flags=(-std=c++17 -Isdk -isystem "$gen" -DASIO_STANDALONE -DASIO_NO_EXCEPTIONS
  -Dasio=goplugin_asio)
log=$root/.build/lint/log
mapfile -t tidy < <(git ls-files 'sdk/*.cc')
failures=0

unformatted=$("$format" --dry-run "${sources[@]}" 2>&1 |
  sed -n 's/^\([^:]*\):.*\[-Wclang-format-violations\]$/\1/p' | sort -u)
for file in $unformatted; do
  echo "not formatted: $file (tests/lint.sh --fix)"
  failures=$((failures + 1))
done

# One line per bad file on descriptor 1, all complaints in the log.
: >"$log"
bad=$(printf '%s\n' "${tidy[@]}" | xargs -P "$(nproc)" -I{} bash -c '
  file=$1 log=$2 tidy=$3
  shift 3
  if ! text=$("$tidy" --quiet "$file" -- "$@" 2>/dev/null); then
    printf "%s\n" "$text" >>"$log"
    echo "$file"
  fi' _ {} "$log" "$venv/bin/clang-tidy" "${flags[@]}")
for file in $bad; do
  echo "clang-tidy complains: $file"
  failures=$((failures + 1))
done
[ ! -s "$log" ] || head -n 200 "$log"

# Started by this script, Bazel's server would have this one's policy, and all
# that is built and tested by it later.
mkdir -p .build
bazel_begin "$stamp"
trap 'bazel_end "$stamp"' EXIT
# A target that uses a header names its library, or a build against the Central
# Registry would not find it.
if ! python3 bazel/check_includes.py; then failures=$((failures + 1)); fi
# Paths are used by one room, and no slow call's header by the loop.
if ! python3 tests/support/check_calls.py --self-test ||
  ! python3 tests/support/check_calls.py; then
  failures=$((failures + 1))
fi
# The fault table names tests that exist.
if ! python3 tests/support/check_fault_table.py; then
  failures=$((failures + 1))
fi

mapfile -t shell < <(git ls-files '*.sh' .ci/run)
for file in "${shell[@]}"; do
  shellcheck --external-sources --severity=warning "$file" ||
    failures=$((failures + 1))
done

# README.md says what the headers and tests/consumer say.
if ! python3 tests/support/check_readme.py --self-test ||
  ! python3 tests/support/check_readme.py; then
  failures=$((failures + 1))
fi

echo "$((${#sources[@]} + ${#tidy[@]} + ${#shell[@]} - failures)) passed, $failures failed"
[ "$failures" = 0 ]
