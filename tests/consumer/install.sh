#!/bin/sh
# Tries the installation itself, and leaves one in PREFIX, of the objects that
# tests have:
#
#   tests/consumer/install.sh PREFIX
set -eu

bazel=${BAZEL:-bazel}
prefix=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$(dirname "$0")/.."

fail() {
  echo "error: $*" >&2
  exit 1
}

install_to() {
  "$bazel" run --ui_event_filters=-info --show_result=0 \
    --show_progress_rate_limit=60 //:install_as_built -- "$@"
}

# refused CODE TEXT ARGUMENT...: it ends with that code, and says the text.
refused() {
  expected=$1 text=$2 code=0
  shift 2
  install_to "$@" >"$folder/said" 2>&1 || code=$?
  [ "$code" = "$expected" ] && grep -qF -- "$text" "$folder/said" || {
    cat "$folder/said"
    fail "exit code $code, expected $expected and: $text"
  }
}

listing() {
  (cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2)
}

# What users install. Only its graph: the rest is the same.
"$bazel" build --nobuild --ui_event_filters=-info //:install

refused 2 "usage:"
refused 2 "usage:" ""
refused 2 "usage:" --prefix=/usr
refused 2 "usage:" "$folder/one" "$folder/two"

touch "$folder/file"
refused 1 "error: can't write to $folder/file/below" "$folder/file/below"
mkdir -p "$folder/taken/lib/libgoplugin.a"
refused 1 "error: can't install $folder/taken/lib/libgoplugin.a" "$folder/taken"

install_to "$prefix"
listing "$prefix" >"$folder/once"
# What an older version had does not stay; what is others' does.
touch "$prefix/include/goplugin/old.h" "$prefix/include/others.h"
install_to "$prefix"
rm "$prefix/include/others.h"
listing "$prefix" | cmp - "$folder/once" || fail "the second time is another"

# Relative to where Bazel was started, which is here.
relative=consumer/$$.tmp
trap 'rm -rf "$folder" "$relative"' EXIT
install_to "$relative/with  spaces"
listing "$relative/with  spaces" | cmp - "$folder/once" ||
  fail "a prefix with spaces is another"
