package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.LocalPortForward;
import io.fabric8.kubernetes.client.Watch;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import io.fabric8.kubernetes.client.dsl.ContainerResource;
import io.fabric8.kubernetes.client.dsl.ExecWatch;
import io.fabric8.kubernetes.client.dsl.LogWatch;
import io.fabric8.kubernetes.client.dsl.PodResource;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.jdkhttp.JdkHttpClientFactory;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** What a program in Java does with the hub's kubeconfig, by fabric8's client. */
final class Fabric8Calls implements AutoCloseable {
  private static final long SECONDS = 60;

  private final KubernetesClient client;
  private final String namespace;

  Fabric8Calls(Path kubeconfig, String namespace) throws IOException {
    this.namespace = namespace;
    this.client =
        new KubernetesClientBuilder()
            .withHttpClientFactory(new JdkHttpClientFactory())
            .withConfig(Config.fromKubeconfig(Files.readString(kubeconfig)))
            .build();
  }

  /** Objects are made, read, listed, changed and deleted, and a watch sees each step. */
  void objectsAndTheirWatch() throws Exception {
    BlockingQueue<String> seen = new LinkedBlockingQueue<>();
    Resource<ConfigMap> object = client.configMaps().inNamespace(namespace).withName("fabric8");
    try (Watch watch = object.watch(new Recorder(seen))) {
      assertNotNull(watch);
      client
          .resource(
              new ConfigMapBuilder()
                  .withNewMetadata()
                  .withName("fabric8")
                  .withNamespace(namespace)
                  .endMetadata()
                  .withData(Map.of("a", "one"))
                  .build())
          .create();
      assertEquals("ADDED one", seen.poll(SECONDS, TimeUnit.SECONDS));
      assertEquals("one", object.get().getData().get("a"));
      assertTrue(
          client.configMaps().inNamespace(namespace).list().getItems().stream()
              .anyMatch(item -> item.getMetadata().getName().equals("fabric8")));
      object.patch(PatchContext.of(PatchType.JSON_MERGE), "{\"data\":{\"a\":\"two\"}}");
      assertEquals("MODIFIED two", seen.poll(SECONDS, TimeUnit.SECONDS));
      object.edit(it -> new ConfigMapBuilder(it).addToData("a", "three").build());
      assertEquals("MODIFIED three", seen.poll(SECONDS, TimeUnit.SECONDS));
      object.delete();
      assertEquals("DELETED three", seen.poll(SECONDS, TimeUnit.SECONDS));
      assertNull(object.get());
    }
    assertEquals("closed", seen.poll(SECONDS, TimeUnit.SECONDS));
  }

  private record Recorder(BlockingQueue<String> seen) implements Watcher<ConfigMap> {
    @Override
    public void eventReceived(Action action, ConfigMap object) {
      seen.add(action + " " + object.getData().get("a"));
    }

    @Override
    public void onClose() {
      seen.add("closed");
    }

    @Override
    public void onClose(WatcherException cause) {
      seen.add("closed by " + cause);
    }
  }

  private PodResource pod(String name) {
    return client.pods().inNamespace(namespace).withName(name);
  }

  /** A command reads its input, writes to both outputs, and its exit code comes back. */
  void exec(String pod) throws Exception {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    try (ExecWatch exec =
        pod(pod)
            .redirectingInput()
            .writingOutput(out)
            .writingError(err)
            .exec("sh", "-c", "read x; echo got $x; echo no >&2; exit 7")) {
      exec.getInput().write("hi\n".getBytes(StandardCharsets.UTF_8));
      exec.getInput().flush();
      assertEquals(7, exec.exitCode().get(SECONDS, TimeUnit.SECONDS));
    }
    assertEquals("got hi\n", out.toString(StandardCharsets.UTF_8));
    assertEquals("no\n", err.toString(StandardCharsets.UTF_8));
  }

  /** A terminal shows what is typed, has the size that it is given, and tells the exit code. */
  void terminal(String pod) throws Exception {
    ByteArrayOutputStream screen = new ByteArrayOutputStream();
    try (ExecWatch shell = pod(pod).redirectingInput().writingOutput(screen).withTTY().exec("sh")) {
      for (int[] size : new int[][] {{123, 45}, {80, 24}}) {
        shell.resize(size[0], size[1]);
        String wanted = size[1] + " " + size[0] + "\r\n";
        // The container takes the new size when it comes to it, so it is asked again and again.
        Await.until(
            "the size " + wanted,
            Duration.ofSeconds(SECONDS),
            () -> {
              type(shell, "stty size\n");
              return screen.toString(StandardCharsets.UTF_8).contains(wanted);
            });
      }
      assertTrue(screen.toString(StandardCharsets.UTF_8).contains("stty size\r\n"), "no echo");
      type(shell, "exit 3\n");
      assertEquals(3, shell.exitCode().get(SECONDS, TimeUnit.SECONDS));
    }
  }

  private static void type(ExecWatch shell, String keys) throws IOException {
    shell.getInput().write(keys.getBytes(StandardCharsets.US_ASCII));
    shell.getInput().flush();
  }

  /** Lines of a log arrive as they are written, none is left out. */
  void followedLog(String pod) throws Exception {
    ContainerResource of = pod(pod);
    try (LogWatch log = of.watchLog();
        BufferedReader in =
            new BufferedReader(new InputStreamReader(log.getOutput(), StandardCharsets.UTF_8))) {
      long last = -1;
      for (int i = 0; i < 10; i++) {
        long number = Long.parseLong(in.readLine().substring("line ".length()));
        assertTrue(last < 0 || number == last + 1, last + " -> " + number);
        last = number;
      }
    }
  }

  /** An HTTP server in the pod is asked twice through one forwarded port. */
  void portForward(String pod, int port, String path, String wanted) throws Exception {
    InetAddress here = InetAddress.getLoopbackAddress();
    try (LocalPortForward forward = pod(pod).portForward(port, here, 0)) {
      for (int i = 0; i < 2; i++) {
        try (Socket socket = new Socket(here, forward.getLocalPort())) {
          socket.setSoTimeout((int) TimeUnit.SECONDS.toMillis(SECONDS));
          socket
              .getOutputStream()
              .write(("GET " + path + " HTTP/1.0\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
          String answer =
              new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
          assertTrue(answer.contains(wanted), answer);
        }
      }
      assertTrue(forward.getClientThrowables().isEmpty(), forward.getClientThrowables()::toString);
      assertTrue(forward.getServerThrowables().isEmpty(), forward.getServerThrowables()::toString);
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
