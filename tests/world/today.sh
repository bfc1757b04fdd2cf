#!/bin/bash
# Today's libraries: Debian sid, with the gRPC and Protobuf of experimental, as
# a root of its own beside this machine's. Runs a command there, in a copy of
# the checkout.
#
#   tests/world/today.sh COMMAND...      e.g. tests/world/today.sh tests/run.sh
#
# The first run makes the root, in about three minutes; it is kept in .build/today
# (TODAY: elsewhere) until it is older than a week. Takes root, debootstrap and
# a Debian mirror. Nothing of it can be seen from outside, its mounts included.
#
# Exit codes: the command's; 75 when the root can't be had today, after one line
# that says why.
set -u

checkout=$(cd "$(dirname "$0")/../.." && pwd)
today=${TODAY:-$checkout/.build/today}
root=$today/root
log=$today/log
# Bazel's own libraries, see keep_bazel.
kept=/opt/bazel

# shellcheck source=tests/support/install.sh
. "$checkout/tests/support/install.sh"

skip() {
  echo "tests/world/today.sh: no root with today's libraries: $*" >&2
  exit 75
}

# The mirror that this machine uses.
mirror() {
  grep -rhoE '^(URIs:|deb) .*' /etc/apt/sources.list.d/*.sources \
    /etc/apt/sources.list 2>/dev/null | grep -oE 'https?://[^ ]+' | head -n 1
}

# within COMMAND...: in the root, with what every process expects to find. The
# mounts end with the command.
within() {
  # A mount point, or "/" would be none there, and couldn't be made private.
  GOPROXY=$(go env GOPROXY 2>/dev/null) \
    unshare --mount --propagation private bash -c '
    root=$1 && shift
    mount --rbind "$root" "$root" || exit 75
    for place in proc sys dev dev/pts dev/shm; do
      mount --rbind "/$place" "$root/$place" || exit 75
    done
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp" || exit 75
    cd "$root" && pivot_root . mnt || exit 75
    exec env -i HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      GOPROXY="${GOPROXY:-}" GOPLUGIN_REQUIRE_PEERS="${GOPLUGIN_REQUIRE_PEERS:-}" \
      chroot . bash -c "umount -l /mnt && exec \"\$@\"" _ "$@"' _ "$root" "$@"
}

apt() {
  within apt-get -qq -o Dpkg::Use-Pty=0 "$@"
}

# What a registry needs here (certificates, mirrors, clients' settings) is the
# machine's.
take_settings() {
  mkdir -p "$root/etc/ssl" &&
    cp -r /etc/ssl/certs "$root/etc/ssl/" &&
    cp /etc/resolv.conf /etc/hosts "$root/etc/" || return 1
  cp -a /etc/apt/apt.conf.d/99* "$root/etc/apt/apt.conf.d/" 2>/dev/null
  [ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$root/etc/"
}

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
build --config=system
END'

install_libraries() {
  local grpc="libgrpc++-dev protobuf-compiler-grpc protobuf-compiler
    libprotobuf-dev libprotoc-dev"
  # The gRPC of experimental is built with sid's Abseil and OpenSSL.
  # shellcheck disable=SC2086  # lists
  apt update &&
    apt install -y --no-install-recommends bazel-bootstrap $WORLD_PACKAGES &&
    within bash -c "${keep_bazel//KEPT/$kept}" &&
    apt install -y --no-install-recommends -t experimental $grpc &&
    apt install -y --no-install-recommends --allow-downgrades \
      libabsl-dev/sid libssl-dev/sid &&
    within bash -c "${restore_bazel//KEPT/$kept}"
}

# The packages of install.sh that exist in sid, less what experimental brings.
world_packages() {
  local package
  for package in $TEST_PACKAGES $CHECK_PACKAGES git golang-go file; do
    case $package in
      libgrpc* | protobuf-compiler* | libprotobuf-dev | libprotoc-dev) ;;
      *) echo "$package" ;;
    esac
  done
}

make_root() {
  local url
  [ "$(id -u)" = 0 ] || skip "only root can make one"
  url=$(mirror)
  [ -n "$url" ] || skip "no Debian mirror in /etc/apt"
  command -v debootstrap >/dev/null || (install_missing debootstrap) ||
    skip "debootstrap can't be installed"
  echo "Making a root with today's libraries in $root: about three minutes." >&2
  rm -rf "$root"
  mkdir -p "$root" || skip "can't make $root"
  debootstrap --variant=minbase --include=git,ca-certificates sid "$root" \
    "$url" >"$log" 2>&1 || skip "debootstrap failed, see $log"
  printf '%s\n' "Types: deb" "URIs: $url" "Suites: experimental" \
    "Components: main" \
    "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" \
    >"$root/etc/apt/sources.list.d/experimental.sources"
  WORLD_PACKAGES=$(world_packages)
  { take_settings && install_libraries; } >>"$log" 2>&1 ||
    skip "$(tail -n 1 "$log") (more in $log)"
  touch "$today/made"
}

say_versions() {
  # shellcheck disable=SC2016  # dpkg-query's own variables
  within dpkg-query -W -f='${Package} ${Version}\n' libgrpc++-dev \
    libprotobuf-dev libabsl-dev libssl-dev libasio-dev libsimdjson-dev \
    libgtest-dev bazel-bootstrap g++ clang 2>/dev/null | paste -sd, | sed 's/,/, /g'
}

# The files that git knows, with what is not committed yet; what Bazel has built
# in the root stays.
copy_checkout() {
  local project=$root/project
  mkdir -p "$project"
  find "$project" -mindepth 1 -maxdepth 1 ! -name '.build' ! -name 'bazel-*' \
    -exec rm -rf {} +
  (cd "$checkout" && git ls-files -z --cached --others --exclude-standard |
    tar --null --no-recursion --ignore-failed-read -T - -cf - 2>/dev/null) |
    tar -C "$project" -xf -
}

[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0"; exit 2; }
mkdir -p "$today"
[ -z "$(find "$today/made" -mtime +6 2>/dev/null)" ] || rm "$today/made"
[ -e "$today/made" ] || make_root
take_settings || skip "can't write to $root"
copy_checkout
echo "Today's libraries: $(say_versions)"
within bash -c 'cd /project && exec "$@"' _ "$@"
