#!/usr/bin/env bash
# Measures what a fresh clone asks of a machine, and that it trains: one row of the table in docs/servers.md.
#
#   deploy/measure_setup.sh [PYTHON [FOLDER]]    PYTHON: python3 if not named; FOLDER takes the clone, and is
#                                                kept; a temporary one if not named
#
# Nothing comes from pip's cache. Needs git, make, network.

set -eu

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
python=${1:-python3}
if [ $# -ge 2 ]; then
    folder=$2
    mkdir -p "$folder"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi

git clone --quiet "file://$repository" "$folder/clone"
cd "$folder/clone"
cloned=$(du -sm . | cut -f1)
began=$(date +%s)
PIP_NO_CACHE_DIR=1 PIP_LOG="$folder/pip.log" make --quiet setup PYTHON="$python"
ended=$(date +%s)
# In pip's log: what it downloaded, and wheels that a mirror's folder on this machine had.
downloaded=$({
    sed -nE 's/.* Downloading .* \(([0-9.]+) ([kM]?)B\)$/\1 \2/p' "$folder/pip.log"
    sed -nE 's/.* Processing (\/.*\.whl) .*/\1/p' "$folder/pip.log" | xargs -r stat -L -c %s
} | awk '{sum += $2 == "M" ? $1 : $2 == "k" ? $1 / 1000 : $1 / 1e6} END {printf "%.0f", sum}')
.venv/bin/python DDQN.py --decisions 1000 --learn-from 256 --cars 4 --validate-every 100000 \
    --validation-tracks 1 --test-episodes 1
echo "| $("$python" --version) | clone $cloned MB | download $downloaded MB | $((ended - began)) s |" \
    "$(du -sm .venv | cut -f1) MB on disk |"
