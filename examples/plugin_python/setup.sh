#!/bin/sh
# Makes the plugin ready to run: a virtual environment with requirements.txt,
# and the code for the KV service, generated from ../proto/kv.proto.
# Does nothing when that is done already.
#
#   ./setup.sh [DIR]    DIR: where the environment goes (default: ./.venv)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
venv=${1:-"$here/.venv"}
python=${PYTHON:-python3}
generated=$venv/kv

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "$0: needs Python 3.11 or newer; set PYTHON to one" >&2
  exit 1
fi
if ! cmp -s "$here/requirements.txt" "$venv/installed.txt"; then
  echo "installing $here/requirements.txt into $venv"
  "$python" -m venv "$venv" || {
    echo "$0: no virtual environment; on Debian: apt install python3-venv" >&2
    exit 1
  }
  "$venv/bin/pip" install --quiet --disable-pip-version-check \
    -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/installed.txt"
fi
# shellcheck disable=SC3013  # every shell that is met has -nt
if [ ! -e "$generated/kv_pb2_grpc.py" ] ||
   [ "$here/../proto/kv.proto" -nt "$generated/kv_pb2_grpc.py" ]; then
  mkdir -p "$generated"
  "$venv/bin/python" -m grpc_tools.protoc -I "$here/../proto" \
    --python_out="$generated" --grpc_python_out="$generated" kv.proto
fi
# So that `import kv_pb2` works in this environment.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$generated" > "$site/kv_example.pth"
