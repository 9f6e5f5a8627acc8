package io.pipeops.agent.itests;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The kubectl that the environment names in {@code KUBECTL}, with one kubeconfig. */
final class Kubectl {
  private static final Duration LIMIT = Duration.ofSeconds(120);
  private static final Pattern LOCAL_PORT = Pattern.compile("127\\.0\\.0\\.1:(\\d+)");

  private final List<String> program;
  private final Path kubeconfig;
  private final Path dir;
  private final Map<String, String> environment = new HashMap<>();
  private int runs;

  Kubectl(Path dir, Path kubeconfig) {
    this.program = List.of(System.getenv("KUBECTL").trim().split("\\s+"));
    this.kubeconfig = kubeconfig;
    this.dir = dir;
  }

  /** From now on by SPDY instead of WebSocket. */
  Kubectl bySpdy() {
    return with("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false")
        .with("KUBECTL_PORT_FORWARD_WEBSOCKETS", "false");
  }

  /** From now on with this variable in its environment. */
  Kubectl with(String variable, String value) {
    environment.put(variable, value);
    return this;
  }

  static boolean available() {
    return System.getenv("KUBECTL") != null;
  }

  record Result(int code, String out, String err) {}

  /** Standard output; fails unless the exit code is 0. */
  String run(String... arguments) throws Exception {
    return withInput("", arguments);
  }

  String withInput(String input, String... arguments) throws Exception {
    Result result = result(input, arguments);
    if (result.code != 0) {
      throw new AssertionError(
          "kubectl %s ended with %d:%n%s%s"
              .formatted(String.join(" ", arguments), result.code, result.out, result.err));
    }
    return result.out;
  }

  Result result(String input, String... arguments) throws Exception {
    Process process = start(arguments);
    try (OutputStream in = process.getOutputStream()) {
      in.write(input.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      // It ended without reading all of its input, which its exit code tells.
    }
    if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("kubectl " + String.join(" ", arguments) + " does not end");
    }
    return new Result(process.exitValue(), text(runs, "out"), text(runs, "err"));
  }

  /** A kubectl that goes on, such as {@code get -w}; its output is in {@link #output}. */
  Process start(String... arguments) throws IOException {
    runs++;
    List<String> line = new ArrayList<>(program);
    line.addAll(
        List.of(
            "--kubeconfig", kubeconfig.toString(), "--cache-dir", dir.resolve("cache").toString()));
    line.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(line)
            .redirectOutput(file(runs, "out").toFile())
            .redirectError(file(runs, "err").toFile());
    builder.environment().putAll(environment);
    return builder.start();
  }

  int last() {
    return runs;
  }

  String output(int run) throws IOException {
    return text(run, "out");
  }

  /** Bytes of standard output so far. */
  long size(int run) throws IOException {
    return Files.size(file(run, "out"));
  }

  /** Where a forward or a proxy says that it listens. */
  String localPort(int run) {
    return Await.value(
        "a local port",
        Duration.ofSeconds(60),
        () -> {
          Matcher found = LOCAL_PORT.matcher(output(run));
          return found.find() ? found.group(1) : null;
        });
  }

  private String text(int run, String kind) throws IOException {
    return Files.readString(file(run, kind));
  }

  private Path file(int run, String kind) {
    return dir.resolve("kubectl-" + run + "." + kind);
  }
}
