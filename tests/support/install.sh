# shellcheck shell=sh
# Installs missing Debian packages, for the scripts that promise to work on a
# fresh machine. To be sourced:
#
#   . tests/support/install.sh
#   install_missing $BUILD_PACKAGES
#
# Asks nothing, says what it installs before it does, and does nothing when all
# is there. Functions end the script with exit code 1 when they can't.
#
# BAZEL: another Bazel than the one on PATH. With Bazel 8 or newer the Central
# Registry brings the libraries, and no package for them is wanted.

# shellcheck disable=SC2034  # read by the scripts that source this
{
  BAZEL=${BAZEL:-bazel}

  # Building the SDK and the examples.
  BUILD_PACKAGES="g++ libabsl-dev libasio-dev libgrpc++-dev libprotobuf-dev
    libprotoc-dev libsimdjson-dev libssl-dev pkg-config protobuf-compiler
    protobuf-compiler-grpc"
  # Python's plugin; Go itself, where Debian's is too old (see toolchains.sh).
  PYTHON_PACKAGES="ca-certificates python3 python3-venv"
  # The plugin in Rust, where there is no cargo (see toolchains.sh).
  RUST_PACKAGES="cargo-web"
  # Building and running the tests and benchmarks.
  TEST_PACKAGES="$BUILD_PACKAGES $PYTHON_PACKAGES bubblewrap cmake
    libbenchmark-dev libgmock-dev libgtest-dev make prometheus-cpp-dev strace"
  # Fuzzing.
  FUZZ_PACKAGES="clang libclang-rt-dev"
}

_install_fail() {
  echo "error: $*" >&2
  exit 1
}

# Prints those of the packages $@ that are not installed.
_install_list_missing() {
  for _package in "$@"; do
    # shellcheck disable=SC2016  # dpkg-query's own variable
    case $(dpkg-query -W -f=' ${db:Status-Status} ' "$_package" 2>/dev/null) in
      *" installed "*) ;;
      *) echo "$_package" ;;
    esac
  done
}

# Runs apt-get as root, with no questions and a wait for other apt runs. Shows
# its many words only when it fails.
_install_apt() {
  if [ "$(id -u)" = 0 ]; then
    set -- env DEBIAN_FRONTEND=noninteractive apt-get "$@"
  elif [ -t 0 ]; then
    set -- sudo env DEBIAN_FRONTEND=noninteractive apt-get "$@"
  else
    set -- sudo -n env DEBIAN_FRONTEND=noninteractive apt-get "$@"
  fi
  _log=$(mktemp) || return 1
  if "$@" -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    </dev/null >"$_log" 2>&1; then
    rm -f "$_log"
  else
    tail -n 40 "$_log" >&2
    rm -f "$_log"
    return 1
  fi
}

_install_check_means() {
  command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    _install_fail "can't install what is missing: no apt-get here. This script" \
      "knows Debian 12; elsewhere install by hand what provides: $*"
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    _install_fail "can't install what is missing: neither root nor sudo." \
      "As root run: apt-get install $*"
}

# install_missing PACKAGE...: makes sure that all are installed.
install_missing() {
  if command -v dpkg-query >/dev/null; then
    # shellcheck disable=SC2046  # one word per package
    set -- $(_install_list_missing "$@")
  fi
  [ $# -gt 0 ] || return 0
  _install_check_means "$@"
  echo "Installing Debian packages, which may take minutes:" "$@" >&2
  # An apt source that can't be reached may be one that nothing here needs.
  _install_apt update || echo "warning: apt-get update failed, trying on" >&2
  _install_apt install -y --no-install-recommends "$@" ||
    _install_fail "apt-get could not install:" "$@"
  echo "Installed." >&2
}

# The first number of Bazel's version; nothing when there is no Bazel.
bazel_major() {
  command -v "$BAZEL" >/dev/null || return 0
  case $(cd / && "$BAZEL" --version 2>/dev/null) in
    "bazel no_version") echo 4 ;; # so says Debian's
    "bazel "[0-9]*) "$BAZEL" --version | sed 's/^bazel \([0-9]*\).*/\1/' ;;
    *) _install_fail "\"$BAZEL --version\" does not say which Bazel it is" ;;
  esac
}

# Whether the Central Registry brings what the package $1 is for.
_install_is_in_registry() {
  case $1 in
    libclang-*) return 1 ;;
    lib* | pkg-config | prometheus-cpp-dev | protobuf-*) return 0 ;;
    *) return 1 ;;
  esac
}

# install_for_bazel PACKAGE...: makes sure that there is a Bazel, and all these
# packages as far as it needs them.
install_for_bazel() {
  _major=$(bazel_major) || exit 1
  if [ -z "$_major" ]; then
    [ "$BAZEL" = bazel ] || _install_fail "BAZEL: can't run \"$BAZEL\""
    install_missing bazel-bootstrap "$@"
  elif [ "$_major" -lt 8 ]; then
    install_missing "$@"
  elif command -v apt-get >/dev/null; then
    for _package in "$@"; do
      shift
      _install_is_in_registry "$_package" || set -- "$@" "$_package"
    done
    install_missing "$@"
  fi
}
