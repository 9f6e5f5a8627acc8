package io.pipeops.agent.sandbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every verb that the sandbox promises, with an ordinary command line. The system property {@code
 * kubectl} or the variable {@code KUBECTL} names it, with arguments if need be; without one these
 * tests are skipped.
 */
class KubectlTest {
  @TempDir static Path folder;
  private static List<String> kubectl;
  private static SandboxServer server;

  private record Result(int code, String out) {
    Result has(String... texts) {
      for (String text : texts) {
        assertTrue(out.contains(text), "no \"" + text + "\" in:\n" + out);
      }
      return this;
    }
  }

  @BeforeAll
  static void start() throws Exception {
    String named = System.getProperty("kubectl", System.getenv().getOrDefault("KUBECTL", ""));
    assumeTrue(!named.isBlank(), "skipped: neither -Dkubectl nor KUBECTL names a kubectl");
    kubectl = List.of(named.trim().split(" +", -1));
    server = new SandboxServer(folder.resolve("kubeconfig"), 0, true);
    assertTrue(server.awaitUp(Duration.ofSeconds(60)));
  }

  @AfterAll
  static void stop() {
    if (server != null) {
      server.stop();
    }
  }

  private static Process begin(String arguments) throws IOException {
    List<String> command = new ArrayList<>(kubectl);
    command.addAll(List.of("--kubeconfig", folder.resolve("kubeconfig").toString()));
    command.addAll(List.of(arguments.split(" ", -1)));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    builder.redirectInput(new File("/dev/null"));
    builder.environment().put("HOME", folder.toString());
    builder.environment().put("EDITOR", "sed -i s/edit:.*/edit:\\ me/");
    return builder.start();
  }

  private static Result run(String arguments) throws Exception {
    Process process = begin(arguments);
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertTrue(process.waitFor(60, TimeUnit.SECONDS), arguments);
    return new Result(process.exitValue(), out);
  }

  /** Runs what must succeed. */
  private static Result ok(String arguments) throws Exception {
    Result result = run(arguments);
    assertEquals(0, result.code(), arguments + "\n" + result.out());
    return result;
  }

  private static Result fails(String arguments) throws Exception {
    Result result = run(arguments);
    assertTrue(result.code() != 0, arguments + "\n" + result.out());
    return result;
  }

  private static String file(String name, String text) throws IOException {
    return Files.writeString(folder.resolve(name), text).toString();
  }

  @Test
  void looksAtTheDemo() throws Exception {
    ok("wait --for=condition=Available deployment/web -n demo --timeout=30s");
    ok("get pods -n demo").has("READY", "1/1", "Running");
    ok("get pods -n demo -o wide").has("10.244.", "sandbox-node");
    ok("get pods -A -l app=web --field-selector status.phase=Running --chunk-size=1").has("web-");
    ok("get deployment web -n demo -o yaml").has("kind: Deployment", "readyReplicas: 2");
    ok("get service web -n demo -o json").has("\"clusterIP\"");
    ok("get all -n demo").has("pod/web-", "service/web", "deployment.apps/web", "replicaset");
    ok("get events -n demo").has("Scheduled");
    ok("describe deployment web -n demo").has("2 available", "ScalingReplicaSet");
    ok("describe pod -n demo -l app=web").has("Started container web");
    ok("describe service web -n demo").has(":8080");
    ok("describe ingress web -n demo").has("web.example.com");
    ok("describe node").has("sandbox-node", "Allocated resources");
    ok("top nodes").has("sandbox-node");
    ok("top pods -n demo").has("web-");
    ok("logs -n demo deployment/web --tail=2").has("line=");
    fails("get pod none -n demo").has("pods \"none\" not found");
    fails("get nonsense").has("nonsense");
  }

  @Test
  void followsWatchesAndLogs() throws Exception {
    ok("wait --for=condition=Available deployment/web -n demo --timeout=30s");
    Process follow = begin("logs -f -n demo deployment/web --tail=1");
    try (var lines = follow.inputReader()) {
      long seen = lines.lines().filter(line -> line.startsWith("line=")).limit(4).count();
      assertEquals(4, seen);
    } finally {
      follow.destroy();
    }
    ok("create namespace watched");
    Process watch = begin("get configmaps -n watched -w -o name");
    try (var lines = watch.inputReader()) {
      ok("create configmap later -n watched --from-literal=a=b");
      assertTrue(lines.lines().anyMatch(line -> line.equals("configmap/later")));
    } finally {
      watch.destroy();
    }
  }

