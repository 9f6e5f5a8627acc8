package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.OutputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The line between agent and hub is cut under load, and nobody notices. */
class ResumeIT {
  private static final Duration LIMIT = Duration.ofSeconds(60);

  @TempDir Path dir;

  private static CuttingProxy between(Spine spine) throws Exception {
    URI hub = URI.create(spine.hubAddress());
    CuttingProxy line = new CuttingProxy(hub);
    spine.values.put("link.url", "https://127.0.0.1:" + line.port());
    // So that silence is noticed soon.
    spine.values.put("link.ping_millis", "1000");
    spine.values.put("link.read_millis", "4000");
    return line;
  }

  /** How often the agent took its connection up again. */
  static double resumed(Spine spine) throws Exception {
    for (String line : spine.local("/metrics").body().lines().toList()) {
      if (line.startsWith("pipeops_agent_link_resumes_total{result=\"resumed\"}")) {
        return Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1));
      }
    }
    return 0;
  }

  private static void awaitResumed(Spine spine, double count) {
    Await.until("taken up again " + count, LIMIT, () -> resumed(spine) >= count);
  }

  @Test
  void requestsAndFollowedLogsGoOn() throws Exception {
    try (Spine spine = Spine.prepared(dir)) {
      spine.startCluster();
      spine.startHub();
      try (CuttingProxy line = between(spine)) {
        spine.startAgent();
        spine.awaitReady();
        try (Load load = Load.start(spine, 50);
            Follow log = Follow.start(spine)) {
          log.awaitLines(3);
          for (int i = 1; i <= 5; i++) {
            line.cut();
            awaitResumed(spine, i);
            log.awaitLines(log.lines() + 2);
          }
          // Packets are dropped and neither end is told.
          line.silence();
          awaitResumed(spine, 6);
          // The hub's network is gone for a while.
          line.refuse(true);
          line.cut();
          Await.until("not ready", LIMIT, () -> spine.local("/ready").statusCode() == 503);
          LockSupport.parkNanos(TimeUnit.SECONDS.toNanos(5));
          line.refuse(false);
          awaitResumed(spine, 7);
          spine.awaitReady();
          log.awaitLines(log.lines() + 5);
          load.stop();
          assertEquals("", load.failures());
          assertTrue(load.done() > 50, "requests: " + load.done());
          log.close();
          assertEquals("", log.gaps());
        }
        assertEquals(1, spine.rest("GET", "/api/v1/clusters", "").path("items").size());
      }
    }
  }

  @Test
  void afterTheLimitStreamsEndAndTheAgentComesBackAllTheSame() throws Exception {
    try (Spine spine = Spine.prepared(dir)) {
      spine.startCluster();
      spine.hubSettings.add("hub.resume_seconds=2");
      spine.startHub();
      try (CuttingProxy line = between(spine)) {
        spine.startAgent();
        spine.awaitReady();
        String cluster = spine.clusterId();
        try (Follow log = Follow.start(spine)) {
          log.awaitLines(3);
          line.refuse(true);
          line.cut();
          Await.until("the stream ends", LIMIT, () -> !log.gaps().isEmpty());
          line.refuse(false);
        }
        spine.awaitReady();
        assertEquals(cluster, spine.clusterId());
        assertEquals(200, spine.get("/version").statusCode());
      }
    }
  }

  /** On a real cluster: a shell's output and bytes piped both ways, byte for byte. */
  @Test
  void execAndPipedBytesGoOn() throws Exception {
    String kubeconfig = System.getenv("TEST_KUBECONFIG");
    assumeTrue(
        kubeconfig != null && Kubectl.available(),
        "skipped: no cluster; set TEST_KUBECONFIG to a kubeconfig and KUBECTL to the program");
    String namespace = "itest-resume";
    Kubectl direct = new Kubectl(Files.createDirectory(dir.resolve("d")), Path.of(kubeconfig));
    direct.result("", "delete", "namespace", namespace, "--ignore-not-found", "--wait=true");
    try (Spine spine = Spine.prepared(dir)) {
      spine.values.put("kubernetes.kubeconfig", kubeconfig);
      spine.startHub();
      try (CuttingProxy line = between(spine)) {
        spine.startAgent();
        spine.awaitReady();
        Kubectl kubectl = new Kubectl(Files.createDirectory(dir.resolve("k")), spine.kubeconfig());
        kubectl.run("create", "namespace", namespace);
        kubectl.run(
            "run",
            "box",
            "-n",
            namespace,
            "--image=docker.io/testcluster/busybox:1",
            "--",
            "sleep",
            "3600");
        kubectl.run("wait", "-n", namespace, "--for=condition=Ready", "pod/box", "--timeout=60s");
        Process counting =
            kubectl.start(
                "exec",
                "-n",
                namespace,
                "box",
                "--",
                "sh",
                "-c",
                "i=0; while [ $i -lt 300 ]; do echo $i; i=$((i+1)); sleep 0.05; done");
        int output = kubectl.last();
        Thread cutter =
            Thread.ofVirtual()
                .start(
                    () -> {
                      while (!Thread.currentThread().isInterrupted()) {
                        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1500));
                        line.cut();
                      }
                    });
        byte[] bytes = new byte[24 << 20];
        new Random(1).nextBytes(bytes);
        Process piping =
            kubectl.start(
                "exec",
                "-i",
                "-n",
                namespace,
                "box",
                "--",
                "sh",
                "-c",
                "cat > /tmp/x; sha256sum /tmp/x");
        int sum = kubectl.last();
        try (OutputStream in = piping.getOutputStream()) {
          in.write(bytes);
        }
        assertTrue(piping.waitFor(180, TimeUnit.SECONDS), "the upload ends");
        String wanted =
            HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        assertTrue(kubectl.output(sum).startsWith(wanted), kubectl.output(sum));
        // It stays until all has arrived: Kubernetes itself may end an exec before a slow reader
        // has
        // the rest (kubernetes#60140).
        Process fetching =
            kubectl.start(
                "exec", "-i", "-n", namespace, "box", "--", "sh", "-c", "base64 /tmp/x; read end");
        int fetched = kubectl.last();
        long characters = (bytes.length + 2) / 3 * 4L;
        // In lines of 76.
        long length = characters + characters / 76;
        Await.until(
            "all of the download", Duration.ofSeconds(180), () -> kubectl.size(fetched) >= length);
        fetching.getOutputStream().close();
        assertTrue(fetching.waitFor(60, TimeUnit.SECONDS), "the download ends");
        assertTrue(counting.waitFor(120, TimeUnit.SECONDS), "the counting ends");
        cutter.interrupt();
        assertEquals(
            wanted,
            HexFormat.of()
                .formatHex(
                    MessageDigest.getInstance("SHA-256")
                        .digest(
                            java.util.Base64.getMimeDecoder().decode(kubectl.output(fetched)))));
        StringBuilder expected = new StringBuilder();
        for (int i = 0; i < 300; i++) {
          expected.append(i).append('\n');
        }
        assertEquals(expected.toString(), kubectl.output(output));
        assertTrue(resumed(spine) > 3, "cuts: " + resumed(spine));
      } finally {
        direct.result("", "delete", "namespace", namespace, "--wait=false");
      }
    }
  }

  /** On a real cluster: a PostgreSQL, by kubectl's port-forward to a pod that leads to it. */
  @Test
  void aCopyThroughAPortForwardGoesOn() throws Exception {
    String kubeconfig = System.getenv("TEST_KUBECONFIG");
    assumeTrue(
        kubeconfig != null && Kubectl.available(),
        "skipped: no cluster; set TEST_KUBECONFIG to a kubeconfig and KUBECTL to the program");
    String namespace = "itest-resume-sql";
    Kubectl direct = new Kubectl(Files.createDirectory(dir.resolve("d")), Path.of(kubeconfig));
    direct.result("", "delete", "namespace", namespace, "--ignore-not-found", "--wait=true");
    try (Spine spine = Spine.prepared(dir);
        HubDatabase database = HubDatabase.start(dir.resolve("postgres"))) {
      spine.values.put("kubernetes.kubeconfig", kubeconfig);
      spine.startHub();
      try (CuttingProxy line = between(spine)) {
        spine.startAgent();
        spine.awaitReady();
        Kubectl kubectl = new Kubectl(Files.createDirectory(dir.resolve("k")), spine.kubeconfig());
        kubectl.run("create", "namespace", namespace);
        kubectl.run(
            "run",
            "sql",
            "-n",
            namespace,
            "--image=docker.io/testcluster/busybox:1",
            "--",
            "nc",
            "-ll",
            "-p",
            "5432",
            "-e",
            "nc",
            database.host(),
            String.valueOf(database.port()));
        kubectl.run("wait", "-n", namespace, "--for=condition=Ready", "pod/sql", "--timeout=60s");
        Process forward = kubectl.start("port-forward", "-n", namespace, "pod/sql", ":5432");
        int port = Integer.parseInt(kubectl.localPort(kubectl.last()));
        line.cutEvery(10 << 20);
        try {
          new PostgresCalls(port, "hub", "hub", database.password).copyInAndOutBesideQueries();
        } finally {
          line.cutEvery(Long.MAX_VALUE);
          forward.destroy();
          forward.waitFor();
        }
        assertTrue(resumed(spine) >= 3, "cuts: " + resumed(spine));
      } finally {
        direct.result("", "delete", "namespace", namespace, "--wait=false");
      }
    }
  }
}
