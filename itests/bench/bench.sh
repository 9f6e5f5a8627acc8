#!/usr/bin/env bash
# Prints the benchmark table and writes the figures as JSON. Build first: mvn -B -DskipTests package
#   itests/bench/bench.sh [--quick] [--only PART[,PART...]] [--plain] [--json FILE] [--picture FILE]
# Parts: footprint, http, streams (through a TCP port of the hub, and what 10,000 of them leave in memory), stalled (callers beside 100
# clients that do not read) and churn, half an hour of streams that are dropped in the middle, with its curves as SVG. Without --only all
# but churn. --quick shortens every part, --plain: no TLS on any hop. HAProxy runs beside hub and agent where it is installed.
# The rows with limits need root, cgroups and a loop device; without them they are left out with the reason.
set -euo pipefail
case " $* " in *" --help "* | *" -h "*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//p}' "$0"; exit ;; esac
here=$(cd "$(dirname "$0")" && pwd)
image=$here/../../distribution/image/target/pipeops-agent
[ -d "$image/runtime" ] || { echo "bench: build first: mvn -B -DskipTests package" >&2; exit 2; }
java=${JAVA_HOME:-}/bin/java
if [ ! -x "$java" ] || [ "$("$java" -XshowSettings:properties -version 2>&1 | sed -n 's/.*java.specification.version = //p')" -lt 21 ]; then
  java=
  for jdk in /usr/lib/jvm/*/; do
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$jdk/release" 2> /dev/null || true)
    if [ -n "$version" ] && [ "$version" -ge 21 ]; then java=$jdk/bin/java; fi
  done
fi
[ -n "$java" ] || { echo "bench: no JDK of 21 or newer; set JAVA_HOME" >&2; exit 2; }
exec "$java" "-Dagent.image=$image" -Dsun.net.httpserver.nodelay=true -cp "$here/target/classes:$here/target/lib/*" io.pipeops.agent.bench.Bench "$@"
