#!/usr/bin/env bash
# Makes the web pages of the cluster available on this machine until Ctrl-C:
#   http://127.0.0.1:6006   TensorBoard with the curves of all runs
#   http://127.0.0.1:8265   Ray's dashboard, if a Ray cluster is running; it asks for the cluster's token
#
#   deploy/kubernetes/port_forward.sh [NAMESPACE]
set -eu
forward() { kubectl --namespace "$namespace" port-forward --address 127.0.0.1 "$@" & }
namespace=${1:-default}
trap 'kill $(jobs -p) 2>/dev/null || :' EXIT
forward deployment/carracing-tensorboard 6006:6006
head=$(kubectl --namespace "$namespace" get pod --selector app=carracing-ray,role=head --output name)
if [ -n "$head" ]; then
    forward "$head" 8265:8265
fi
wait
