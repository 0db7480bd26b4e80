#!/usr/bin/env bash
# Brings TensorBoard of the cluster to http://127.0.0.1:6006; Ctrl-C ends it.
#
#   deploy/kubernetes/port_forward.sh [NAMESPACE]
set -eu
exec kubectl --namespace "${1:-default}" port-forward --address 127.0.0.1 deployment/carracing-tensorboard 6006:6006
