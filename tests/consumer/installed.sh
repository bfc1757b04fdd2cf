#!/bin/sh
# Builds consumers against an installation (bazel run //:install -- PREFIX) and
# runs them with a plugin:
#
#   tests/consumer/installed.sh pkg-config|cmake|module PREFIX /path/to/kv-plugin
#
# Each in an empty folder, with the sources alone. All but the first use a copy
# of the installation, whose path has spaces: it can be moved.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

# The plugin keeps its values in the working directory.
run() {
  mkdir -p kv
  (cd kv && "$@")
}

pkg_config() {
  cp "$here/main.cc" "$here/kv.proto" "$here/installed/Makefile" .
  make consumer
  run ../consumer "$plugin"
  as_the_readme_says
  every_header
}

as_the_readme_says() {
  rm consumer kv.*.cc kv.*.h
  # shellcheck disable=SC2046  # as README.md has it
  protoc --cpp_out=. --grpc_out=. --plugin=protoc-gen-grpc=$(command -v grpc_cpp_plugin) kv.proto
  # shellcheck disable=SC2046
  g++ -std=c++17 -o consumer main.cc kv.pb.cc kv.grpc.pb.cc $(pkg-config --cflags --libs goplugin)
  run ../consumer "$plugin"
}

# What they include is installed, and nothing internal is.
every_header() {
  (cd "$prefix/include" && find goplugin -name '*.h') | sort >headers
  ! grep /internal/ headers || exit 1
  sed 's/.*/#include "&"/' headers >headers.cc
  eval "${CXX:-g++} -std=c++17 -fsyntax-only headers.cc \
    $(pkg-config --cflags goplugin-testing)"
  # Those that users begin with say so when the language is too old.
  for header in client.h error.h log_sink.h logger.h server.h; do
    echo "#include \"goplugin/$header\"" >old.cc
    { eval "${CXX:-g++} -std=c++14 -fsyntax-only old.cc \
      $(pkg-config --cflags goplugin-testing)" 2>&1 || true; } |
      grep -q 'needs C++17' || { echo "does not say so: $header" >&2; exit 1; }
  done
}

cmake_package() {
  cp "$here/main.cc" "$here/plugin.cc" "$here/kv.proto" \
    "$here"/installed/*.cc "$here/installed/CMakeLists.txt" .
  cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix"
  cmake --build build
  run ../build/consumer "$plugin"
  run ../build/consumer ../build/plugin
  (cd build && ctest --output-on-failure)
}

module() {
  cp "$here"/module/* "$here/kv.proto" .
  make
  keeps_to_itself
  for host in host host-exports; do
    for module in hidden default; do
      for scope in local global; do
        for end in shutdown leave; do
          echo "$host, module-$module.so, $scope, $end"
          run "../$host" "$plugin" "../module-$module.so" "$scope" "$end"
          no_plugin_left
        done
      done
    done
  done
}

# Of the SDK's own symbols, and of its Asio's, what embeds it exports none,
# whatever its flags are. Templates of the standard library with their types are
# the same in both.
keeps_to_itself() {
  ! nm -DC --defined-only module-default.so host-exports |
    grep -E ' [TDBR] goplugin::| [A-Z] goplugin_asio::' || exit 1
}

no_plugin_left() {
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/exe")" != "$plugin" ] || {
      echo "still runs: $process" >&2
      exit 1
    }
  done
}

[ $# = 3 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$(cd "$2" && pwd)
if [ "$1" != pkg-config ]; then
  cp -a "$prefix" "$folder/moved to here"
  prefix="$folder/moved to here"
fi
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
# A copy, to know its processes by.
cp "$3" "$folder/plugin-under-test"
cd "$folder"
plugin=$folder/plugin-under-test
case $1 in
  pkg-config) pkg_config ;;
  cmake) cmake_package ;;
  module) module ;;
  *) exit 2 ;;
esac
