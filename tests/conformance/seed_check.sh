#!/bin/sh
# Checks seed.md: 40 rows in order, each with the verdict Y and at least one
# test, and each test in the file that it says.
#
#   tests/conformance/seed_check.sh     from the workspace's root
set -eu

table=tests/conformance/seed.md
failures=0

fail() {
  echo "seed_check: $*" >&2
  failures=$((failures + 1))
}

# check_test ROW "PATH: SUITE.TEST[/CASE]"
check_test() {
  path=${2%%: *}
  name=${2#*: }
  case=
  case $name in */*) case=${name#*/} name=${name%%/*} ;; esac
  suite=${name%%.*}
  test=${name#*.}
  if [ ! -f "$path" ]; then
    fail "row $1: no file $path"
    # The formatter may put the test's name on a line of its own.
  elif ! tr -d '\n' < "$path" |
      grep -Eq "TEST(_F|_P)?\($suite, *$test\)"; then
    fail "row $1: no test $suite.$test in $path"
  elif [ -n "$case" ] && ! grep -q "{\"$case\"," "$path"; then
    fail "row $1: no case $case in $path"
  fi
}

expected=1
while IFS='|' read -r _ row _ _ verdict tests; do
  row=$(echo "$row" | tr -d ' ')
  case $row in '' | *[!0-9]*) continue ;; esac
  [ "$row" = "$expected" ] || fail "row $row where $expected belongs"
  expected=$((row + 1))
  [ "$verdict" = " Y " ] || fail "row $row: the verdict is '$verdict'"
  names=$(echo "$tests" | grep -o '`[^`]*`' | tr -d '`') || names=
  [ -n "$names" ] || fail "row $row: no test"
  while read -r name; do
    [ -z "$name" ] || check_test "$row" "$name"
  done << END
$names
END
done < "$table"

[ "$expected" = 41 ] || fail "$((expected - 1)) rows, not 40"
[ "$failures" = 0 ] || exit 1
echo "seed_check: 40 rows, every test exists"