  @Test
  void createsScalesRollsAndDeletes() throws Exception {
    ok("create namespace verbs");
    ok("create deployment app -n verbs --image=example.com/app:1 --replicas=1");
    ok("rollout status deployment/app -n verbs --timeout=30s");
    ok("scale deployment/app -n verbs --replicas=3");
    ok("wait --for=jsonpath={.status.readyReplicas}=3 deployment/app -n verbs --timeout=30s");
    ok("set image deployment/app app=example.com/app:2 -n verbs");
    ok("rollout status deployment/app -n verbs --timeout=30s").has("successfully rolled out");
    ok("rollout history deployment/app -n verbs").has("2");
    ok("rollout undo deployment/app -n verbs");
    ok("rollout status deployment/app -n verbs --timeout=30s");
    ok("expose deployment app -n verbs --port=80");
    ok("label deployment app -n verbs tier=front").has("labeled");
    ok("annotate deployment app -n verbs note=x").has("annotated");
    ok("create job once -n verbs --image=example.com/once");
    ok("wait --for=condition=complete job/once -n verbs --timeout=30s");
    ok("run single -n verbs --image=example.com/single --restart=Never");
    ok("wait --for=condition=Ready pod/single -n verbs --timeout=30s");
    ok("delete pod single -n verbs --timeout=30s");
    ok("delete deployment app -n verbs --cascade=foreground --timeout=30s");
    ok("delete namespace verbs --timeout=30s");
    fails("get namespace verbs").has("not found");
  }

  @Test
  void appliesPatchesAndEdits() throws Exception {
    ok("create namespace apply");
    String map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: apply}\n";
    String file = file("client.yaml", map.formatted("c") + "data: {a: '1', b: '2'}\n");
    ok("apply -f " + file).has("created");
    ok("apply -f " + file).has("unchanged");
    file("client.yaml", map.formatted("c") + "data: {a: '3', edit: you}\n");
    assertEquals(1, run("diff -f " + file).code());
    ok("apply -f " + file).has("configured");
    assertEquals(
        "{\"a\":\"3\",\"edit\":\"you\"}", ok("get cm c -n apply -o jsonpath={.data}").out());
    ok("edit configmap c -n apply").has("edited");
    assertEquals("me", ok("get cm c -n apply -o jsonpath={.data.edit}").out());
    ok("patch configmap c -n apply --type=merge -p {\"data\":{\"a\":\"4\"}}");
    ok(
        "patch configmap c -n apply --type=json -p"
            + " [{\"op\":\"remove\",\"path\":\"/data/edit\"}]");
    assertEquals("{\"a\":\"4\"}", ok("get cm c -n apply -o jsonpath={.data}").out());
    String server = file("server.yaml", map.formatted("s") + "data: {a: '1'}\n");
    ok("apply --server-side --field-manager=one -f " + server).has("serverside-applied");
    file("server.yaml", map.formatted("s") + "data: {a: '2'}\n");
    fails("apply --server-side --field-manager=two -f " + server).has("conflict with \"one\"");
    ok("apply --server-side --field-manager=two --force-conflicts -f " + server);
    ok("get cm s -n apply -o yaml --show-managed-fields").has("manager: two", "f:a");
    ok("replace -f " + file).has("replaced");
    file("client.yaml", map.formatted("typo") + "dta: {a: b}\n");
    fails("create -f " + file).has("unknown field");
    fails("create configmap c -n apply").has("already exists");
    ok("delete -f " + server).has("deleted");
  }

  @Test
  void asksAboutTheApi() throws Exception {
    ok("version").has("v1.34");
    ok("api-resources").has("deployments", "ingresses", "leases");
    ok("api-versions").has("apps/v1", "metrics.k8s.io/v1beta1");
    ok("explain deployment.spec.replicas").has("<integer>");
    ok("explain pod.spec.containers --recursive").has("image", "livenessProbe");
    ok("auth can-i create pods").has("yes");
    ok("auth can-i --list").has("*.*");
    ok("auth whoami").has("sandbox-admin");
    assertEquals("ok", ok("get --raw /healthz").out());
    assertEquals("ok", ok("get --raw /livez").out());
    ok("get --raw /readyz?verbose").has("readyz check passed");
    fails("get --raw /nowhere").has("NotFound");
    ok("create token default").has("");
    ok("cordon sandbox-node");
    ok("uncordon sandbox-node");
  }

  @Test
  void saysAtOnceWhatItCannotDo() throws Exception {
    ok("wait --for=condition=Available deployment/web -n demo --timeout=30s");
    fails("exec -n demo deployment/web -- ls").has("does not work in the sandbox");
    fails("port-forward -n demo deployment/web 0:8080").has("does not work in the sandbox");
  }
}
