package io.pipeops.agent.itests;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** One process of the assembled distribution, with its log in a file. */
public final class Program implements AutoCloseable {
  public static final Path IMAGE =
      Path.of(System.getProperty("agent.image")).toAbsolutePath().normalize();

  private final Process process;
  private final Path runDir;
  private final Path log;

  private Program(Process process, Path runDir, Path log) {
    this.process = process;
    this.runDir = runDir;
    this.log = log;
  }

  /** Starts {@code bin/pipeops-agent command …}; run folder and log lie in dir under the name. */
  public static Program start(
      Path dir, String name, String command, Map<String, String> env, String... arguments)
      throws IOException {
    Path runDir = dir.resolve(name + "-run");
    Path log = dir.resolve(name + ".log");
    List<String> line =
        new ArrayList<>(
            List.of(
                IMAGE.resolve("bin/pipeops-agent").toString(),
                command,
                "--run-dir",
                runDir.toString(),
                "--log-format",
                "text"));
    line.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(line)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()));
    builder
        .environment()
        .keySet()
        .removeIf(k -> k.startsWith("PIPEOPS_") || k.startsWith("AGENT_"));
    builder.environment().remove("KUBECONFIG");
    builder.environment().putAll(env);
    return new Program(builder.start(), runDir, log);
  }

  /** What a bundle wrote into the run folder about itself, such as {@code http.address}. */
  public String address(String name) {
    return Await.value(
        name + " of " + log + tail(),
        Duration.ofSeconds(60),
        () -> {
          if (!process.isAlive()) {
            throw new IllegalStateException("The process ended with " + process.exitValue());
          }
          Path file = runDir.resolve(name);
          String text = Files.exists(file) ? Files.readString(file).strip() : "";
          return text.isEmpty() ? null : text;
        });
  }

  public Process process() {
    return process;
  }

  public Path runDir() {
    return runDir;
  }

  public String log() {
    try {
      return Files.exists(log) ? Files.readString(log, StandardCharsets.UTF_8) : "";
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  public void awaitLog(String text, Duration limit) {
    Await.until("log of " + log + " says: " + text, limit, () -> log().contains(text));
  }

  private String tail() {
    List<String> lines = log().lines().toList();
    return "\n" + String.join("\n", lines.subList(Math.max(0, lines.size() - 15), lines.size()));
  }

  /** Asks it to stop and returns its exit code. */
  public int stop() throws InterruptedException {
    process.destroy();
    if (!process.waitFor(40, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError("Did not stop within 40 s: " + log + tail());
    }
    return process.exitValue();
  }

  @Override
  public void close() {
    process.destroy();
    try {
      if (!process.waitFor(15, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
    } catch (InterruptedException e) {
      process.destroyForcibly();
      Thread.currentThread().interrupt();
    }
  }
}
