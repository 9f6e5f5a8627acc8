package io.pipeops.agent.launcher;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import org.apache.commons.cli.ParseException;

/**
 * {@code pipeops-agent check}: asks an agent whether it is connected and registered, and with a hub
 * named, goes once through that hub to the cluster's API. What {@code helm test} runs.
 */
final class CheckCommand {
  private static final long PAUSE_NANOS = Duration.ofSeconds(1).toNanos();

  private final PrintStream out;
  private final PrintStream err;
  private final ObjectMapper json = new ObjectMapper();

  CheckCommand(PrintStream out, PrintStream err) {
    this.out = out;
    this.err = err;
  }

  int run(CommandLine line) throws IOException, ParseException {
    String address = line.text("--address", "http://127.0.0.1:8080").replaceAll("/+$", "");
    long end = System.nanoTime() + Duration.ofSeconds(line.number("--wait", 0)).toNanos();
    String hub = line.text("--hub", null);
    if (!passes(() -> ready(address), end)) {
      return ExitCode.FAILURE;
    }
    if (hub != null) {
      HubClient client =
          HubClient.of(
              hub.replaceAll("/+$", ""),
              required(line, "--hub-token-file"),
              line.text("--hub-ca-file", null));
      String name = line.text("--cluster-name", "");
      if (!passes(() -> roundTrip(client, name), end)) {
        return ExitCode.FAILURE;
      }
    }
    return ExitCode.OK;
  }

  private static Path required(CommandLine line, String option) throws IOException {
    String value = line.text(option, null);
    if (value == null) {
      throw new IOException(
          "--hub needs " + option + ", a file with the hub's administrator token");
    }
    return Path.of(value);
  }

  private interface Step {
    /** What was found. */
    String take() throws IOException;
  }

  /** Tries until it succeeds or the time is over; says how it went. */
  private boolean passes(Step step, long end) {
    while (true) {
      String trouble;
      try {
        out.println(step.take());
        return true;
      } catch (IOException e) {
        trouble = e.getMessage();
      }
      if (System.nanoTime() + PAUSE_NANOS > end) {
        err.println("Not so: " + trouble);
        return false;
      }
      LockSupport.parkNanos(PAUSE_NANOS);
    }
  }

  private String ready(String address) throws IOException {
    HubClient.Reply reply = HubClient.plain(address).get("/ready");
    JsonNode body = reply.json(json);
    boolean through = body.path("connected").asBoolean() && body.path("registered").asBoolean();
    if (reply.status() != 200 || !through) {
      throw new IOException(
          "the agent at %s answers %d: %s"
              .formatted(
                  address,
                  reply.status(),
                  body.path("reason").asText("connected and registered it is not")));
    }
    return "Agent is connected and registered, state " + body.path("connection_state").asText("?");
  }

  private String roundTrip(HubClient hub, String name) throws IOException {
    JsonNode found = null;
    for (JsonNode cluster :
        hub.get("/api/v1/clusters?limit=500").expect(200).json(json).path("items")) {
      if (cluster.path("name").asText().equals(name) && cluster.path("connected").asBoolean()) {
        found = cluster;
      }
    }
    if (found == null) {
      throw new IOException("the hub has no connected cluster of the name " + name);
    }
    String tokens = "/api/v1/clusters/" + found.path("id").asText() + "/tokens";
    JsonNode token =
        hub.post(tokens, "{\"name\":\"check\",\"ttl\":\"10m\"}").expect(201).json(json);
    try {
      long begin = System.nanoTime();
      JsonNode version =
          hub.as(token.path("token").asText())
              .get(found.path("api_path").asText() + "/version")
              .expect(200)
              .json(json);
      return "Kubernetes %s answers through the hub in %d ms"
          .formatted(
              version.path("gitVersion").asText("?"),
              Duration.ofNanos(System.nanoTime() - begin).toMillis());
    } finally {
      hub.delete(tokens + "/" + token.path("id").asText());
    }
  }
}
