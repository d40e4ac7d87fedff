#!/bin/sh
# Python 3.11 with its headers in the image: the base's own, the distribution's, or the build that uv pins.
# usage: python.sh LOCK   (a lock that pins uv)
set -eu
headers='import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")'
python3.11 -c "$headers" 2>/dev/null && exit
apt-get install --yes --no-install-recommends python3.11-dev python3.11-venv 2>/dev/null && exit

echo "no Python 3.11 in this distribution: taking the build that uv pins" >&2
apt-get install --yes --no-install-recommends python3-venv
python3 -m venv /tmp/uv
sed -n '/^uv==/,/[^\\]$/p' "$1" >/tmp/uv.txt
/tmp/uv/bin/pip install --quiet --require-hashes --no-deps --requirement /tmp/uv.txt
export UV_PYTHON_INSTALL_DIR=/opt/python
/tmp/uv/bin/uv python install --no-bin 3.11
ln -s "$(/tmp/uv/bin/uv python find --managed-python 3.11)" /usr/local/bin/python3.11
