package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs every command that README and docs show, in their order, with only the places changed:
 * folders, ports, and the cluster. A command that this test does not know how to run fails it.
 */
class DocsIT {
  private static final Path ROOT = Path.of("..").toAbsolutePath().normalize();
  private static final Duration LIMIT = Duration.ofSeconds(150);

  @TempDir Path dir;
  private final List<Process> running = new ArrayList<>();

  @Test
  void readme() throws Exception {
    try {
      for (String command : DocCommands.of(ROOT.resolve("README.md")).commands()) {
        if (command.equals("mvn -B verify")) {
          continue; // what runs this test
        } else if (command.equals("installer/sandbox.sh")) {
          background(command + " --dir " + dir.resolve("sandbox"));
          Await.until(
              "the sandbox is up",
              LIMIT,
              () ->
                  Files.exists(dir.resolve("sandbox/kubeconfig"))
                      && Files.size(dir.resolve("sandbox/kubeconfig")) > 0);
        } else if (command.startsWith("kubectl ")) {
          if (Kubectl.available()) {
            String real =
                "cd "
                    + dir
                    + "; DIR="
                    + dir.resolve("sandbox")
                    + "; "
                    + command.replace(
                        "kubectl --kubeconfig", System.getenv("KUBECTL") + " --kubeconfig");
            if (command.contains("logs -f")) {
              Process logs = background(real);
              Await.until("log lines", LIMIT, () -> Files.size(output(logs)) > 0);
            } else {
              run(real);
            }
          }
        } else if (command.endsWith("pipeops-agent --help")) {
          assertTrue(run(command).contains("Usage"));
        } else if (command.startsWith("helm ")) {
          continue; // DeploymentDocsIT
        } else {
          throw new AssertionError("README shows a command that no test runs: " + command);
        }
      }
    } finally {
      end();
    }
  }

  @Test
  void quickStartAndFeatures() throws Exception {
    DocCommands page = DocCommands.of(ROOT.resolve("docs/quick-start.md"));
    List<String> commands = new ArrayList<>(page.commands());
    commands.addAll(DocCommands.of(ROOT.resolve("docs/features.md")).commands());
    commands.addAll(DocCommands.of(ROOT.resolve("docs/hub.md")).commands());
    Path run = dir.resolve("agent-run");
    try (Spine spine = Spine.prepared(dir)) {
      spine.startCluster();
      String hub = "";
      for (String shown : commands) {
        String command = here(shown, hub);
        if (shown.startsWith("mvn -B -DskipTests package")) {
          assertTrue(Files.isDirectory(Program.IMAGE.resolve("runtime")));
        } else if (shown.contains("pipeops-agent hub")) {
          background(
              command.replace("http.port=8081", "http.port=0")
                  + " --set hub.port=0 --set hub.port_range=15000-15099 --run-dir "
                  + dir.resolve("hub-run"));
          hub = awaitFile(dir.resolve("hub-run/hub.address"));
          Files.writeString(
              dir.resolve("agent.yaml"),
              here(page.yaml().get(0), hub)
                      .replace(
                          "/etc/kubernetes/admin.conf",
                          dir.resolve("embedded.kubeconfig").toString())
                  + "http: {port: 0}\n");
        } else if (shown.contains("pipeops-agent validate")) {
          assertTrue(run(command).contains("ok"));
        } else if (shown.endsWith("pipeops-agent run --config agent.yaml")) {
          background(command + " --run-dir " + run);
          String local = awaitFile(run.resolve("http.address"));
          Await.until(
              "ready",
              LIMIT,
              () ->
                  run("curl -s -o /dev/null -w '%{http_code}' " + local + "/ready")
                      .contains("200"));
        } else if (shown.contains("/kubeconfig")) {
          run(command);
          assertTrue(Files.readString(dir.resolve("kubeconfig")).contains("current-context"));
        } else if (shown.contains("/ports")) {
          assertTrue(run(command).contains("\"open\":true"));
        } else if (shown.startsWith("curl ")) {
          String answer = run(command);
          Files.writeString(
              dir.resolve("id"), answer.replaceAll("(?s).*?\"id\"\\s*:\\s*\"([^\"]+)\".*", "$1"));
        } else if (shown.startsWith("kubectl ")) {
          if (Kubectl.available()) {
            assertTrue(run(command).contains("web-"));
          }
        } else if (shown.contains("pipeops-agent features")) {
          assertTrue(run(command + " --run-dir " + run).contains("tunnel"));
        } else if (shown.contains("/openapi.json")) {
          assertTrue(run(command).contains("openapi"));
        } else {
          throw new AssertionError("The docs show a command that no test runs: " + shown);
        }
      }
    } finally {
      end();
    }
  }

