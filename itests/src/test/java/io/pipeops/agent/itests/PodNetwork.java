package io.pipeops.agent.itests;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A pod's network, cut on its node as a pulled cable would: packets are lost, and nobody is told.
 */
final class PodNetwork implements AutoCloseable {
  private static final String POD = "itest-cutter";
  private static final String MANIFEST =
      """
      apiVersion: v1
      kind: Pod
      metadata: {name: %s, namespace: default}
      spec:
        nodeName: %s
        hostPID: true
        hostNetwork: true
        terminationGracePeriodSeconds: 0
        containers:
        - name: shell
          image: docker.io/testcluster/busybox:1
          imagePullPolicy: IfNotPresent
          command: [sleep, "600"]
          securityContext: {privileged: true}
      """;

  /** The node's end of the cable is the peer of the interface that the pod's processes see. */
  private static final String SCRIPT =
      """
      process=$(grep -l "$1" /proc/[0-9]*/cgroup 2>/dev/null | head -n 1 | cut -d/ -f3)
      [ -n "$process" ] || { echo "no process of pod $1" >&2; exit 1; }
      peer=$(nsenter -t "$process" -n ip -o link show eth0 | sed -n 's/.*eth0@if\\([0-9]*\\):.*/\\1/p')
      device=$(ip -o link | sed -n "s/^$peer: \\([^@:]*\\).*/\\1/p")
      ip link set "$device" "$2"
      """;

  private final Kubectl kubectl;
  private final String uid;
  private boolean cut;

  private PodNetwork(Kubectl kubectl, String uid) {
    this.kubectl = kubectl;
    this.uid = uid;
  }

  static PodNetwork of(Path dir, Kubectl kubectl, String namespace, String pod) throws Exception {
    String[] found =
        kubectl
            .run(
                "get",
                "pod",
                pod,
                "-n",
                namespace,
                "-o",
                "jsonpath={.metadata.uid} {.spec.nodeName}")
            .split(" ");
    Path manifest =
        Files.writeString(dir.resolve("cutter.yaml"), MANIFEST.formatted(POD, found[1]));
    PodNetwork network = new PodNetwork(kubectl, found[0]);
    kubectl.run("apply", "-f", manifest.toString());
    kubectl.run("wait", "--for=condition=Ready", "pod/" + POD, "-n", "default", "--timeout=60s");
    return network;
  }

  void cut() throws Exception {
    cut = true;
    set("down");
  }

  void mend() throws Exception {
    set("up");
    cut = false;
  }

  private void set(String state) throws Exception {
    kubectl.withInput(SCRIPT, "exec", "-i", POD, "-n", "default", "--", "sh", "-s", uid, state);
  }

  @Override
  public void close() throws Exception {
    try {
      if (cut) {
        mend();
      }
    } finally {
      kubectl.run("delete", "pod", POD, "-n", "default", "--wait=false");
    }
  }
}
