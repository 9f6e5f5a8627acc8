#!/usr/bin/env bash
# A hub and an agent as two processes of the assembled distribution, and a cluster to look at:
# the one that KUBECONFIG names, or an embedded Kubernetes API with a demo workload.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
root=$(dirname "$here")
image=${SANDBOX_IMAGE:-$root/distribution/image/target/pipeops-agent}

# On a machine that is busy with other things, limits can be stretched.
readonly SLOW=${SANDBOX_SLOW:-1}
readonly START_LIMIT_MS=$((90000 * SLOW))
readonly STOP_LIMIT_MS=2000

dir=
temporary=false
ours=false
check=false
verbose=false
embedded=true
hub_pid=
agent_pid=
events_pid=
log_pid=
hub=
local_http=
cluster=

usage() {
  cat <<'TEXT'
Usage: installer/sandbox.sh [--dir DIR] [--check] [--verbose] [--help]

Starts a hub and an agent on this machine and joins them. The cluster is the one that
KUBECONFIG names; without it, an embedded Kubernetes API with a demo workload. Ctrl-C
ends all of it.

  --dir DIR   keep the state in DIR (default: a temporary folder that is removed at the end);
              DIR/kubeconfig leads to the cluster through the tunnel
  --check     play one round by itself, print each step with its time, and end: exit status 0,
              or 1 with the step that failed and why
  --verbose   show the logs of both processes too
  --help      this text

Environment:
  KUBECONFIG     kubeconfig of the cluster to use
  KUBECTL        the kubectl that --check uses (default: kubectl; without one, it uses curl)
  SANDBOX_IMAGE  an unpacked distribution to use instead of building this tree's
  SANDBOX_SLOW   a whole number by which the limits of a start and of --check are stretched

Exit status: 0 ended as wanted, 1 something did not work, 2 wrong arguments.
TEXT
}

say() { printf '%s\n' "$*"; }

die() {
  printf 'sandbox: %s\n' "$*" >&2
  exit 1
}

wrong() {
  printf 'sandbox: %s\n' "$*" >&2
  printf 'Try: installer/sandbox.sh --help\n' >&2
  exit 2
}

now_ms() {
  local micros=${EPOCHREALTIME/[.,]/}
  echo $((micros / 1000))
}

arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --dir)
        [ $# -ge 2 ] && [ -n "$2" ] || wrong "--dir needs a folder"
        dir=$2
        shift
        ;;
      --dir=*)
        dir=${1#--dir=}
        [ -n "$dir" ] || wrong "--dir needs a folder"
        ;;
      --check) check=true ;;
      --verbose) verbose=true ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) wrong "unknown argument: $1" ;;
    esac
    shift
  done
}

require() {
  if [ "${BASH_VERSINFO[0]}" -lt 5 ]; then
    die "bash 5 is needed, this is $BASH_VERSION"
  fi
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "$tool is needed and not there"
  done
}

# --- the distribution -----------------------------------------------------------------------

# Whether something that the distribution is made of is newer than it.
stale() {
  local -a built
  built=("$(dirname "$image")"/pipeops-agent-*.tar.gz)
  [ -x "$image/bin/pipeops-agent" ] && [ -f "${built[0]}" ] || return 0
  local newer
  newer=$(find "$root/pom.xml" "$root/bundles" "$root/features" "$root/distribution" \
    \( -name target -o -path '*/src/test' -o -name .jqwik-database \) -prune -o -type f -newer "${built[0]}" -print -quit)
  [ -n "$newer" ]
}

build() {
  if [ -n "${SANDBOX_IMAGE:-}" ]; then
    [ -x "$image/bin/pipeops-agent" ] || die "SANDBOX_IMAGE is no distribution: $image/bin/pipeops-agent is missing"
    return
  fi
  stale || return 0
  require mvn
  say "Building the distribution (mvn -B -q -DskipTests package); the first time takes some minutes ..."
  (cd "$root" && mvn -B -q -DskipTests package) || die "the build failed; what Maven says is above"
  [ -x "$image/bin/pipeops-agent" ] || die "the build left no $image/bin/pipeops-agent"
}

