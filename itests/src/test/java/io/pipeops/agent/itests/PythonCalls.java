package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The Kubernetes client of Python, installed from its package index into a folder of the test. */
final class PythonCalls {
  private static final long LIMIT_SECONDS = 240;

  private final Path home;

  /** Skips the test where there is no Python, or no index to install from. */
  PythonCalls(Path home) throws Exception {
    this.home = home;
    List<String> pip = new ArrayList<>(List.of("-m", "pip", "install", "--quiet", "--no-deps"));
    pip.addAll(List.of("--disable-pip-version-check", "--no-cache-dir", "--only-binary=:all:"));
    pip.addAll(List.of("--target", home.toString(), "-r", file("requirements.txt")));
    Result installed;
    try {
      installed = run(pip);
    } catch (IOException e) {
      installed = new Result(-1, e.getMessage());
    }
    assumeTrue(
        installed.code == 0,
        "skipped: python3 with pip cannot install the client: " + installed.output);
  }

  private record Result(int code, String output) {}

  private static String file(String name) throws Exception {
    return Path.of(PythonCalls.class.getResource("/python/" + name).toURI()).toString();
  }

  private Result run(List<String> arguments) throws IOException, InterruptedException {
    List<String> line = new ArrayList<>(List.of("python3"));
    line.addAll(arguments);
    Path output = home.resolveSibling(home.getFileName() + ".out");
    ProcessBuilder builder =
        new ProcessBuilder(line).redirectErrorStream(true).redirectOutput(output.toFile());
    builder.environment().put("PYTHONPATH", home.toString());
    builder.environment().put("PYTHONUNBUFFERED", "1");
    Process process = builder.start();
    boolean over = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
    process.destroyForcibly();
    String text = java.nio.file.Files.readString(output, StandardCharsets.UTF_8);
    return new Result(over ? process.waitFor() : -1, text);
  }

  /** All of what it can do with a cluster. */
  void all(Path kubeconfig, String namespace, String pod, int port, String path, String expected)
      throws Exception {
    Result result =
        run(
            List.of(
                file("calls.py"),
                kubeconfig.toString(),
                namespace,
                pod,
                String.valueOf(port),
                path,
                expected));
    assertEquals("done\n", result.output, () -> "exit code " + result.code);
    assertEquals(0, result.code);
  }
}
