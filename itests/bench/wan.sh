#!/usr/bin/env bash
# One stream through hub and agent over a slow line, beside a plain TCP connection over the same line. Build first: mvn -B -DskipTests package
#   itests/bench/wan.sh [--rate MBIT] [--delay MS] [--loss PERCENT] [--mib SIZE]
# The delay is each way. The line is wan.py, in user space, because not every kernel has netem. Needs root, /dev/net/tun, network namespaces
# and Python 3. Hub and client run here, the agent, its cluster and the service in a namespace of their own.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
image=${IMAGE:-$here/../../distribution/image/target/pipeops-agent}
rate=100 delay=25 loss=0 mib=64
while [ $# -gt 1 ]; do
  case $1 in
    --rate) rate=$2 ;; --delay) delay=$2 ;; --loss) loss=$2 ;; --mib) mib=$2 ;;
    *) echo "wan: unknown option $1" >&2; exit 2 ;;
  esac
  shift 2
done
dir=$(mktemp -d /tmp/wan.XXXXXX)
space=wan-$$
pids=()
end() {
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do kill "${pids[$i]}" 2> /dev/null || true; done
  wait 2> /dev/null || true
  grep -h carried "$dir/wan.log" || true
  ip netns del "$space" || true
  rm -rf "$dir"
}
trap end EXIT
await() { for _ in $(seq 600); do eval "$1" && return; sleep 0.2; done; echo "wan: not in time: $1" >&2; tail -n 5 "$dir"/*.log >&2; exit 1; }

ip netns add "$space"
ip -n "$space" link set lo up
python3 "$here/wan.py" "$space" "$rate" "$delay" "$loss" > "$dir/wan.log" 2>&1 & pids+=($!)
await "grep -q ready $dir/wan.log"

cat > "$dir/service.py" <<'P'
import hashlib, socket, sys, threading
block = hashlib.sha256(b"block").digest() * 32768
def serve(s):
    f = s.makefile("rb")
    what, n = f.readline().split()
    n = int(n)
    if what == b"GET":
        for i in range(0, n, len(block)): s.sendall(block[: n - i])
    else:
        h = hashlib.sha256()
        while n > 0:
            d = f.read(min(n, 65536))
            if not d: break
            h.update(d); n -= len(d)
        s.sendall(h.hexdigest().encode())
    s.shutdown(socket.SHUT_WR); s.close()
l = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=16)
while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
P
cat > "$dir/client.py" <<'P'
import hashlib, socket, sys, time
name, host, port, n = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) << 20
block = hashlib.sha256(b"block").digest() * 32768
h = hashlib.sha256()
for i in range(0, n, len(block)): h.update(block[: n - i])
wanted = h.hexdigest()
def connect():
    s = socket.create_connection((host, port)); s.settimeout(300); return s
for what in "down", "up":
    # A connection that is used for the first time has not grown yet; the figure includes that.
    s = connect(); begin = time.monotonic()
    if what == "down":
        s.sendall(b"GET %d\n" % n); h = hashlib.sha256()
        while d := s.recv(1 << 18): h.update(d)
        got = h.hexdigest()
    else:
        s.sendall(b"PUT %d\n" % n)
        for i in range(0, n, len(block)): s.sendall(block[: n - i])
        got = s.recv(64).decode()
    took = time.monotonic() - begin
    print(f"{name:8} {what:5} {n >> 20} MiB in {took:6.2f} s = {n * 8 / took / 1e6:6.1f} Mbit/s, {'every byte is right' if got == wanted else 'WRONG BYTES'}", flush=True)
    s.close()
P
ip netns exec "$space" python3 "$dir/service.py" 0.0.0.0 9000 > "$dir/service.log" 2>&1 & pids+=($!)

agent=$image/bin/pipeops-agent
"$agent" hub --run-dir "$dir/hub-run" --set hub.port=0 --set hub.host=0.0.0.0 --set hub.host_names=localhost,10.99.0.1 \
  --set hub.state_dir="$dir/hub" --set hub.port_range=19400-19409 --set http.port=0 > "$dir/hub.log" 2>&1 & pids+=($!)
ip netns exec "$space" "$agent" hub --run-dir "$dir/cluster-run" --set features.hub.enabled=false --set features.sandbox.enabled=true \
  --set sandbox.kubeconfig_file="$dir/cluster" --set http.port=0 > "$dir/cluster.log" 2>&1 & pids+=($!)
await "[ -s $dir/hub-run/hub.address ] && [ -s $dir/hub/agent.token ] && [ -s $dir/cluster ]"
hub=$(cat "$dir/hub-run/hub.address")
printf '127.0.0.1 localhost\n127.0.0.1 service.demo.svc.cluster.local.\n' > "$dir/hosts"
JAVA_TOOL_OPTIONS=-Djdk.net.hosts.file=$dir/hosts ip netns exec "$space" "$agent" run --run-dir "$dir/run" --set link.url="https://10.99.0.1:${hub##*:}" \
  --set link.token_file="$dir/hub/agent.token" --set link.tls_ca_file="$dir/hub/ca.crt" --set link.cluster_name=wan \
  --set kubernetes.kubeconfig="$dir/cluster" --set forward.local_addresses=true --set http.port=0 > "$dir/agent.log" 2>&1 & pids+=($!)
call() { curl -sf --cacert "$dir/hub/ca.crt" -H "Authorization: Bearer $(cat "$dir/hub/admin.token")" -H 'Content-Type: application/json' "$@"; }
await 'call "$hub/api/v1/clusters" | grep -q "\"id\""'
id=$(call "$hub/api/v1/clusters" | grep -oE '"id": ?"[^"]+"' | head -n 1 | cut -d'"' -f4)
await 'call -d "{\"protocol\":\"tcp\",\"service\":\"service\",\"namespace\":\"demo\",\"service_port\":9000}" "$hub/api/v1/clusters/$id/ports" > $dir/port.json'
port=$(grep -oE '"port": ?[0-9]+' "$dir/port.json" | head -n 1 | grep -oE '[0-9]+$')
echo "$rate Mbit/s, $delay ms each way, $loss % loss"
python3 "$dir/client.py" direct 10.99.0.2 9000 "$mib"
# Once for the compilers, then for the figures.
python3 "$dir/client.py" warm 127.0.0.1 "$port" "$mib"
python3 "$dir/client.py" tunnel 127.0.0.1 "$port" "$mib"
