#!/bin/sh
# Installs go-plugin-cpp for users without Bazel:
#
#   bazel run //:install -- PREFIX
#
# PREFIX is a directory, made if it is missing; relative to where Bazel was
# started. The files may be moved later, all together.
set -eu

usage() {
  echo "usage: bazel run //:install -- PREFIX"
}

fail() {
  echo "error: $*" >&2
  exit 1
}

# Each line: a file of the build, and where it goes below PREFIX.
files() {
  cat <<'END'
@FILES@
END
}

# For sed: which of pkg-config's packages a library needs.
packages() {
  cat <<'END'
@PACKAGES@
END
}

# The objects fit the libraries that they were compiled with. Those that Bazel
# builds itself, from the Central Registry, nobody else has.
check_libraries() {
  ! packages | grep -q 's/@goplugin_packages@//' ||
    fail "built with the Bazel Central Registry's libraries, which only Bazel" \
      "can link. An installation needs the system's: bazel/system/README.md"
}

# Headers and CMake files that an older version had must not stay.
remove_old() {
  rm -rf "$1/include/goplugin" "$1/lib/cmake/goplugin"
}

copy() {
  case $2 in
    *.pc | *.cmake) sed -e "s/@version@/$version/" -e "$(packages)" "$1" >"$2" ;;
    *) cp "$1" "$2" ;;
  esac
}

mode() {
  case $1 in
    */libexec/goplugin/*) echo 755 ;;
    *) echo 644 ;;
  esac
}

# install_file SOURCE DESTINATION: replaced, not overwritten, so that a program
# that runs goes on.
install_file() {
  mkdir -p "${2%/*}" && rm -f "$2" && copy "$1" "$2" && chmod "$(mode "$2")" "$2"
}

case ${1-} in
  -h | --help) usage; exit ;;
  "" | -*) usage >&2; exit 2 ;;
esac
[ $# = 1 ] || { usage >&2; exit 2; }
check_libraries

# Here are the files; that is where Bazel was started.
started_in=${BUILD_WORKING_DIRECTORY:?it is for \"bazel run\"}
case $1 in
  /*) prefix=$1 ;;
  *) prefix=$started_in/$1 ;;
esac
mkdir -p "$prefix" && [ -w "$prefix" ] || fail "can't write to $prefix"
prefix=$(cd "$prefix" && pwd)
# The first version in the file is the module's own.
version=$(sed -n 's/^ *version = "\(.*\)",$/\1/p' "@MODULE@" | head -n 1)

remove_old "$prefix"
files | while read -r source destination; do
  install_file "$source" "$prefix/$destination" ||
    fail "can't install $prefix/$destination"
done
echo "Installed go-plugin-cpp $version in $prefix"
