#!/usr/bin/env bash
# Runs this project on a server: a training with TensorBoard beside it, an evaluation, or the notebooks.
#
#   boot.sh [DDQN.py | DQN.py] [OPTIONS]   train; DDQN.py when no script is named
#   boot.sh tensorboard [RUNS]             TensorBoard alone; RUNS is a folder of runs or a run, runs/ if not named
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

[ -n "${BASH_VERSION:-}" ] || exec bash -- "$0" "$@" # called as `sh boot.sh`
if (return 0 2>/dev/null); then                      # sourced: leave the caller's shell as it is
    bash -- "${BASH_SOURCE[0]}" "$@"
    return
fi
set +o posix -u
# Whoever reads the output may leave, or was never there: that ends no run. An open file must not become output.
trap : PIPE
{ : >&1; } 2>/dev/null || exec >/dev/null
{ : >&2; } 2>/dev/null || exec 2>/dev/null

script=$(readlink -f -- "${BASH_SOURCE[0]}")
here=${script%/*}
python=$here/.venv/bin/python3
[ -x "$python" ] || python=python3
port_file=${TMPDIR:-/tmp}/tensorboard.port # only in a container, for its health check
main='' beside='' stopped='' go_on=''

say() { echo "$*" 2>/dev/null || :; }

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

# ours MODULE ARGUMENT...: runs a module of this project, wherever we are and whatever lies there.
ours() { PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$@"; }

# check MODULE[,MODULE...] [ADDRESS PORT VARIABLE]: the modules are installed and the port is free.
check() {
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
        || refuse "$python is not Python 3.11 or newer; run 'make setup' first"
    (ours "$python" -P -m system.preflight "$@") || exit 2
}

# The folder that TensorBoard shows: that of a resumed run with the runs beside it, else the value of --runs.
shown_folder() {
    local folder=runs resume='' run
    while [ $# -gt 0 ]; do
        case $1 in
            --runs) folder=${2:-} ;;
            --runs=*) folder=${1#*=} ;;
            --resume) resume=${2:-} ;;
            --resume=*) resume=${1#*=} ;;
        esac
        shift
    done
    if [ -n "$resume" ] && [ -d "$resume" ]; then # and not -1, or a name
        run=$(realpath -m -- "$resume")
        case ${run%/*} in
            */DDQN | */DQN) run=${run%/*/*} ;;
        esac
        folder=${run:-/}
    fi
    echo "$folder"
}

check_link() {
    [ ! -L "$1" ] || [ -e "$1" ] || refuse "$1 is a link to $(readlink -- "$1"), which is not there;" \
        "make that folder, or remove the link"
}

check_writable() {
    local folder=$1
    until check_link "$folder" && [ -e "$folder" ]; do folder=$(dirname -- "$folder"); done
    if ! [ -d "$folder" ] || ! [ -w "$folder" ]; then
        refuse "user $(id -u) cannot write to $folder; make a folder of your own, or in a container:" \
            "mkdir -p runs, then --user \"\$(id -u):\$(id -g)\""
    fi
}

# Whether a folder lies on a mounted disk, which outlives the container, and not in the container or in memory.
outlives_container() {
    local folder mount kind deepest='' kept=''
    folder=$(realpath -m -- "$1")
    while read -r _ mount kind _; do
        mount=$(printf %b "${mount//\\/\\0}") # \040 is a space
        case $folder/ in "${mount%/}"/*) ;; *) continue ;; esac
        if [ "${#mount}" -ge "${#deepest}" ]; then
            deepest=$mount kept=$kind
        fi
    done </proc/mounts
    [ "${deepest:-/}" != / ] && [ "$kept" != tmpfs ]
}

# check_container RUNS PORT OPTION...: what only a container can get wrong, and how it goes on after a stop.
check_container() {
    [ -n "${IN_CONTAINER:-}" ] || return 0
    [ -w "${port_file%/*}" ] || refuse "cannot write to ${port_file%/*}; with --read-only, give --tmpfs /tmp too"
    outlives_container "$1" || echo "warning: $1 is inside the container and goes when it is removed;" \
        "to keep runs: --volume \"\$PWD/runs:/app/runs\"" >&2
    echo "$2" >"$port_file"
    go_on="the same docker run, and --resume -1 at its end"
    case " ${*:3} " in *' --resume auto '* | *' --resume=auto '*) go_on="docker start $HOSTNAME" ;; esac
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
    ours setsid "$python" "$@" </dev/null &
    main=$!
    [ -z "$stopped" ] || stop # the signal came before there was anybody to pass it to
    while kill -0 "$main" 2>/dev/null; do wait "$main"; done # a signal ends a wait
    wait "$main"
    code=$?
    end_session "$beside"
    end_session "$main"
    [ "$code" != 3 ] || [ -z "$go_on" ] || say "go on with: $go_on"
    exit "$code"
}

server=(-P -m training.tracking.tensorboard_server --samples_per_plugin images=100)

train() {
    local script=$1 port=${TENSORBOARD_PORT:-6006} address runs argument
    shift
    [ -f "$here/$script" ] || refuse "there is no $script in $here"
    for argument in "$@"; do
        case $argument in -h | --help) run "$here/$script" --help ;; esac
    done
    address=$(listen_address)
    runs=$(shown_folder "$@")
    check_writable "$runs"
    check tensorflow,tensorboard "$address" "$port" TENSORBOARD_PORT
    check_container "$runs" "$port" "$@"
    say "TensorBoard: http://127.0.0.1:$port, logs in $runs"
    ours setsid "$python" "${server[@]}" --logdir "$runs" --host "$address" --port "$port" </dev/null >&2 &
    beside=$!
    run "$here/$script" "$@"
}

tensorboard() {
    local runs=${1:-runs} port=${TENSORBOARD_PORT:-6006} address
    [ $# -le 1 ] || refuse "tensorboard takes one folder of runs, got $*"
    check_link "$runs"
    [ -d "$runs" ] || refuse "there is no folder $runs; train first, or name the folder that has the runs"
    address=$(listen_address)
    check tensorboard "$address" "$port" TENSORBOARD_PORT
    say "TensorBoard: http://127.0.0.1:$port, logs in $runs; Ctrl-C ends it"
    run "${server[@]}" --logdir "$runs" --host "$address" --port "$port"
}

evaluate() {
    [ -f "$here/evaluate.py" ] || refuse "there is no evaluate.py in $here"
    check tensorflow
    run "$here/evaluate.py" "$@"
}

notebook() {
    local port=${NOTEBOOK_PORT:-8888} address
    [ -d "$here/notebooks" ] || refuse "there is no folder notebooks/ in $here"
    address=$(listen_address)
    check tensorflow,jupyterlab "$address" "$port" NOTEBOOK_PORT
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
    -h | --help | help) sed -n '2,/^$/s/^# \{0,1\}//p' "$script" ;;
    '' | -*) train DDQN.py "$@" ;;
    DDQN.py | DQN.py) train "$@" ;;
    tensorboard) shift && tensorboard "$@" ;;
    evaluate | evaluate.py) shift && evaluate "$@" ;;
    notebook) shift && notebook "$@" ;;
    health) health ;;
    *) refuse "unknown script '$1'; use DDQN.py, DQN.py, tensorboard, evaluate or notebook" ;;
esac
