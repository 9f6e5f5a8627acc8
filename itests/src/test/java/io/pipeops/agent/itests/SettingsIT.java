package io.pipeops.agent.itests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Settings are checked before anything starts, and the messages help. */
class SettingsIT {
  @TempDir Path dir;

  private record Result(int code, String output) {}

  @Test
  void goodSettingsAreOk() throws Exception {
    Result result = check("validate", good());
    assertEquals(0, result.code, result.output);
  }

  @Test
  void theExistingAgentsFileIsUnderstood() throws Exception {
    Result result =
        check(
            "validate",
            """
            agent:
              cluster_name: edge
              port: 8080
              labels: {environment: lab}
              heartbeat_interval_connected: 20
            pipeops:
              api_url: https://api.example.test
              token: some-long-token-of-mine
              tls: {insecure_skip_verify: false}
            timeouts: {websocket_ping: 15s}
            logging: {level: debug}
            """);
    assertEquals(0, result.code, result.output);
    assertFalse(result.output.contains("some-long-token-of-mine"), result.output);
  }

  @Test
  void anUnknownKeyNamesItsLineAndTheNearestOne() throws Exception {
    Result result = check("validate", good() + "tunnel:\n  drain_second: 5\n");
    assertEquals(2, result.code, result.output);
    assertTrue(result.output.contains("drain_second"), result.output);
    assertTrue(result.output.contains("tunnel.drain_seconds"), result.output);
    assertTrue(result.output.contains("settings.yaml:"), result.output);
    assertTrue(result.output.contains(FaultSigns.row(7, "unknown key")), result.output);
  }

  @Test
  void aBadValueNamesWhatIsAllowed() throws Exception {
    Result result = check("validate", good() + "http:\n  port: 99999\n");
    assertEquals(2, result.code, result.output);
    assertTrue(result.output.contains("http.port"), result.output);
    assertTrue(result.output.contains("65535"), result.output);
  }

  @Test
  void runDoesNotStartEither() throws Exception {
    Result result = check("run", good() + "logging:\n  level: loud\n");
    assertEquals(2, result.code, result.output);
    assertTrue(result.output.contains("logging.level"), result.output);
    assertTrue(result.output.contains("warn"), result.output);
  }

  @Test
  void brokenYamlNamesItsLine() throws Exception {
    Result result = check("validate", "link:\n  url: [\n");
    assertEquals(2, result.code, result.output);
    assertTrue(result.output.contains("settings.yaml"), result.output);
  }

  @Test
  void anUnknownFlagIsAUsageError() throws Exception {
    Result result = run("run", "--no-such-flag");
    assertEquals(2, result.code, result.output);
    assertTrue(result.output.contains("no-such-flag"), result.output);
  }

  @Test
  void everyCommandHasHelp() throws Exception {
    for (String command : List.of("run", "hub", "sandbox", "validate", "features", "version")) {
      Result result = run(command, "--help");
      assertEquals(0, result.code, result.output);
      assertTrue(result.output.contains("Usage: pipeops-agent " + command), result.output);
    }
    assertTrue(run("version").output.contains(System.getProperty("agent.version")));
  }

  private static String good() {
    return """
    link:
      url: https://hub.example.test
      token_file: /etc/pipeops/token
      cluster_name: edge
    """;
  }

  private Result check(String command, String yaml) throws Exception {
    Path file = Files.writeString(dir.resolve("settings.yaml"), yaml);
    return run(command, "--config", file.toString(), "--run-dir", dir.resolve("run").toString());
  }

  private static Result run(String... arguments) throws Exception {
    List<String> line = new ArrayList<>();
    line.add(Program.IMAGE.resolve("bin/pipeops-agent").toString());
    line.addAll(List.of(arguments));
    Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    if (!process.waitFor(60, TimeUnit.SECONDS)) {
      process.destroyForcibly();
      throw new AssertionError(line + " does not end");
    }
    return new Result(process.exitValue(), output);
  }
}
