# shellcheck shell=bash
# The round that `sandbox.sh --check` plays. Sourced by it; uses its functions and variables.
# shellcheck disable=SC2154 # dir, hub, cluster, embedded, ... are set there

readonly TOGGLE_LIMIT_MS=$((2000 * SLOW))
readonly CHECK_NAMESPACE=sandbox-check-$$

step_name=
step_began=0
step_note=
made_namespace=false
kubectl_command=()

# Begins a step; the one before has succeeded.
step() {
  step_passed
  step_name=$1
  step_began=$(now_ms)
}

step_passed() {
  [ -n "$step_name" ] || return 0
  local took=$(($(now_ms) - step_began))
  printf 'ok    %3d.%03d s  %s%s\n' $((took / 1000)) $((took % 1000)) "$step_name" "${step_note:+ ($step_note)}"
  step_name=
  step_note=
}

step_failed() {
  local took=$(($(now_ms) - step_began))
  printf 'FAIL  %3d.%03d s  %s: %s\n' $((took / 1000)) $((took % 1000)) "$step_name" "$1" >&2
  step_name=
  tidy
}

# Takes away what the round made in a cluster that outlives it.
tidy() {
  if $made_namespace && ! $embedded; then
    api DELETE "/api/v1/namespaces/$CHECK_NAMESPACE" >/dev/null 2>&1 || true
  fi
  made_namespace=false
}

# --- the cluster through the tunnel, with kubectl or with curl --------------------------------

kubeconfig_value() { sed -n "s/^ *$1: *//p" "$dir/kubeconfig" | tr -d "\"'" | head -n 1; }

find_kubectl() {
  read -r -a kubectl_command <<<"${KUBECTL:-kubectl}"
  if command -v "${kubectl_command[0]}" >/dev/null; then
    kubectl_command+=(--kubeconfig "$dir/kubeconfig" --cache-dir "$dir/kube-cache" --request-timeout=20s)
  else
    kubectl_command=()
  fi
}

with_kubectl() { [ ${#kubectl_command[@]} -gt 0 ]; }

k() { KUBECONFIG='' "${kubectl_command[@]}" "$@"; }

# api METHOD PATH [BODY [TYPE [ACCEPT]]]: fails with the answer's text if it is no success.
api() {
  local -a body=(-H "Accept: ${5:-application/json}")
  [ -z "${3:-}" ] || body+=(-H "Content-Type: ${4:-application/json}" -d "$3")
  curl_as "$dir/kubeconfig.token" --max-time 20 --fail-with-body -X "$1" "${body[@]}" "$api_server$2"
}

# Runs a command and fails the step with what it said. Its output is in $out.
out=
must() {
  out=$("$@" 2>&1) || fail "$(head -c 600 <<<"${out:-no answer}" | tr '\n' ' ')" agent hub
}

deployment() {
  cat <<TEXT
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "check", "namespace": "$CHECK_NAMESPACE"},
 "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "check"}}, "template": {"metadata": {"labels": {"app": "check"}},
  "spec": {"containers": [{"name": "pause", "image": "registry.k8s.io/pause:3.10"}]}}}}
TEXT
}

kube_get() {
  if with_kubectl; then must k get namespaces -o name; else must api GET /api/v1/namespaces; fi
  grep -q kube-system <<<"$out" || fail "there is no namespace kube-system in the answer: ${out:0:300}" agent
}

kube_create() {
  local namespaced=/api/v1/namespaces/$CHECK_NAMESPACE
  if with_kubectl; then must k create namespace "$CHECK_NAMESPACE"; else
    must api POST /api/v1/namespaces "{\"metadata\": {\"name\": \"$CHECK_NAMESPACE\"}}"
  fi
  made_namespace=true
  if with_kubectl; then
    must k create configmap check -n "$CHECK_NAMESPACE" --from-literal=answer=42
    must k apply -f - < <(deployment)
    must k get configmap check -n "$CHECK_NAMESPACE" -o 'jsonpath={.data.answer}'
    [ "$out" = 42 ] || fail "the ConfigMap came back as: $out"
  else
    must api POST "$namespaced/configmaps" '{"metadata": {"name": "check"}, "data": {"answer": "42"}}'
    must api POST "/apis/apps/v1/namespaces/$CHECK_NAMESPACE/deployments" "$(deployment)"
    must api GET "$namespaced/configmaps/check"
    grep -q '"answer" *: *"42"' <<<"$out" || fail "the ConfigMap came back as: $out"
  fi
}

kube_scale() {
  local path=/apis/apps/v1/namespaces/$CHECK_NAMESPACE/deployments/check
  if with_kubectl; then
    must k scale deployment/check -n "$CHECK_NAMESPACE" --replicas=2
    must k get deployment check -n "$CHECK_NAMESPACE" -o 'jsonpath={.spec.replicas}'
    [ "$out" = 2 ] || fail "2 replicas were asked for, there are: $out"
  else
    must api PATCH "$path/scale" '{"spec": {"replicas": 2}}' application/merge-patch+json
    grep -q '"replicas" *: *2' <<<"$out" || fail "2 replicas were asked for, the answer is: $out"
  fi
  # Whether a real cluster can fetch the image is not what is being checked.
  if $embedded; then
    if with_kubectl; then
      must k rollout status deployment/check -n "$CHECK_NAMESPACE" --timeout=30s
    else
      await_agent check_is_ready "the pods of the deployment did not become ready"
    fi
  fi
}

