#!/bin/sh
# Compiles examples/metrics/opentelemetry_telemetry.h against Debian's
# opentelemetry-cpp, with no warnings. That package wants another gRPC than
# today's, so that its headers alone are fetched and nothing is linked. In the
# root of today.sh:
#
#   tests/world/today.sh tests/world/opentelemetry.sh
#
# Exit codes: 75 when the headers can't be had.
set -u
cd "$(dirname "$0")/../.." || exit 1

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# Apt fetches as a user of its own.
chmod 755 "$place"
(cd "$place" && apt-get -qq download opentelemetry-cpp-dev 2>log &&
  dpkg -x opentelemetry-cpp-dev_*.deb .) ||
  { echo "no opentelemetry-cpp: $(tail -n 1 "$place/log")"; exit 75; }

"${CXX:-g++}" -std=c++17 -fsyntax-only -Wall -Wextra -Werror -Isdk -I. \
  -isystem "$place/usr/include" examples/metrics/opentelemetry_telemetry.cc ||
  exit 1
echo "opentelemetry_telemetry.h compiles with $(basename "$place"/*.deb)"
