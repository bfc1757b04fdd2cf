# shellcheck shell=sh
# Leaves no Bazel server behind that a script has started, and none alone that
# was there before. To be sourced after install.sh, with the repository as the
# current directory:
#
#   bazel_begin FILE     # FILE: a scratch file
#   bazel_yield FILE     # optional: the server leaves the processors to others
#   "$BAZEL" build ...
#   bazel_end FILE

bazel_begin() {
  : >"$1"
}

# Sets _pid_file, of a server that was started after FILE was made: one older
# than that is not ours.
bazel_is_ours() {
  _pid_file=$("$BAZEL" info output_base 2>/dev/null)/server/server.pid.txt
  # shellcheck disable=SC3013  # every shell that is met has it
  [ "$_pid_file" -nt "$1" ]
}

# The server is a session of its own, and where Linux schedules sessions as
# groups (autogroup) it has an equal share, whatever its policy and niceness.
bazel_yield() {
  bazel_is_ours "$1" || return 0
  _group=/proc/$(cat "$_pid_file")/autogroup
  [ ! -w "$_group" ] || echo 19 >"$_group"
}

bazel_end() {
  [ -e "$1" ] || return 0
  if bazel_is_ours "$1"; then "$BAZEL" shutdown || true; fi
  rm -f "$1"
}
