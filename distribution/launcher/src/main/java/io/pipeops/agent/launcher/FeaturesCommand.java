package io.pipeops.agent.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * {@code pipeops-agent features}: asks the running agent over its local HTTP port and prints a
 * table.
 */
final class FeaturesCommand {
  private static final int LIMIT_MILLIS = 5_000;
  private static final int MAX_ANSWER = 4 << 20;

  private final PrintStream out;
  private final PrintStream err;

  FeaturesCommand(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  int run(CommandLine line) throws IOException {
    String address = address(line);
    byte[] answer;
    try {
      answer = get(URI.create(address + "/api/features"));
    } catch (IOException | IllegalArgumentException e) {
      err.println(
          "No agent answers on "
              + address
              + " ("
              + e.getMessage()
              + "); name its port with --address or its run folder with --run-dir");
      return ExitCode.FAILURE;
    }
    if (line.has("--json")) {
      out.println(new String(answer, StandardCharsets.UTF_8));
      return ExitCode.OK;
    }
    print(new ObjectMapper().readTree(answer));
    return ExitCode.OK;
  }

  private static String address(CommandLine line) throws IOException {
    String address = line.text("--address", null);
    String runDir = line.text("--run-dir", null);
    if (address != null) {
      return address.replaceAll("/+$", "");
    }
    if (runDir != null) {
      return Files.readString(Path.of(runDir, "http.address")).strip();
    }
    return "http://127.0.0.1:8080";
  }

  private static byte[] get(URI uri) throws IOException {
    HttpURLConnection connection = (HttpURLConnection) uri.toURL().openConnection();
    connection.setConnectTimeout(LIMIT_MILLIS);
    connection.setReadTimeout(LIMIT_MILLIS);
    if (connection.getResponseCode() != HttpURLConnection.HTTP_OK) {
      throw new IOException("status " + connection.getResponseCode());
    }
    try (InputStream in = connection.getInputStream()) {
      return in.readNBytes(MAX_ANSWER);
    }
  }

  private void print(JsonNode answer) {
    String row = "%-20s %-10s %-10s %s%n";
    out.printf(row, "FEATURE", "VERSION", "STATE", "BUNDLES");
    for (JsonNode feature : answer.path("features")) {
      StringBuilder bundles = new StringBuilder();
      for (JsonNode bundle : feature.path("bundles")) {
        bundles
            .append(bundles.isEmpty() ? "" : ", ")
            .append(bundle.path("symbolicName").asText())
            .append(' ')
            .append(bundle.path("version").asText())
            .append(' ')
            .append(bundle.path("state").asText());
      }
      out.printf(
          row,
          feature.path("name").asText(),
          feature.path("version").asText(),
          feature.path("state").asText(),
          bundles);
      String reason = feature.path("reason").asText("");
      if (!reason.isEmpty()) {
        out.printf("  reason: %s%n", reason);
      }
    }
  }
}