# --- state ----------------------------------------------------------------------------------

prepare_dir() {
  umask 077
  if [ -z "$dir" ]; then
    dir=$(mktemp -d "${TMPDIR:-/tmp}/pipeops-sandbox.XXXXXX") || die "no temporary folder can be made in ${TMPDIR:-/tmp}"
    temporary=true
  else
    mkdir -p "$dir" 2>/dev/null || die "the folder $dir cannot be made"
    [ -w "$dir" ] || die "the folder $dir cannot be written"
    dir=$(cd "$dir" && pwd -P)
  fi
  local other
  other=$(cat "$dir/pid" 2>/dev/null || true)
  if [[ $other =~ ^[0-9]+$ ]] && kill -0 "$other" 2>/dev/null; then
    die "another sandbox (process $other) uses $dir"
  fi
  echo $$ >"$dir/pid"
  ours=true
  rm -rf "$dir/run" "$dir/kubeconfig" "$dir/embedded.kubeconfig"
  mkdir -p "$dir/run"
}

# --- the cluster ----------------------------------------------------------------------------

# The server of the current context. Without a kubectl to tell which one that is, the first.
cluster_server() {
  local -a kubectl
  local server=
  read -r -a kubectl <<<"${KUBECTL:-kubectl}"
  if command -v "${kubectl[0]}" >/dev/null; then
    server=$("${kubectl[@]}" config view --minify -o 'jsonpath={.clusters[0].cluster.server}' 2>/dev/null) || true
  fi
  if [ -z "$server" ]; then
    server=$(grep -oE '"?server"? *: *["'"'"']?https?://[^"'"'"', }]+' "$KUBECONFIG" | sed -n '1s/.*\(https\{0,1\}:\)/\1/p') || true
  fi
  printf '%s' "$server"
}

choose_cluster() {
  if [ -z "${KUBECONFIG:-}" ]; then
    say "KUBECONFIG is not set: an embedded Kubernetes API plays the cluster."
    return
  fi
  embedded=false
  case $KUBECONFIG in
    *:*) die "KUBECONFIG names several files; name one: $KUBECONFIG" ;;
  esac
  [ -r "$KUBECONFIG" ] || die "KUBECONFIG names $KUBECONFIG, which cannot be read; unset it to use the embedded cluster"
  local server
  server=$(cluster_server)
  [ -n "$server" ] || die "KUBECONFIG names $KUBECONFIG, which names no server"
  # Any answer will do, a refusal too: the agent has the identity, curl has not.
  curl -sk -o /dev/null --max-time 10 "$server/version" ||
    die "the cluster of KUBECONFIG does not answer: $server (unset KUBECONFIG to use the embedded one)"
  say "The cluster is the one of KUBECONFIG: $server"
}

# --- the two processes ----------------------------------------------------------------------

