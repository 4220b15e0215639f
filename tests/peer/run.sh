#!/usr/bin/env bash
# Installs what the peer needs where it is missing, then runs its scripts with a Python that has PyTorch.
#
#   tests/peer/run.sh check.py [--device cuda]
#   tests/peer/run.sh compare.py
#
# $PYTHON chooses the Python; without it python3, if that has torch, else Debian's with its package python3-torch.
set -euo pipefail
cd "$(dirname "$0")"

has_torch() { command -v "$1" >/dev/null && "$1" -c 'import numpy, torch' 2>/dev/null; }

python=${PYTHON:-python3}
if ! has_torch "$python"; then
  if [ -n "${PYTHON:-}" ] || ! command -v apt-get >/dev/null; then
    echo "$python has no PyTorch: set PYTHON to one that has torch and numpy" >&2
    exit 1
  fi
  python=/usr/bin/python3
  if ! has_torch "$python"; then
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-torch
  fi
fi
exec "$python" "$@"
