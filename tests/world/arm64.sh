#!/bin/bash
# The tests that start no process and need no gRPC, as arm64 programs: cross
# compiled with Debian 12's libraries, run under qemu-user. In a root of its own,
# made in .build/arm64 (ARM64: elsewhere) in about two minutes.
#
#   tests/world/arm64.sh
#
# Takes root, debootstrap and a Debian mirror. Exit codes: the tests'; 75 when the
# root can't be had.
set -u

# shellcheck source=tests/world/root.sh
. "$(dirname "$0")/root.sh"

install_libraries() {
  within dpkg --add-architecture arm64 && apt update &&
    apt install -y --no-install-recommends crossbuild-essential-arm64 \
      qemu-user protobuf-compiler pkg-config libabsl-dev:arm64 \
      libgmock-dev:arm64 libgtest-dev:arm64 libprotobuf-dev:arm64 \
      libsimdjson-dev:arm64 libssl-dev:arm64
}

# shellcheck disable=SC2016  # the root's own shell
build_and_run='
set -eu
cd /project
out=/out
mkdir -p $out/gen
protoc -I proto --cpp_out=$out/gen proto/goplugin/wire/error_details.proto

# What these tests stand on: all that needs no gRPC and no event loop.
sources="sdk/goplugin/endpoint.cc sdk/goplugin/error.cc
  sdk/goplugin/exit_status.cc sdk/goplugin/log_sink.cc sdk/goplugin/logger.cc
  $(ls sdk/goplugin/internal/{error,handshake,log,net,text,tls}/*.cc |
    grep -v tls/credentials)
  $out/gen/goplugin/wire/error_details.pb.cc"
tests="$(ls tests/unit/{error,handshake,log,text}/*_test.cc)
  tests/unit/tls/test_certificates.cc
  $(ls tests/unit/tls/{certificate,key_pair_stock,manual_tls,peer_certificate}_test.cc)"

object() { echo "$out/$(echo "$1" | tr / _).o"; }
compile() {
  aarch64-linux-gnu-g++ -std=c++17 -O0 -Wall -Wextra -Werror -fno-exceptions \
    -Isdk -I. -isystem $out/gen -c "$1" -o "$(object "$1")"
}
export -f object compile
export out
echo $sources $tests | tr " " "\n" | xargs -P2 -I{} bash -c "compile {} || exit 255"

rm -f $out/sdk.a
aarch64-linux-gnu-ar rc $out/sdk.a $(for file in $sources; do object "$file"; done)
export PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig
aarch64-linux-gnu-g++ $(for file in $tests; do object "$file"; done) $out/sdk.a \
  $(pkg-config --libs gmock_main protobuf libssl libcrypto simdjson \
    absl_bind_front absl_cord absl_flat_hash_map absl_status absl_statusor \
    absl_str_format absl_strings absl_synchronization absl_time) \
  -o $out/tests
qemu-aarch64 $out/tests --gtest_brief=1'

use_root "${ARM64:-$checkout/.build/arm64}" "arm64 programs"
recipe=$(declare -f install_libraries)
root_is_made "$recipe" || make_root bookworm install_libraries "$recipe"
refresh_root
rm -rf "$root/out"
within bash -c "$build_and_run"
