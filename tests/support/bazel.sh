# shellcheck shell=sh
# Leaves no Bazel server behind that a script has started, and none alone that
# was there before. To be sourced after install.sh, with the repository as the
# current directory:
#
#   bazel_begin FILE     # FILE: a scratch file
#   $BAZEL build ...
#   bazel_end FILE

bazel_begin() {
  : >"$1"
}

bazel_end() {
  [ -e "$1" ] || return 0
  # Bazel says where its server's files are; one older than ours is not ours.
  _pid_file=$("$BAZEL" info output_base 2>/dev/null)/server/server.pid.txt
  if [ "$_pid_file" -nt "$1" ]; then "$BAZEL" shutdown || true; fi
  rm -f "$1"
}
