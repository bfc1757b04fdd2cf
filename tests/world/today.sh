#!/bin/bash
# Today's libraries: Debian sid, with the gRPC and Protobuf of experimental, as
# a root of its own beside this machine's. Runs a command there, in a copy of
# the checkout.
#
#   tests/world/today.sh COMMAND...      e.g. tests/world/today.sh tests/run.sh
#
# The first run makes the root, in about three minutes; it is kept in .build/today
# (TODAY: elsewhere) until it is older than a week, or other packages are wanted.
# Takes root, debootstrap and a Debian mirror. Nothing of it can be seen from
# outside, its mounts included.
#
# Exit codes: the command's; 75 when the root can't be had today, after one line
# that says why.
set -u

# Bazel's own libraries, see keep_bazel.
kept=/opt/bazel

# shellcheck source=tests/world/root.sh
. "$(dirname "$0")/root.sh"

# Debian's Bazel needs a gRPC that can't be installed beside the new one: its
# files and libraries are put aside, and back when the new one is there.
# shellcheck disable=SC2016  # the root's own shell
keep_bazel='
set -e
mkdir -p KEPT/lib
ldd /usr/bin/bazel | awk "/=>/ {print \$3}" |
  grep -vE "/(libc|libm|libpthread|ld-|libstdc\+\+|libgcc)" |
  xargs -I{} cp -L {} KEPT/lib/
tar -C / -cf KEPT/files.tar usr/bin/bazel usr/share/bazel \
  $(cd / && ls -d usr/libexec/*/bazel usr/lib/*/bazel)'
# shellcheck disable=SC2016
restore_bazel='
set -e
tar -C / -xf KEPT/files.tar
rm KEPT/files.tar
mv /usr/bin/bazel KEPT/bazel
cat >/usr/bin/bazel <<"END"
#!/bin/bash
LD_LIBRARY_PATH=KEPT/lib exec -a /usr/bin/bazel KEPT/bazel \
  --install_base=/usr/share/bazel --trust_install_base "$@"
END
chmod +x /usr/bin/bazel
# It names modules that are not in our graph.
rm -f /etc/bazel/bazelrc /etc/bazel.bazelrc
cat >/root/.bazelrc <<"END"
common --registry=file:///nonexistent
common --override_module=platforms=/usr/share/bazel/tools/platforms
common --override_module=bazel_skylib=/usr/share/bazel/tools/skylib
common --override_module=rules_license=/usr/share/bazel/rules/license
common --override_module=rules_python=/usr/share/bazel/rules/python
common --config=system
END'

install_libraries() {
  local packages grpc="libgrpc++-dev protobuf-compiler-grpc protobuf-compiler
    libprotobuf-dev libprotoc-dev"
  packages=$(world_packages)
  printf '%s\n' "Types: deb" "URIs: $(mirror)" "Suites: experimental" \
    "Components: main" \
    "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" \
    >"$root/etc/apt/sources.list.d/experimental.sources"
  # The gRPC of experimental is built with sid's Abseil and OpenSSL.
  # shellcheck disable=SC2086  # lists
  apt update &&
    apt install -y --no-install-recommends bazel-bootstrap $packages &&
    within bash -c "${keep_bazel//KEPT/$kept}" &&
    apt install -y --no-install-recommends -t experimental $grpc &&
    apt install -y --no-install-recommends --allow-downgrades \
      libabsl-dev/sid libssl-dev/sid &&
    within bash -c "${restore_bazel//KEPT/$kept}"
}

# The packages of install.sh that exist in sid, less what experimental brings.
world_packages() {
  local package
  for package in $TEST_PACKAGES $FUZZ_PACKAGES cargo file git golang-go; do
    case $package in
      libgrpc* | protobuf-compiler* | libprotobuf-dev | libprotoc-dev) ;;
      *) echo "$package" ;;
    esac
  done
}

say_versions() {
  # shellcheck disable=SC2016  # dpkg-query's own variables
  within dpkg-query -W -f='${Package} ${Version}\n' libgrpc++-dev \
    libprotobuf-dev libabsl-dev libssl-dev libasio-dev libsimdjson-dev \
    libgtest-dev bazel-bootstrap g++ clang 2>/dev/null | paste -sd, | sed 's/,/, /g'
}

[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
use_root "${TODAY:-$checkout/.build/today}" "today's libraries"
[ -z "$(find "$place/made" -mtime +6 2>/dev/null)" ] || rm "$place/made"
recipe=$(declare -f install_libraries && echo "$keep_bazel$restore_bazel" &&
  world_packages)
root_is_made "$recipe" || make_root sid install_libraries "$recipe"
refresh_root
echo "Today's libraries: $(say_versions)"
within bash -c 'cd /project && exec "$@"' _ "$@"
