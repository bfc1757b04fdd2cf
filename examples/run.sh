#!/bin/bash
# Builds the example host and a plugin, and runs them. On Debian 12 it installs
# what is missing.
#
#   examples/run.sh [--plugin=WHICH] [--tls=MODE] [ACTION] [-- ARGUMENT...]
#   examples/run.sh [--plugin=WHICH] --supervised
#
#   --plugin=cpp      the plugin in examples/plugin_cpp (default)
#   --plugin=go       the one in examples/plugin_go; brings Go if need be
#   --plugin=python   the one in examples/plugin_python; brings what it imports
#   --plugin=PATH     any other program, by a path with a slash
#   -- ARGUMENT...    the plugin's arguments
#   --tls=MODE        auto (default), if-offered or insecure
#
# ACTION
#   put KEY VALUE     stores a value
#   get KEY           fetches it
#   none of them      both, as a demonstration
#
#   --supervised      another host (examples/supervised), which calls its plugin
#                     ten times a second: that is killed (kill -9) in the middle
#                     of it and upgraded, and no call fails
#
# Values are kept in .build/kv. Exit codes: 0 done, 1 failed, 2 wrong usage.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
start=$(pwd)
out=$root/.build
stamp=$out/run.$$.tmp
built=$out/examples-built

# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"
# shellcheck source=tests/support/bazel.sh
. "$root/tests/support/bazel.sh"
# shellcheck source=tests/support/toolchains.sh
. "$root/tests/support/toolchains.sh"

usage() {
  sed -n '2,/^set/s/^# \{0,1\}//p' "$root/examples/run.sh"
}

# parse ARGUMENT...: sets which to the plugin asked for, and host_arguments to
# all the rest. What follows put and get is theirs, whatever it looks like.
parse() {
  which=cpp
  supervised=
  host_arguments=()
  local words
  while [[ $# -gt 0 ]]; do
    words=1
    case $1 in
      --help | -h)
        usage
        exit
        ;;
      --plugin=*) which=${1#*=} ;;
      --plugin) which=${2-} words=2 ;;
      --supervised) supervised=yes ;;
      --) words=$# ;;
      put) words=3 ;;
      get | --tls) words=2 ;;
    esac
    [[ $1 == --plugin* || $1 == --supervised ]] || host_arguments+=("${@:1:words}")
    shift $((words < $# ? words : $#))
  done
  if [[ $supervised && ${#host_arguments[@]} -gt 0 ]]; then
    echo "run.sh: --supervised takes nothing but --plugin" >&2
    exit 2
  fi
}

# Sets plugin to the program, and makes it ready unless Bazel builds it.
prepare_plugin() {
  case $which in
    cpp) plugin= ;;
    go) prepare_go ;;
    python) prepare_python ;;
    /*) plugin=$which ;;
    */*) plugin=$start/$which ;;
    *)
      echo "run.sh: --plugin=$which is neither cpp, go, python nor a path" >&2
      exit 2
      ;;
  esac
}

# Go and Python's modules are shared with tests/run.sh, which has them in the
# same place.
prepare_go() {
  # shellcheck disable=SC2086  # a list
  have_go "$out/peers/go-venv" || have_python ||
    install_missing $PYTHON_PACKAGES
  find_go "$out/peers/go-venv"
  (cd "$root/examples/plugin_go" && GOTOOLCHAIN=local GOFLAGS='' GOWORK=off \
    "$go" build -buildvcs=false -o "$out/plugin_go" .)
  plugin=$out/plugin_go
}

prepare_python() {
  # shellcheck disable=SC2086  # a list
  have_python || install_missing $PYTHON_PACKAGES
  find_python
  # Read by the script that is the plugin.
  export KV_PYTHON_VENV="$out/peers/venv"
  PYTHON=$python "$root/examples/plugin_python/setup.sh" "$KV_PYTHON_VENV"
  plugin=$root/examples/plugin_python/kv-plugin
}

# Whether the last build is of the files that are here now, and of the libraries
# that are installed. Bazel would find that out, too, in half a minute.
is_built() {
  bin=$(cat "$built" 2>/dev/null) && [[ -x $bin/examples/host/host ]] &&
    [[ -x $bin/examples/supervised/supervised ]] &&
    [[ -x $bin/examples/plugin_cpp/plugin_cpp ]] || return 1
  local status=/var/lib/dpkg/status changed
  [[ -e $status ]] || status=
  changed=$(find .bazelrc BUILD.bazel MODULE.bazel WORKSPACE bazel examples \
    proto sdk ${status:+"$status"} -newer "$built" -print -quit) || return 1
  [[ -z $changed ]]
}

# Builds with Bazel. Sets bin, where the programs are.
build() {
  if is_built; then return; fi
  echo "Building with Bazel (the first time takes minutes)" >&2
  bazel_begin "$stamp"
  trap 'bazel_end "$stamp"' EXIT
  # Without a terminal no progress bar, but a sign of life.
  local pace=30
  if [[ -t 2 ]]; then pace=0.2; fi
  "$BAZEL" build --ui_event_filters=-info --show_result=0 \
    --noshow_loading_progress --show_progress_rate_limit="$pace" \
    //examples/host //examples/plugin_cpp //examples/supervised
  bin=$("$BAZEL" info bazel-bin 2>/dev/null)
  # As old as the start of the build: what was changed meanwhile counts.
  echo "$bin" >"$built"
  touch -r "$stamp" "$built"
  bazel_end "$stamp"
}

# A plugin that dies and is upgraded, while it is called.
run_supervised() {
  {
    sleep 1
    echo kill
    sleep 1
    echo "upgrade $1"
    sleep 1
  } | "$bin/examples/supervised/supervised" "$1"
}

parse "$@"
mkdir -p "$out/kv"
cd "$root"
# shellcheck disable=SC2086  # a list
install_for_bazel $BUILD_PACKAGES
prepare_plugin
build
cd "$out/kv"
plugin=${plugin:-$bin/examples/plugin_cpp/plugin_cpp}
if [[ $supervised ]]; then
  run_supervised "$plugin"
else
  "$bin/examples/host/host" --plugin "$plugin" "${host_arguments[@]}"
fi
