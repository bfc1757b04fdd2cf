#!/bin/sh
# Builds the example host and a plugin, and runs them. On Debian 12 it installs
# what is missing.
#
#   examples/run.sh [--plugin=WHICH] [HOST'S ARGUMENTS]
#
#   --plugin=cpp      the plugin in examples/plugin_cpp (default)
#   --plugin=go       the one in examples/plugin_go; brings Go if need be
#   --plugin=python   the one in examples/plugin_python; brings what it imports
#   --plugin=PATH     any other program
#
# The host's arguments, for example:
#   --tls insecure    no TLS
#   put KEY VALUE     stores a value
#   get KEY           fetches it
#   --help            lists them all
#
# Values are kept in .build/kv; what is built without Bazel is in .build, too.
# Exit codes: the host's, 0 done, 1 failed, 2 wrong usage.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
start=$(pwd)
out=$root/.build
stamp=$out/run-$$.tmp

# shellcheck source=tests/support/install.sh
. "$root/tests/support/install.sh"
# shellcheck source=tests/support/bazel.sh
. "$root/tests/support/bazel.sh"
# shellcheck source=tests/support/toolchains.sh
. "$root/tests/support/toolchains.sh"

# build TARGET...: with Bazel. Sets bin, where the programs are.
build() {
  # Without a terminal no progress bar, but a sign of life.
  if [ -t 2 ]; then pace=0.2; else pace=30; fi
  "$BAZEL" build --ui_event_filters=-info --show_result=0 \
    --noshow_loading_progress --show_progress_rate_limit="$pace" "$@"
  bin=$("$BAZEL" info bazel-bin 2>/dev/null)
}

# Sets plugin to the program for the name $1, building it if it is one of ours.
get_plugin() {
  case $1 in
    cpp) plugin=$bin/examples/plugin_cpp/plugin_cpp ;;
    go) get_go_plugin ;;
    python) get_python_plugin ;;
    */*) plugin=$1 ;;
    *)
      echo "run.sh: --plugin is cpp, go, python or a PATH with a slash," \
        "not \"$1\"" >&2
      exit 2
      ;;
  esac
  case $plugin in
    /*) ;;
    *) plugin=$start/$plugin ;;
  esac
}

get_go_plugin() {
  has_go "$out/go-venv" || has_python ||
    install_missing $PYTHON_PACKAGES
  find_go "$out/go-venv"
  (cd "$root/examples/plugin_go" && GOTOOLCHAIN=local GOFLAGS='' GOWORK=off \
    "$go" build -buildvcs=false -o "$out/plugin_go" .)
  plugin=$out/plugin_go
}

get_python_plugin() {
  has_python || install_missing $PYTHON_PACKAGES
  find_python
  PYTHON=$python "$root/examples/plugin_python/setup.sh" "$out/python-venv"
  # Read by the script that starts the plugin.
  export KV_PYTHON_VENV="$out/python-venv"
  plugin=$root/examples/plugin_python/kv-plugin
}

usage() {
  sed -n '2,/^$/s/^# \{0,1\}//p' "$root/examples/run.sh" | sed '/^set -eu/,$d'
  echo
}
