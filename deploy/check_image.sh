#!/usr/bin/env bash
# Builds the Dockerfile and runs its entry point, on a Debian machine without a docker engine.
#
#   sudo deploy/check_image.sh [--build FLAG]... [--podman FLAG]... [--run FLAG]... [FOLDER]
#
# FOLDER is for the images, about 4 GB; by default a temporary one. --build adds a flag to `buildah build`, for example
# --build --volume=/etc/pip.conf:/etc/pip.conf for the settings of a package mirror; --podman adds one to podman itself,
# such as --runtime=runc; --run adds one to `podman run`, such as --ulimit=nofile=1024:1024.
# Needs root, network, and the packages buildah, debootstrap and curl.
#
# The base image is made from Debian packages, with the same Debian release and Python version as in the Dockerfile's
# FROM, and the same name. buildah builds and runs with chroot isolation, which needs no engine. The checks:
# the image contains no files that .dockerignore excludes; as a user that is unknown in the image, with a mounted runs/,
# training starts, TensorBoard answers over HTTP, the health check passes, SIGTERM ends training with exit code 3, a
# checkpoint and no process left, the files belong to that user, and the next start resumes the run and ends with exit
# code 0; the published weights drive; Jupyter serves the notebook and ends; a mounted folder that belongs to another
# user is refused in one line with exit code 2.
#
# With podman installed, the image also runs as a real container: boot.sh as process 1, the port published on 127.0.0.1
# only, the health check, a stop with exit code 3, a second start that continues the same run, and a warning if runs/ is
# not mounted. Chroot isolation alone does not isolate the network or process numbers.
#
# Not covered: the official python image itself, the timer of the health check, a GPU.

set -eu

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
port=16006
user=54321 # not used by anybody
training=(--cars 2 --learning-starts 64 --batch-size 16 --replay-capacity 2000
    --validate-every 100000 --validation-tracks 1 --test-episodes 0)

fail() {
    echo "error: $*" >&2
    exit 1
}

build_flags=() podman_flags=() run_flags=()
while [ $# -gt 0 ]; do
    case $1 in
        --build) build_flags+=("$2") && shift 2 ;;
        --podman) podman_flags+=("$2") && shift 2 ;;
        --run) run_flags+=("$2") && shift 2 ;;
        *) break ;;
    esac
done
passed=''
# If the script ends before its last line, it has failed.
trap '[ -n "$passed" ] || echo FAILED >&2' EXIT
[ "$(id -u)" = 0 ] || fail "run this as root: debootstrap and chroot need it"
for tool in buildah debootstrap curl; do
    command -v "$tool" >/dev/null || fail "$tool is missing; apt-get install buildah debootstrap curl"
