#!/usr/bin/env bash
# Runs this project on a server: a training with TensorBoard beside it, an evaluation, or the notebooks.
#
#   boot.sh [DDQN.py | DQN.py] [OPTIONS]   train; DDQN.py when no script is named
#   boot.sh evaluate [OPTIONS]             compare drivers, as evaluate.py does
#   boot.sh notebook [OPTIONS]             open notebooks/ in Jupyter
#   boot.sh health                         exit code 0 unless TensorBoard should answer and does not
#
# OPTIONS are those of the script. Its exit code is that of boot.sh: 0 finished, 2 bad input,
# 3 stopped by SIGTERM, SIGINT or SIGHUP, with a checkpoint if training had begun, anything else failed. TensorBoard
# ends with it.
# Ports: TENSORBOARD_PORT (6006) and NOTEBOOK_PORT (8888).
# Listens on 127.0.0.1, and on all addresses only in a container that has a network of its own.
# The Python is that of .venv, if there is one, else the first in PATH.

set -u

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
python=$here/.venv/bin/python3
[ -x "$python" ] || python=python3
port_file=${TMPDIR:-/tmp}/tensorboard.port # only in a container, for its health check
# TensorBoard with the stand-in for TensorFlow that it brings along: shows the same, starts in a fifth of the
# time, takes 80 MB instead of 630, and no memory of a GPU. It is to keep its greetings to itself.
tensorboard='import contextlib
import io
import signal
import sys
sys.modules["tensorboard.compat.notf"] = sys
from tensorboard.program import TensorBoard, TensorBoardServerException
server = TensorBoard()
server.configure(sys.argv)
try:
    with contextlib.redirect_stderr(io.StringIO()):
        server.launch()
except TensorBoardServerException as e:
    sys.exit(f"error: TensorBoard: {e.msg}")
signal.pause()'
main='' beside='' stopped=''

refuse() {
    echo "error: $*" >&2
    exit 2
}

# Docker reaches a published port through the container's own network, so there it must be all addresses. A
# network card means that this is the network of the host.
listen_address() {
    if [ -n "${IN_CONTAINER:-}" ] && [ -e /sys/class/net/lo ] \
        && ! compgen -G '/sys/class/net/*/device' >/dev/null; then
        echo 0.0.0.0
    else
        echo 127.0.0.1
    fi
}

# check ADDRESS PORT VARIABLE MODULE...: the modules are installed and the port is free.
check() {
    command -v "$python" >/dev/null || refuse "there is no python3; run 'make setup' first"
    "$python" - "$@" <<'PYTHON' || exit 2
import socket
import sys
from importlib.util import find_spec

address, port, variable, *modules = sys.argv[1:]
missing = [m for m in modules if find_spec(m) is None]
if missing:
    sys.exit(f"error: {sys.executable} has no {' and no '.join(missing)}; install it there,"
             " or use the environment of the README")
if not (port.isdecimal() and 0 < int(port) < 65536):
    sys.exit(f"error: {variable} must be a port, 1 to 65535, got {port!r}")
with socket.socket() as s:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        s.bind((address, int(port)))
        s.listen()
    except OSError as e:
        sys.exit(f"error: cannot listen on {address}:{port}: {e.strerror};"
                 f" choose another port, for instance {variable}={int(port) % 65535 + 1}")
PYTHON
}

# The value of --runs among the arguments.
runs_folder() {
    local folder=runs
    while [ $# -gt 0 ]; do
        case $1 in
            --runs) folder=${2:-} ;;
            --runs=*) folder=${1#*=} ;;
        esac
        shift
    done
    echo "$folder"
}

check_writable() {
    local folder=$1
    until [ -e "$folder" ]; do folder=$(dirname -- "$folder"); done
    if ! [ -d "$folder" ] || ! [ -w "$folder" ]; then
        refuse "user $(id -u) cannot write to $folder; make a folder of your own, or in a container:" \
            "mkdir -p runs, then --user \"\$(id -u):\$(id -g)\""
    fi
}

# Every child has a session of its own: Ctrl-C reaches this script alone, which passes it on once.
stop() {
    stopped=1
    [ -n "$main" ] || return
    # Before it has a session of its own it is a copy of this script, which would lose the signal.
    until kill -0 -- "-$main" 2>/dev/null || ! kill -0 "$main" 2>/dev/null; do sleep 0.02; done
    kill -TERM "$main" 2>/dev/null
}

end_session() {
    [ -n "$1" ] || return 0
    kill -TERM -- "-$1" 2>/dev/null
    for _ in {1..100}; do
        kill -0 -- "-$1" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$1" 2>/dev/null
}

# run ARGUMENT...: run Python to its end and leave with its exit code.
run() {
    local code
    setsid "$python" "$@" </dev/null &
    main=$!
    [ -z "$stopped" ] || stop # the signal came before there was anybody to pass it to
    while kill -0 "$main" 2>/dev/null; do wait "$main"; done # a signal ends a wait
    wait "$main"
    code=$?
    end_session "$beside"
    end_session "$main"
    exit "$code"
}

train() {
    local script=$1 port=${TENSORBOARD_PORT:-6006} address runs argument
    shift
    [ -f "$here/$script" ] || refuse "there is no $script in $here"
    for argument in "$@"; do
        case $argument in -h | --help) run "$here/$script" --help ;; esac
    done
    address=$(listen_address)
    runs=$(runs_folder "$@")
    check_writable "$runs"
    check "$address" "$port" TENSORBOARD_PORT tensorflow tensorboard
    [ -z "${IN_CONTAINER:-}" ] || echo "$port" >"$port_file"
    echo "TensorBoard: http://127.0.0.1:$port, logs in $runs"
    setsid "$python" -c "$tensorboard" \
        --logdir "$runs" --host "$address" --port "$port" --samples_per_plugin images=100 </dev/null >&2 &
    beside=$!
    run "$here/$script" "$@"
}

evaluate() {
    [ -f "$here/evaluate.py" ] || refuse "there is no evaluate.py in $here"
    run "$here/evaluate.py" "$@"
}

notebook() {
    local port=${NOTEBOOK_PORT:-8888} address
    [ -d "$here/notebooks" ] || refuse "there is no folder notebooks/ in $here"
    address=$(listen_address)
    check "$address" "$port" NOTEBOOK_PORT jupyterlab
    # In a rootless container root is the user outside, so root may.
    run -m jupyterlab --no-browser --allow-root --ip "$address" --port "$port" --ServerApp.port_retries=0 \
        --ServerApp.root_dir "$here/notebooks" "$@"
}

health() {
    local port line=''
    [ -e "$port_file" ] || return 0
    read -r port <"$port_file"
    exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
    printf 'GET / HTTP/1.0\r\n\r\n' >&3
    read -r -t 5 line <&3
    [[ $line == HTTP/*' 200 '* ]]
}

trap stop TERM INT HUP

case ${1:-} in
    -h | --help | help) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" ;;
    '' | -*) train DDQN.py "$@" ;;
    DDQN.py | DQN.py) train "$@" ;;
    evaluate | evaluate.py) shift && evaluate "$@" ;;
    notebook) shift && notebook "$@" ;;
    health) health ;;
    *) refuse "unknown script '$1'; use DDQN.py, DQN.py, evaluate or notebook" ;;
esac
