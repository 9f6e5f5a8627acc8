package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** An ordinary kubectl through hub and agent, on a real cluster with a node. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class KubectlIT {
  private static final String NAMESPACE = "itest-kubectl";
  private static final String IMAGE = "docker.io/testcluster/busybox:1";

  @TempDir static Path dir;
  static Spine spine;
  static Kubectl kubectl;
  static Kubectl direct;

  @BeforeAll
  static void start() throws Exception {
    String cluster = System.getenv("TEST_KUBECONFIG");
    assumeTrue(
        cluster != null && Kubectl.available(),
        "skipped: no cluster; set TEST_KUBECONFIG to a kubeconfig and KUBECTL to the program");
    spine = Spine.onCluster(dir, Path.of(cluster));
    kubectl =
        new Kubectl(java.nio.file.Files.createDirectory(dir.resolve("k")), spine.kubeconfig());
    direct = new Kubectl(java.nio.file.Files.createDirectory(dir.resolve("d")), Path.of(cluster));
    direct.result("", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=true");
    kubectl.run("create", "namespace", NAMESPACE);
    kubectl.run(
        "create",
        "deployment",
        "web",
        "-n",
        NAMESPACE,
        "--image=" + IMAGE,
        "--",
        "sh",
        "-c",
        "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done");
  }

  @AfterAll
  static void stop() throws Exception {
    if (spine != null) {
      direct.result("", "delete", "namespace", NAMESPACE, "--wait=false");
      spine.close();
    }
  }

  @Test
  @Order(1)
  void rolloutWaitGetDescribe() throws Exception {
    assertTrue(
        kubectl
            .run("rollout", "status", "-n", NAMESPACE, "deployment/web", "--timeout=90s")
            .contains("successfully rolled out"));
    kubectl.run(
        "wait", "-n", NAMESPACE, "--for=condition=Ready", "pod", "-l", "app=web", "--timeout=60s");
    assertTrue(kubectl.run("get", "pods", "-n", NAMESPACE).contains("Running"));
    assertTrue(kubectl.run("describe", "pods", "-n", NAMESPACE).contains("Pulled"));
    assertEquals(
        direct.run("get", "nodes", "-o", "name"), kubectl.run("get", "nodes", "-o", "name"));
  }

  @Test
  @Order(2)
  void applyClientAndServerSidePatchEditDelete() throws Exception {
    String manifest =
        """
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: cm, namespace: %s}
        data: {a: one}
        """
            .formatted(NAMESPACE);
    kubectl.withInput(manifest, "apply", "-f", "-");
    kubectl.withInput(manifest.replace("one", "two"), "apply", "-f", "-");
    kubectl.withInput(
        manifest.replace("name: cm", "name: server").replace("one", "three"),
        "apply",
        "--server-side",
        "-f",
        "-");
    kubectl.run(
        "patch",
        "-n",
        NAMESPACE,
        "configmap",
        "cm",
        "--type=merge",
        "-p",
        "{\"data\":{\"b\":\"x\"}}");
    kubectl.run("annotate", "-n", NAMESPACE, "configmap", "cm", "seen=yes");
    assertEquals(
        "two x",
        kubectl.run(
            "get", "-n", NAMESPACE, "configmap", "cm", "-o", "jsonpath={.data.a} {.data.b}"));
    kubectl.run("delete", "-n", NAMESPACE, "configmap", "server");
    Kubectl.Result gone = kubectl.result("", "get", "-n", NAMESPACE, "configmap", "server");
    Kubectl.Result goneDirectly = direct.result("", "get", "-n", NAMESPACE, "configmap", "server");
    assertEquals(goneDirectly.err(), gone.err(), "the API's own words");
    assertNotEquals(0, gone.code());
  }

  @Test
  @Order(3)
  void watchAndFollowedLogs() throws Exception {
    Process watch = kubectl.start("get", "pods", "-n", NAMESPACE, "-w");
    int watchRun = kubectl.last();
    Process logs = kubectl.start("logs", "-f", "-n", NAMESPACE, "deployment/web", "--since=1s");
    int logsRun = kubectl.last();
    try {
      Await.until(
          "log lines arrive",
          Duration.ofSeconds(30),
          () -> kubectl.output(logsRun).lines().count() > 10);
      kubectl.run("scale", "-n", NAMESPACE, "deployment/web", "--replicas=2");
      Await.until(
          "the watch sees the second pod",
          Duration.ofSeconds(60),
          () ->
              kubectl.output(watchRun).lines().map(l -> l.split("\\s+")[0]).distinct().count()
                  >= 3);
      long last = -1;
      for (String line : kubectl.output(logsRun).lines().toList()) {
        long number = Long.parseLong(line.substring("line ".length()));
        assertTrue(last < 0 || number == last + 1, last + " -> " + number);
        last = number;
      }
    } finally {
      watch.destroy();
      logs.destroy();
      watch.waitFor();
      logs.waitFor();
    }
  }

  @Test
  @Order(4)
  void discoveryAndTheRest() throws Exception {
    assertTrue(kubectl.run("api-resources").contains("deployments"));
    assertTrue(kubectl.run("explain", "pod.spec.restartPolicy").contains("restartPolicy"));
    assertEquals("yes", kubectl.run("auth", "can-i", "create", "pods").strip());
    assertEquals(direct.run("get", "--raw", "/version"), kubectl.run("get", "--raw", "/version"));
    Await.until(
        "metrics are served",
        Duration.ofSeconds(90),
        () -> kubectl.result("", "top", "nodes").code() == 0);
    assertTrue(
        kubectl.run("get", "clusterrole", "system:node", "-o", "name").contains("system:node"));
  }

  @Test
  @Order(5)
  void execCarriesInputOutputAndTheExitCode() throws Exception {
    assertEquals(
        "hi\n",
        kubectl.withInput("hi\n", "exec", "-i", "-n", NAMESPACE, "deployment/web", "--", "cat"));
    Kubectl.Result failed =
        kubectl.result(
            "", "exec", "-n", NAMESPACE, "deployment/web", "--", "sh", "-c", "echo no >&2; exit 7");
    assertEquals(7, failed.code(), failed.err());
    assertTrue(failed.err().contains("no"), failed.err());
  }

  @Test
  @Order(6)
  void cpBringsEveryByteThereAndBack() throws Exception {
    byte[] data = new byte[64 << 20];
    new java.util.Random(1).nextBytes(data);
    Path there = java.nio.file.Files.write(dir.resolve("there"), data);
    Path back = dir.resolve("back");
    String pod = pod();
    kubectl.run("cp", "-n", NAMESPACE, there.toString(), pod + ":/tmp/copied");
    // Kubernetes itself may end an exec before a slow reader has all of it (kubernetes#60140).
    kubectl.run("cp", "--retries=10", "-n", NAMESPACE, pod + ":/tmp/copied", back.toString());
    assertEquals(-1, java.nio.file.Files.mismatch(there, back));
  }

  @Test
  @Order(7)
  void spdyWorksLikeWebSocket() throws Exception {
    Kubectl spdy =
        new Kubectl(java.nio.file.Files.createDirectory(dir.resolve("s")), spine.kubeconfig())
            .bySpdy();
    assertEquals(
        "hi\n",
        spdy.withInput("hi\n", "exec", "-i", "-n", NAMESPACE, "deployment/web", "--", "cat"));
    Kubectl.Result failed =
        spdy.result(
            "", "exec", "-n", NAMESPACE, "deployment/web", "--", "sh", "-c", "echo no >&2; exit 7");
    assertEquals(7, failed.code(), failed.err());
    assertTrue(failed.err().contains("no"), failed.err());
    byte[] data = new byte[8 << 20];
    new java.util.Random(2).nextBytes(data);
    Path there = java.nio.file.Files.write(dir.resolve("spdy-there"), data);
    Path back = dir.resolve("spdy-back");
    String pod = pod();
    spdy.run("cp", "-n", NAMESPACE, there.toString(), pod + ":/tmp/spdy");
    spdy.run("cp", "--retries=10", "-n", NAMESPACE, pod + ":/tmp/spdy", back.toString());
    assertEquals(-1, java.nio.file.Files.mismatch(there, back));
    spdy.run(
        "exec",
        "-n",
        NAMESPACE,
        pod,
        "--",
        "sh",
        "-c",
        "echo hello > /tmp/index.html; httpd -p 8080 -h /tmp");
    for (Kubectl way : new Kubectl[] {spdy, kubectl}) {
      Process forward = way.start("port-forward", "-n", NAMESPACE, "pod/" + pod, ":8080");
      int run = way.last();
      try {
        String port = way.localPort(run);
        try (var socket = new java.net.Socket("127.0.0.1", Integer.parseInt(port))) {
          socket
              .getOutputStream()
              .write(
                  "GET /index.html HTTP/1.0\r\n\r\n"
                      .getBytes(java.nio.charset.StandardCharsets.US_ASCII));
          assertTrue(
              new String(
                      socket.getInputStream().readAllBytes(),
                      java.nio.charset.StandardCharsets.US_ASCII)
                  .contains("hello"));
        }
      } finally {
        forward.destroy();
        forward.waitFor();
      }
    }
  }

  @Test
  @Order(8)
  void editChangesWhatTheEditorChanged() throws Exception {
    kubectl.run("create", "-n", NAMESPACE, "configmap", "edited", "--from-literal=a=before");
    Path editor =
        java.nio.file.Files.writeString(
            dir.resolve("editor.sh"), "#!/bin/sh\nsed -i 's/before/after/' \"$1\"\n");
    assertTrue(editor.toFile().setExecutable(true));
    new Kubectl(java.nio.file.Files.createDirectory(dir.resolve("e")), spine.kubeconfig())
        .with("KUBE_EDITOR", editor.toString())
        .run("edit", "-n", NAMESPACE, "configmap", "edited");
    assertEquals(
        "after",
        kubectl.run("get", "-n", NAMESPACE, "configmap", "edited", "-o", "jsonpath={.data.a}"));
  }

  @Test
  @Order(9)
  void attachAndDebugTalkToAContainer() throws Exception {
    kubectl.run(
        "run",
        "talker",
        "-n",
        NAMESPACE,
        "--image=" + IMAGE,
        "--stdin",
        "--attach=false",
        "--restart=Never",
        "--",
        "sh",
        "-c",
        "while read x; do echo got $x; [ \"$x\" = bye ] && exit 0; done; exit 3");
    kubectl.run("wait", "-n", NAMESPACE, "--for=condition=Ready", "pod/talker", "--timeout=90s");
    String said = kubectl.withInput("hi\nbye\n", "attach", "-i", "-n", NAMESPACE, "talker");
    assertTrue(said.contains("got hi\ngot bye\n"), said);
    kubectl.run(
        "wait",
        "-n",
        NAMESPACE,
        "--for=jsonpath={.status.phase}=Succeeded",
        "pod/talker",
        "--timeout=60s");
    // The process must outlive its answer, or kubectl may find it ended and not attach at all.
    Process debug =
        kubectl.start(
            "debug",
            "-i",
            "-n",
            NAMESPACE,
            "pod/" + pod(),
            "--image=" + IMAGE,
            "--image-pull-policy=IfNotPresent",
            "--container=debugger",
            "--",
            "sh",
            "-c",
            "while read x; do echo debugged $x; done");
    int run = kubectl.last();
    try {
      debug.getOutputStream().write("hi\n".getBytes(java.nio.charset.StandardCharsets.US_ASCII));
      debug.getOutputStream().flush();
      Await.until(
          "an answer from the debugger",
          Duration.ofSeconds(90),
          () -> kubectl.output(run).contains("debugged hi\n"));
    } finally {
      debug.destroy();
      debug.waitFor();
    }
  }

  @Test
  @Order(10)
  void proxyServesTheApiOnALocalPort() throws Exception {
    Process proxy = kubectl.start("proxy", "--port=0", "--append-server-path");
    int run = kubectl.last();
    try {
      String port = kubectl.localPort(run);
      try (var in =
          java.net
              .URI
              .create("http://127.0.0.1:" + port + "/api/v1/namespaces/" + NAMESPACE)
              .toURL()
              .openStream()) {
        assertEquals(NAMESPACE, Spine.JSON.readTree(in).path("metadata").path("name").asText());
      }
    } finally {
      proxy.destroy();
      proxy.waitFor();
    }
  }

  /** The client library of most programs in Java. */
  @Test
  @Order(11)
  void fabric8sClientWorksLikeKubectl() throws Exception {
    String pod = pod();
    kubectl.run(
        "exec",
        "-n",
        NAMESPACE,
        pod,
        "--",
        "sh",
        "-c",
        "echo hello > /tmp/fabric8.html; httpd -p 8081 -h /tmp");
    try (Fabric8Calls fabric8 = new Fabric8Calls(spine.kubeconfig(), NAMESPACE)) {
      fabric8.objectsAndTheirWatch();
      fabric8.exec(pod);
      fabric8.terminal(pod);
      fabric8.followedLog(pod);
      fabric8.portForward(pod, 8081, "/fabric8.html", "hello");
    }
  }

  /** The client library of most scripts. */
  @Test
  @Order(13)
  void pythonsClientWorksLikeKubectl() throws Exception {
    PythonCalls python = new PythonCalls(dir.resolve("python"));
    String pod = pod();
    kubectl.run(
        "exec",
        "-n",
        NAMESPACE,
        pod,
        "--",
        "sh",
        "-c",
        "echo hello > /tmp/python.html; httpd -p 8082 -h /tmp");
    python.all(spine.kubeconfig(), NAMESPACE, pod, 8082, "/python.html", "hello");
  }

  /** Every line that is typed is answered, while others take all they can get, and give nothing. */
  @Test
  @Order(12)
  void aSessionGoesOnBesideACopyAndAHundredReadersThatTakeNothing() throws Exception {
    byte[] data = new byte[128 << 20];
    new java.util.Random(3).nextBytes(data);
    Path there = java.nio.file.Files.write(dir.resolve("beside"), data);
    String pod = pod();
    Process session = kubectl.start("exec", "-i", "-n", NAMESPACE, pod, "--", "cat");
    int run = kubectl.last();
    Process copy = null;
    try (StalledReaders readers = new StalledReaders(spine, 100);
        var keys = session.getOutputStream()) {
      copy = kubectl.start("cp", "-n", NAMESPACE, there.toString(), pod + ":/tmp/beside");
      int lines = 0;
      while (copy.isAlive() || lines == 0) {
        String line = "line " + lines++ + "\n";
        keys.write(line.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
        keys.flush();
        Await.until(
            "answer to " + line, Duration.ofSeconds(20), () -> kubectl.output(run).endsWith(line));
      }
      assertEquals(0, copy.exitValue());
      assertTrue(lines >= 10, "only " + lines + " lines during the copy");
      assertEquals(
          HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(data)),
          kubectl.run("exec", "-n", NAMESPACE, pod, "--", "sha256sum", "/tmp/beside")
              .split(" ")[0]);
      // They were not forgotten: whoever reads at last gets all of it.
      long whole = readers.finish(0);
      assertTrue(whole > 1 << 20, () -> "only " + whole + " bytes");
      assertEquals(whole, readers.finish(99));
    } finally {
      session.destroy();
      if (copy != null) {
        copy.destroy();
      }
    }
  }

  private static String pod() throws Exception {
    return kubectl
        .run("get", "pods", "-n", NAMESPACE, "-l", "app=web", "-o", "name")
        .lines()
        .findFirst()
        .orElseThrow()
        .replace("pod/", "");
  }
}