check_is_ready() {
  api GET "/apis/apps/v1/namespaces/$CHECK_NAMESPACE/deployments/check" 2>/dev/null | grep -q '"readyReplicas" *: *2'
}

# The first running pod of a path, as "namespace name"; a table has the name in its first cell.
running_pod() {
  local table
  table=$(api GET "$1?fieldSelector=status.phase%3DRunning&limit=1" '' '' 'application/json;as=Table;v=v1;g=meta.k8s.io' | tr -d '\n')
  printf '%s %s\n' \
    "$(grep -o '"namespace" *: *"[^"]*"' <<<"$table" | sed -n '1s/.*: *"\(.*\)"/\1/p')" \
    "$(grep -o '"cells" *: *\[ *"[^"]*"' <<<"$table" | sed -n '1s/.*\[ *"\(.*\)"/\1/p')"
}

kube_logs() {
  local path=/api/v1/pods namespace pod
  if $embedded; then
    path=/api/v1/namespaces/demo/pods
    await_agent demo_runs "the demo's pods did not start"
  fi
  must running_pod "$path"
  read -r namespace pod <<<"$out" || true
  if [ -z "$pod" ]; then
    step_note="no pod runs in this cluster"
    return
  fi
  if with_kubectl; then
    must k logs -n "$namespace" "$pod" --all-containers --tail=3
  else
    must api GET "/api/v1/namespaces/$namespace/pods/$pod/log?tailLines=3"
  fi
  step_note="$namespace/$pod"
  if $embedded; then
    grep -q 'line=' <<<"$out" || fail "the log came back as: $out" agent
  fi
}

demo_runs() { [[ $(running_pod /api/v1/namespaces/demo/pods 2>/dev/null) == "demo web-"* ]]; }

kube_delete() {
  if with_kubectl; then
    must k delete namespace "$CHECK_NAMESPACE" --wait=false
  else
    must api DELETE "/api/v1/namespaces/$CHECK_NAMESPACE"
  fi
  await_agent namespace_is_gone "namespace $CHECK_NAMESPACE did not go"
  made_namespace=false
}

namespace_is_gone() {
  local answer
  answer=$(api GET "/api/v1/namespaces/$CHECK_NAMESPACE" 2>/dev/null) || true
  grep -q '"code" *: *404' <<<"$answer"
}

# --- the agent's own pages --------------------------------------------------------------------

page() { curl -sS --noproxy '*' --max-time 10 -f "$local_http$1"; }

agent_ready() { page /ready >/dev/null 2>&1; }

agent_pages() {
  must page /health
  await_agent agent_ready "/ready did not answer 200"
  must page /version
  grep -q version <<<"$out" || fail "/version answers: ${out:0:300}"
  must page /metrics
  grep -q '^pipeops_agent_' <<<"$out" || fail "/metrics has no pipeops_agent_ series"
}

# --- a feature off and on -----------------------------------------------------------------------

heartbeat_state() {
  page /api/features 2>/dev/null | tr -d '\n' |
    grep -o '"name" *: *"heartbeat"[^{[]*"state" *: *"[A-Z]*"' | sed -n '1s/.*"state" *: *"\([A-Z]*\)"/\1/p'
}

heartbeat_is_off() { [ "$(heartbeat_state)" = DISABLED ]; }
heartbeat_is_on() { [ "$(heartbeat_state)" = ACTIVE ]; }

toggle() {
  local value=$1 condition=$2
  agent_settings features.heartbeat.enabled "$value"
  await agent "$agent_pid" "$TOGGLE_LIMIT_MS" "$condition" "the heartbeat feature did not follow the settings file"
}

tunnel_carries_on() {
  must api GET /api/v1/namespaces/kube-system
}

# --- the round ----------------------------------------------------------------------------------

play_round() {
  local began
  began=$(now_ms)
  step "the distribution is built"
  build
  prepare_dir
  show_logs
  step "a cluster is there"
  choose_cluster
  step "the hub starts"
  start_hub
  step "the agent starts"
  start_agent
  step "the agent registers"
  await_agent registered "the agent did not register at the hub"
  step_note="cluster $cluster"
  step "a kubeconfig through the tunnel"
  make_kubeconfig
  api_server=$(kubeconfig_value server)
  kubeconfig_value token >"$dir/kubeconfig.token"
  find_kubectl
  if with_kubectl; then step_note="${kubectl_command[0]##*/}"; else step_note="curl, there is no kubectl"; fi
  step "get through the tunnel"
  kube_get
  step "create through the tunnel"
  kube_create
  step "scale through the tunnel"
  kube_scale
  step "logs through the tunnel"
  kube_logs
  step "delete through the tunnel"
  kube_delete
  step "/health /ready /version /metrics of the agent"
  agent_pages
  step "heartbeat off by the settings file"
  toggle false heartbeat_is_off
  step "the tunnel carries on"
  tunnel_carries_on
  step "heartbeat on again"
  toggle true heartbeat_is_on
  step "both processes stop"
  stop_all
  local took=$(($(now_ms) - step_began))
  [ "$took" -le $((3000 * SLOW)) ] || fail "it took $took ms, $((3000 * SLOW)) are allowed"
  step_passed
  took=$(($(now_ms) - began))
  printf 'all   %3d.%03d s\n' $((took / 1000)) $((took % 1000))
}
