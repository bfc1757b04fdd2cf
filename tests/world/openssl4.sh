#!/bin/sh
# Compiles sdk/goplugin/internal/tls against OpenSSL 4, with no warnings. The
# gRPC of experimental is linked with OpenSSL 3, so that nothing is linked here.
# In the root of today.sh:
#
#   tests/world/today.sh tests/world/openssl4.sh
#
# Exit codes: 75 when there are no headers of OpenSSL 4 to be had.
set -u
cd "$(dirname "$0")/../.." || exit 1

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# Apt fetches as a user of its own.
chmod 755 "$place"
(cd "$place" && apt-get -qq download libssl-dev/experimental 2>log &&
  dpkg -x libssl-dev_4*.deb .) ||
  { echo "no OpenSSL 4 in experimental: $(tail -n 1 "$place/log")"; exit 75; }
include=$place/usr/include

failed=0
for file in sdk/goplugin/internal/tls/*.cc; do
  "${CXX:-g++}" -std=c++17 -fsyntax-only -Wall -Wextra -Werror -Isdk \
    -isystem "$include" -isystem "$include/$(dpkg-architecture -qDEB_HOST_MULTIARCH)" \
    "$file" || { echo "FAILED $file"; failed=1; }
done
[ "$failed" = 1 ] || echo "tls compiles against $(basename "$place"/*.deb)"
exit "$failed"