# Keys and values as a settings file, whole or not at all.
write_settings() {
  local file=$1 next=$1.next
  shift
  : >"$next"
  while [ $# -gt 0 ]; do
    printf '%s: "%s"\n' "$1" "$(printf '%s' "$2" | sed 's/\\/\\\\/g; s/"/\\"/g')" >>"$next"
    shift 2
  done
  mv -f "$next" "$file"
}

# Runs the distribution with an environment of its own, so that no setting comes in from outside.
launch() {
  local log=$1
  shift
  local -a environment=("PATH=$PATH" "HOME=${HOME:-/}" "TMPDIR=$dir/run")
  [ -z "${PIPEOPS_JAVA_OPTIONS:-}" ] || environment+=("PIPEOPS_JAVA_OPTIONS=$PIPEOPS_JAVA_OPTIONS")
  [ -z "${PIPEOPS_MEMORY_PROFILE:-}" ] || environment+=("PIPEOPS_MEMORY_PROFILE=$PIPEOPS_MEMORY_PROFILE")
  exec env -i "${environment[@]}" "$image/bin/pipeops-agent" "$@" >"$log" 2>&1
}

start_hub() {
  local -a settings=(
    hub.port 0
    hub.state_dir "$dir/hub"
    http.port 0
    http.host 127.0.0.1
  )
  if $embedded; then
    settings+=(features.sandbox.enabled true sandbox.kubeconfig_file "$dir/embedded.kubeconfig")
  fi
  write_settings "$dir/hub.yaml" "${settings[@]}"
  launch "$dir/hub.log" hub --config "$dir/hub.yaml" --run-dir "$dir/run/hub" &
  hub_pid=$!
  await_hub hub_is_up "the hub did not come up"
  hub=$(<"$dir/run/hub/hub.address")
}

hub_is_up() {
  [ -s "$dir/run/hub/hub.address" ] && [ -s "$dir/hub/agent.token" ] && [ -s "$dir/hub/admin.token" ] &&
    [ -s "$dir/hub/ca.crt" ] && { ! $embedded || [ -s "$dir/embedded.kubeconfig" ]; }
}

agent_settings() {
  local kubeconfig=$dir/embedded.kubeconfig
  if ! $embedded; then
    kubeconfig=$(cd "$(dirname "$KUBECONFIG")" && pwd -P)/$(basename "$KUBECONFIG")
  fi
  write_settings "$dir/agent.yaml" \
    link.url "$hub" \
    link.token_file "$dir/hub/agent.token" \
    link.tls_ca_file "$dir/hub/ca.crt" \
    link.cluster_name sandbox \
    kubernetes.kubeconfig "$kubeconfig" \
    tunnel.agent_credentials true \
    http.port 0 \
    http.host 127.0.0.1 \
    "$@"
}

start_agent() {
  agent_settings
  launch "$dir/agent.log" run --config "$dir/agent.yaml" --run-dir "$dir/run/agent" &
  agent_pid=$!
  await_agent agent_is_up "the agent did not come up"
  local_http=$(<"$dir/run/agent/http.address")
}

agent_is_up() { [ -s "$dir/run/agent/http.address" ]; }

# Waits until a command succeeds: await WHO PID LIMIT_MS COMMAND WHAT_IF_NOT
await() {
  local who=$1 pid=$2 limit=$3 condition=$4 failure=$5 end
  end=$(($(now_ms) + limit))
  until "$condition"; do
    kill -0 "$pid" 2>/dev/null || fail "$failure: its process has ended" "$who"
    [ "$(now_ms)" -lt "$end" ] || fail "$failure within $((limit / 1000)) s" "$who"
    sleep 0.1
  done
}

await_hub() { await hub "$hub_pid" "$START_LIMIT_MS" "$@"; }
await_agent() { await agent "$agent_pid" "$START_LIMIT_MS" "$@"; }

# Says why something failed, with the end of the logs that may tell more.
fail() {
  local reason=$1 log
  shift
  if declare -F step_failed >/dev/null && $check; then
    step_failed "$reason"
  else
    printf 'sandbox: %s\n' "$reason" >&2
  fi
  for log in "$@"; do
    printf -- '--- the last lines of %s.log\n' "$log" >&2
    tail -n 15 "$dir/$log.log" >&2 2>/dev/null || true
  done
  exit 1
}

# --- the hub's REST API ---------------------------------------------------------------------

# Becomes a curl with a bearer token from a file; the token is on no command line.
become_curl_as() {
  local token_file=$1
  shift
  exec curl -sS --cacert "$dir/hub/ca.crt" --noproxy '*' \
    -K <(printf 'header = "Authorization: Bearer %s"\n' "$(<"$token_file")") "$@"
}

curl_as() { (become_curl_as "$@"); }

admin() { curl_as "$dir/hub/admin.token" --max-time 20 "$@"; }

registered() {
  cluster=$(admin "$hub/api/v1/clusters" 2>/dev/null |
    grep -o '"id" *: *"[^"]*" *, *"name" *: *"[^"]*" *, *"connected" *: *true' |
    sed -n '1s/^"id" *: *"\([^"]*\)".*/\1/p') || true
  [ -n "$cluster" ]
}

make_kubeconfig() {
  admin -f -X POST -H 'Content-Type: application/json' -d '{"name": "sandbox"}' \
    -o "$dir/kubeconfig.next" "$hub/api/v1/clusters/$cluster/kubeconfig" ||
    fail "the hub gave no kubeconfig for cluster $cluster" hub
  mv -f "$dir/kubeconfig.next" "$dir/kubeconfig"
}

# --- what is shown --------------------------------------------------------------------------

value() { sed -n "s/.*\"$1\" *: *\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$2"; }

# Events of the hub as lines; reads server-sent events.
show_events() {
  local line json
  while IFS= read -r line; do
    case $line in
      data:*) json=${line#data:} ;;
      *) continue ;;
    esac
    local type at
    type=$(value type "$json")
    at=$(value at "$json")
    at=${at#*T}
    at=${at%%.*}
    if [ "$type" = heartbeat ]; then
      printf '%s  heartbeat  %s  nodes=%s pods=%s cpu=%s memory=%s\n' "${at%Z}" \
        "$(value status "$json")" "$(value nodes "$json")" "$(value pods "$json")" \
        "$(value cpu "$json")" "$(value memory "$json")"
    else
      printf '%s  %s  %s\n' "${at%Z}" "$type" "$(value detail "$json")"
    fi
  done
}

follow_events() {
  # Its reader ends with it, and both end with the hub.
  become_curl_as "$dir/hub/admin.token" -N "$hub/api/v1/events?cluster=$cluster" 2>/dev/null > >(show_events) &
  events_pid=$!
}

instructions() {
  cat <<TEXT

  hub         $hub
  cluster     $cluster
  agent       $local_http  (/health /ready /version /metrics /api/features)
  state       $dir

  kubectl --kubeconfig $dir/kubeconfig get pods -A
TEXT
  if $embedded; then
    say "  kubectl --kubeconfig $dir/kubeconfig logs -f -n demo deployment/web"
  fi
  say ""
  say "Ctrl-C ends all of it. What the hub hears:"
}

# --- the end --------------------------------------------------------------------------------

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

stop_all() {
  local pid end
  end=$(($(now_ms) + STOP_LIMIT_MS))
  for pid in $events_pid $log_pid $agent_pid $hub_pid; do
    kill -TERM "$pid" 2>/dev/null || true
  done
  while { alive "$agent_pid" || alive "$hub_pid"; } && [ "$(now_ms)" -lt "$end" ]; do
    sleep 0.05
  done
  for pid in $agent_pid $hub_pid; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  for pid in $events_pid $log_pid $agent_pid $hub_pid; do
    wait "$pid" 2>/dev/null || true
  done
  events_pid='' log_pid='' agent_pid='' hub_pid=''
}

leave() {
  local status=$?
  trap '' INT TERM
  trap - EXIT
  stop_all
  if $ours; then
    if $temporary; then
      rm -rf "$dir"
    else
      rm -rf "$dir/run" "$dir/pid" "$dir/kubeconfig" "$dir/kubeconfig.token" "$dir/embedded.kubeconfig" \
        "$dir/kube-cache"
    fi
  fi
  exit "$status"
}

show_logs() {
  $verbose || return 0
  touch "$dir/hub.log" "$dir/agent.log"
  tail -q -n +1 -F "$dir/hub.log" "$dir/agent.log" 2>/dev/null >&2 &
  log_pid=$!
}

run() {
  show_logs
  start_hub
  start_agent
  await_agent registered "the agent did not register at the hub"
  make_kubeconfig
  instructions
  follow_events
  while alive "$hub_pid" && alive "$agent_pid"; do
    # A signal ends the wait; a pause would hold it up.
    wait -n "$hub_pid" "$agent_pid" || true
  done
  alive "$hub_pid" || fail "the hub has ended by itself" hub
  fail "the agent has ended by itself" agent
}

main() {
  arguments "$@"
  require curl sed grep find mktemp tail
  trap leave EXIT
  trap 'exit 0' INT
  trap 'exit 143' TERM
  if $check; then
    # shellcheck source=installer/sandbox-check.sh
    . "$here/sandbox-check.sh"
    play_round
  else
    build
    prepare_dir
    choose_cluster
    run
  fi
}

main "$@"