  /** The round that the README tells of. */
  @Test
  void sandboxCheck() throws Exception {
    String out = run("installer/sandbox.sh --check");
    assertTrue(out.contains("ok "), out);
    run("installer/test/sandbox-arguments.sh");
  }

  @Test
  void linksLead() throws Exception {
    List<String> broken = new ArrayList<>();
    List<Path> pages = new ArrayList<>(List.of(ROOT.resolve("README.md")));
    try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
      docs.filter(p -> p.toString().endsWith(".md")).forEach(pages::add);
    }
    for (Path page : pages) {
      var matcher =
          java.util.regex.Pattern.compile("]\\(([^)#:]+)(#[^)]*)?\\)")
              .matcher(Files.readString(page));
      while (matcher.find()) {
        if (!Files.exists(page.resolveSibling(matcher.group(1)))) {
          broken.add(page.getFileName() + " -> " + matcher.group(1));
        }
      }
    }
    assertEquals(List.of(), broken);
  }

  /** The command with this test's folders and address instead of those of the page. */
  private String here(String text, String hub) {
    String id = Files.exists(dir.resolve("id")) ? read(dir.resolve("id")) : "";
    return text.replace("bin/pipeops-agent", Program.IMAGE.resolve("bin/pipeops-agent").toString())
        .replace("/var/lib/pipeops-hub", dir.resolve("hub").toString())
        .replace("https://127.0.0.1:8443", hub)
        .replace("$ID", id)
        .replaceAll("^kubectl ", System.getenv().getOrDefault("KUBECTL", "kubectl") + " ");
  }

  private static String read(Path file) {
    try {
      return Files.readString(file).strip();
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  private static String awaitFile(Path file) {
    return Await.value(
        file.toString(),
        LIMIT,
        () -> Files.exists(file) && !Files.readString(file).isBlank() ? read(file) : null);
  }

  private String run(String command) throws Exception {
    Process process = start(command);
    if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("does not end: " + command);
    }
    String out = Files.readString(output(process), StandardCharsets.UTF_8);
    assertEquals(0, process.exitValue(), command + "\n" + out);
    return out;
  }

  private Process background(String command) throws IOException {
    // The shell becomes the last command, so that a signal reaches it.
    int last = command.lastIndexOf("; ");
    Process process =
        start(
            last < 0
                ? "exec " + command
                : command.substring(0, last + 2) + "exec " + command.substring(last + 2));
    running.add(process);
    return process;
  }

  private int runs;

  private Process start(String command) throws IOException {
    runs++;
    Path out = dir.resolve("command-" + runs + ".out");
    ProcessBuilder builder =
        new ProcessBuilder("bash", "-c", command)
            .directory(
                (command.contains("installer/")
                            || command.contains(
                                "distribution/image/target/pipeops-agent/bin/pipeops-agent --help")
                        ? ROOT
                        : dir)
                    .toFile())
            .redirectErrorStream(true)
            .redirectOutput(out.toFile());
    builder.environment().remove("KUBECONFIG");
    // The script's limits are for a machine that does nothing else.
    builder.environment().put("SANDBOX_SLOW", "3");
    Process process = builder.start();
    outputs.put(process.pid(), out);
    return process;
  }

  private final java.util.Map<Long, Path> outputs = new java.util.concurrent.ConcurrentHashMap<>();

  private Path output(Process process) {
    return outputs.get(process.pid());
  }

  private void end() throws InterruptedException {
    for (Process process : running.reversed()) {
      process.destroy();
      if (!process.waitFor(30, TimeUnit.SECONDS)) {
        process.destroyForcibly();
      }
    }
  }
}
