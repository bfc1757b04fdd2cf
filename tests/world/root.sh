# shellcheck shell=bash
# The root of another world: a Debian of its own in a directory, made with
# debootstrap. To be sourced with bash:
#
#   . tests/world/root.sh
#   use_root DIRECTORY WHAT           # WHAT is had there: "today's libraries"
#   root_is_made RECIPE || make_root SUITE INSTALL RECIPE
#   refresh_root
#   within COMMAND...
#
# Takes root, debootstrap and a Debian mirror. A function that can't have the
# root ends the script with exit code 75, after a line that says why. Nothing of
# the root can be seen from outside, its mounts included.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# shellcheck source=tests/support/install.sh
. "$checkout/tests/support/install.sh"

# Sets root and log for the functions below.
use_root() {
  place=$1
  what=$2
  root=$place/root
  log=$place/log
  mkdir -p "$place" || skip "can't make $place"
}

skip() {
  echo "$0: no root with $what: $*" >&2
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
  # shellcheck disable=SC2016  # the inner shell's own variables
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
      TEST_ATTEMPTS="${TEST_ATTEMPTS:-1}" \
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

# Whether there is one that was made by just that recipe, any text.
root_is_made() {
  [ -e "$place/made" ] && [ "$(cat "$place/made")" = "$1" ]
}

# make_root SUITE INSTALL RECIPE: INSTALL is a function that installs what is
# wanted.
make_root() {
  local url
  [ "$(id -u)" = 0 ] || skip "only root can make one"
  url=$(mirror)
  [ -n "$url" ] || skip "no Debian mirror in /etc/apt"
  command -v debootstrap >/dev/null || (install_missing debootstrap) ||
    skip "debootstrap can't be installed"
  echo "Making a root with $what in $root: two to three minutes." >&2
  rm -f "$place/made"
  # Whatever may be mounted there is not ours to remove.
  rm -rf --one-file-system "$root"
  mkdir -p "$root" || skip "can't make $root"
  debootstrap --variant=minbase --include=ca-certificates "$1" "$root" \
    "$url" >"$log" 2>&1 || skip "debootstrap failed, see $log"
  { take_settings && "$2"; } >>"$log" 2>&1 ||
    skip "$(tail -n 1 "$log") (more in $log)"
  printf '%s\n' "$3" >"$place/made"
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

# Before commands in a root that is made: gives it the settings of now, and the
# checkout as /project.
refresh_root() {
  take_settings || skip "can't write to $root"
  copy_checkout
}