done
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
folder=$(cd -- "$folder" && pwd)
image=$(sed -n 's/^FROM //p' "$repository/Dockerfile") # python:VERSION-slim-RELEASE
release=${image##*-}
version=${image#*:} version=${version%%-*}

buildah() { command buildah --root "$folder/storage" --runroot "$folder/runroot" "$@"; }

podman() {
    command podman --root "$folder/storage" --runroot "$folder/runroot" --cgroup-manager cgroupfs \
        "${podman_flags[@]}" "$@"
}

clean_up() {
    [ -n "$passed" ] || echo FAILED >&2
    ! command -v podman >/dev/null || podman rm --force --ignore check-container >/dev/null 2>&1 || true
    pkill -KILL -u "$user" || true # processes of this check, as nobody else uses this number
    buildah rm --all >/dev/null 2>&1 || true
    echo "The image is in $folder; 'buildah --root $folder/storage rmi --all' and 'rm -r $folder' remove it."
}
trap clean_up EXIT

if ! buildah inspect --type image "docker.io/library/$image" >/dev/null 2>&1; then
    echo "== base image $image from Debian's packages"
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$release" "$folder/base"
    container=$(buildah from scratch)
    buildah add -q "$container" "$folder/base" /
    buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
    buildah commit -q --rm "$container" "docker.io/library/$image"
fi

echo "== build"
revision=$(git -C "$repository" -c safe.directory='*' rev-parse HEAD)
# build NAME FLAG...: builds the Dockerfile's image under this name.
build() {
    buildah build --isolation chroot --pull=never --layers --format docker "${build_flags[@]}" \
        --build-arg "REVISION=$revision" "${@:2}" -t "$1" "$repository"
}
build carracing-dqn
build carracing-dqn-notebook --build-arg NOTEBOOK=1
buildah images
buildah from --pull=never --name check carracing-dqn >/dev/null
buildah from --pull=never --name check-notebook carracing-dqn-notebook >/dev/null
entry=$(buildah inspect --type image --format '{{index .Docker.Config.Entrypoint 0}}' carracing-dqn)

# in_image FOLDER ARGUMENT...: runs the image's entry point with these arguments and FOLDER mounted as runs/.
in_image() {
    local runs=$1 image=check
    shift
    [ "$1" != notebook ] || image=check-notebook
    buildah run --isolation chroot --user "$user:$user" --volume "$runs:/app/runs" \
        --env "TENSORBOARD_PORT=$port" --env "NOTEBOOK_PORT=$port" "$image" -- "$entry" "$@"
}

# wait_for WORD PATH LOG: waits until the server's page at this path contains the word.
wait_for() {
    local second
    for ((second = 0; second < 300; second++)); do
        if curl -fs "http://127.0.0.1:$port/$2" | grep -q "$1"; then
            echo "the page has $1 after $second s"
            return
        fi
        sleep 1
    done
    fail "no $1 at $2 after $second s; see $3"
}

# Makes a folder for runs that belongs to the user.
new_runs() {
    local runs
    runs=$(mktemp -d "$folder/runs.XXXX")
    chown "$user:$user" "$runs"
    echo "$runs"
}

echo "== what is in it"
buildah run --isolation chroot check -- sh -c 'ls -A; ! ls -d .[!.]* 2>/dev/null' || fail "hidden files"
versions=$(buildah run --isolation chroot check -- python3 -c 'import platform; from importlib.metadata import version
print("Python", platform.python_version(), "TensorFlow", version("tensorflow"))')
echo "$versions"
[[ $versions == "Python $version."* ]] || fail "the Dockerfile asks for Python $version"
for module in mypy ruff optuna hypothesis pytest jupyterlab; do
    ! buildah run --isolation chroot check -- python3 -c "import $module" 2>/dev/null || fail "$module is in it"
done
stamp=$(buildah inspect --type image --format '{{index .Docker.Config.Labels "org.opencontainers.image.revision"}}' carracing-dqn)
[ "$stamp" = "$revision" ] || fail "the image says it is of $stamp"

echo "== train, watch, stop"
runs=$(new_runs)
in_image "$runs" DDQN.py --name a --decisions 1000000 "${training[@]}" >"$folder/train.log" 2>&1 &
running=$!
wait_for DDQN/ data/runs "$folder/train.log"
in_image "$runs" health || fail "the health check"
pkill -TERM -u "$user" -f '^bash /app/boot.sh DDQN.py'
code=0
wait "$running" || code=$?
[ "$code" = 3 ] || fail "exit code $code, not 3; see $folder/train.log"
[ -z "$(pgrep -u "$user" -l)" ] || fail "left running: $(pgrep -u "$user" -l)"
[ -z "$(find "$runs" ! -user "$user")" ] || fail "files of another user in $runs"
states=("$runs"/DDQN/a/checkpoints/*/state.json)
decisions=$(grep -o '"decisions": [0-9]*' "${states[-1]}" | grep -o '[0-9]*')
echo "exit code 3 with a checkpoint at $decisions decisions"

echo "== resume"
in_image "$runs" DDQN.py --resume -1 --decisions $((decisions + 200)) >"$folder/resume.log" 2>&1 \
    || fail "resume; see $folder/resume.log"
states=("$runs"/DDQN/a/checkpoints/*/state.json)
[ "${#states[@]}" = 2 ] || fail "no checkpoint after the resumed run"
echo "exit code 0 with a second checkpoint"

echo "== evaluate"
in_image "$runs" evaluate models/ddqn.safetensors --tracks 100:102 --camera fast >"$folder/evaluate.log" 2>&1 \
    || fail "evaluate; see $folder/evaluate.log"
grep '2 episodes' "$folder/evaluate.log" || fail "no score; see $folder/evaluate.log"

echo "== notebooks"
in_image "$runs" notebook --IdentityProvider.token=check >"$folder/notebook.log" 2>&1 &
running=$!
wait_for run.ipynb 'api/contents?token=check' "$folder/notebook.log"
pkill -TERM -u "$user" -f '^bash /app/boot.sh notebook'
wait "$running" || fail "the exit code; see $folder/notebook.log"
[ -z "$(pgrep -u "$user" -l)" ] || fail "left running: $(pgrep -u "$user" -l)"

echo "== a folder of somebody else"
code=0
refused=$(in_image "$(mktemp -d "$folder/root.XXXX")" DDQN.py 2>&1) || code=$?
echo "$refused"
[ "$code" = 2 ] || fail "exit code $code, not 2"
[[ $refused == "error: user $user cannot write to runs"* ]] || fail "another message"

if command -v podman >/dev/null; then
    echo "== a real container"
    runs=$(new_runs)
    # run_container NAME ARGUMENT...: runs the image as a container of this name.
    run_container() {
        podman run "${run_flags[@]}" --detach --name check-container --user "$user:$user" --stop-timeout 60 \
            --publish "127.0.0.1:$port:6006" "$@" >"$folder/podman.log" 2>&1 || {
            cat "$folder/podman.log" >&2
            fail "podman run"
        }
    }
    # stop_container: stops it and checks that its exit code is 3.
    stop_container() {
        podman stop check-container >/dev/null
        code=$(podman inspect --format '{{.State.ExitCode}}' check-container)
        [ "$code" = 3 ] || fail "exit code $code, not 3"
    }
    run_container --volume "$runs:/app/runs" \
        carracing-dqn DDQN.py --name b --resume auto --decisions 1000000 "${training[@]}"
    wait_for DDQN/ data/runs "$folder/podman.log"
    listening=$(ss -Hltn "sport = :$port" | awk '{print $4}')
    [ "$listening" = "127.0.0.1:$port" ] || fail "listening on $listening"
    podman exec check-container grep -q boot.sh /proc/1/cmdline || fail "boot.sh is not process 1"
    podman healthcheck run check-container || fail "the health check"
    stop_container
    states=("$runs"/DDQN/b/checkpoints/*/state.json)
    [ -e "${states[0]}" ] || fail "no checkpoint"
    stopped_at=$(grep -oh '"decisions": [0-9]*' "${states[-1]}" | grep -o '[0-9]*')
    podman logs check-container 2>&1 | tail -n 3
    podman logs check-container 2>&1 | grep -q "go on with: docker start" || fail "it does not say how to go on"
    podman logs check-container 2>&1 | grep -q "inside the container" && fail "runs/ is mounted, it says that it is not"
    echo "process 1, published on 127.0.0.1, healthy, exit code 3 with a checkpoint at $stopped_at decisions"

    echo "== the same container, started again"
    podman start check-container >/dev/null
    wait_for DDQN/ data/runs "$folder/podman.log"
    sleep 20
    stop_container
    folders=("$runs"/DDQN/*)
    [ "${#folders[@]}" = 1 ] || fail "another run was begun"
    states=("$runs"/DDQN/b/checkpoints/*/state.json)
    went_on=$(grep -oh '"decisions": [0-9]*' "${states[-1]}" | grep -o '[0-9]*')
    [ "$went_on" -gt "$stopped_at" ] || fail "it stands at $went_on decisions, after $stopped_at"
    echo "went on to $went_on decisions in the same run"
    podman rm check-container >/dev/null

    echo "== read-only, and without a mounted folder"
    run_container --read-only --tmpfs /tmp --tmpfs /app/runs:mode=1777 \
        carracing-dqn DDQN.py --name b --decisions 1000000 "${training[@]}"
    wait_for DDQN/ data/runs "$folder/podman.log"
    stop_container
    podman logs check-container 2>&1 | grep "warning: runs is inside the container" || fail "no warning"
fi
passed=1
echo "PASSED"
