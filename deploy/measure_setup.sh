#!/usr/bin/env bash
# Measures downloads, disk space and time of a setup in a fresh clone, and checks that it can train. Writes
# results/setup.csv and its table in docs/servers.md.
#
#   deploy/measure_setup.sh [PYTHON [FOLDER]]    PYTHON: by default python3; FOLDER for the clones, which is kept;
#                                                by default a temporary one
#
# It runs `make setup`, a short training and `make setup-dev`, once with pip and, if installed, once with uv, each in a
# separate clone and without a cache. Earlier rows of the same Python version are replaced.
# Needs git, make, network.

set -eu

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)
python=${1:-python3}
if [ $# -ge 2 ]; then
    mkdir -p "$2"
    folder=$(cd -- "$2" >/dev/null && pwd)
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
version=$("$python" -c 'import platform; print(platform.python_version())')
rows=$repository/results/setup.csv
page=$repository/docs/servers.md
export PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1

# Prints the MB that pip downloaded, or took from a local folder of wheels, according to its log.
downloaded() {
    {
        sed -nE 's/.* Downloading .* \(([0-9.]+) ([kM]?)B\)$/\1 \2/p' "$1"
        sed -nE 's/.* Processing (\/.*\.whl) .*/\1/p' "$1" | xargs -r stat -L -c %s
    } | awk '{sum += $2 == "M" ? $1 : $2 == "k" ? $1 / 1000 : $1 / 1e6} END {printf "%.0f", sum}'
}

# measure INSTALLER TARGET: measures a make target in the current clone and appends a row.
measure() {
    local began ended log=$folder/$1.$2.log
    began=$(date +%s)
    PIP_LOG=$log make --quiet "$2" PYTHON="$python" UV="${1#pip}"
    ended=$(date +%s)
    [ "$1" = pip ] || log=$folder/pip.$2.log # uv downloads the same files
    echo "$version,$1,$2,$(downloaded "$log"),$(du -sm .venv | cut -f1),$((ended - began))" >>"$folder/rows"
}

for installer in pip uv; do
    command -v "$installer" >/dev/null || [ "$installer" = pip ] || continue
    git clone --quiet "file://$repository" "$folder/$installer"
    cd "$folder/$installer"
    measure "$installer" setup
    .venv/bin/python DDQN.py --decisions 1000 --learning-starts 256 --cars 4 --validate-every 100000 \
        --validation-tracks 1 --test-episodes 1
    measure "$installer" setup-dev
done

{
    echo python,installer,target,download_mb,disk_mb,seconds
    { tail -n +2 "$rows" 2>/dev/null | grep -v "^$version," || true; cat "$folder/rows"; } | sort -V
} >"$folder/setup.csv"
mv "$folder/setup.csv" "$rows"
awk -F, '
    FNR == NR {
        if (FNR > 1) {
            table = table sprintf("| %s | %s | `make %s` | %.2f GB | %.1f GB | %d s |\n", $1, $2, $3, $4 / 1000, $5 / 1000, $6)
        }
        next
    }
    /<!-- setup table: begin -->/ {
        print $0 "\n| Python | installer | what | download | on disk | time |\n|---|---|---|---|---|---|"
        printf "%s", table
        skipping = 1
    }
    /<!-- setup table: end -->/ { skipping = 0 }
    !skipping
' "$rows" "$page" >"$folder/page"
cat "$folder/page" >"$page" # keeps the existing file and its permissions
cat "$rows"
