package io.pipeops.agent.itests;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** {@code logs -f} of a demo pod through the tunnel; the lines are numbered, so a gap shows. */
final class Follow implements AutoCloseable {
  private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
  private final InputStream body;
  private final Thread reader;
  private volatile boolean closed;
  private volatile String error = "";

  private Follow(InputStream body) {
    this.body = body;
    this.reader = Thread.startVirtualThread(this::read);
  }

  static Follow start(Spine spine) throws Exception {
    String pod =
        Await.value(
            "a running demo pod",
            Duration.ofSeconds(30),
            () -> {
              JsonNode list = Spine.JSON.readTree(spine.get("/api/v1/namespaces/demo/pods").body());
              for (JsonNode item : list.path("items")) {
                if (item.path("status").path("phase").asText().equals("Running")) {
                  return item.path("metadata").path("name").asText();
                }
              }
              return null;
            });
    var response =
        spine
            .client()
            .send(
                spine
                    .api("/api/v1/namespaces/demo/pods/" + pod + "/log?follow=true&tailLines=1")
                    .timeout(Duration.ofMinutes(10))
                    .build(),
                BodyHandlers.ofInputStream());
    if (response.statusCode() != 200) {
      throw new IOException("logs: " + response.statusCode());
    }
    return new Follow(response.body());
  }

  private void read() {
    try (BufferedReader in =
        new BufferedReader(new InputStreamReader(body, StandardCharsets.UTF_8))) {
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        lines.add(line);
      }
      if (!closed) {
        error = "the stream ended";
      }
    } catch (IOException e) {
      if (!closed) {
        error = e.toString();
      }
    }
  }

  int lines() {
    return lines.size();
  }

  void awaitLines(int count) {
    Await.until(count + " log lines" + error, Duration.ofSeconds(60), () -> lines.size() >= count);
  }

  /** What is wrong with the lines seen: cut, missing or doubled; empty if all is well. */
  String gaps() {
    StringBuilder wrong = new StringBuilder(error);
    long last = -1;
    for (String line : List.copyOf(lines)) {
      long number = Long.parseLong(line.replaceAll("^.*?line[ =](\\d+).*$", "$1"));
      if (last >= 0 && number != last + 1) {
        wrong.append(last).append(" -> ").append(number).append('\n');
      }
      last = number;
    }
    return wrong.toString();
  }

  @Override
  public void close() throws IOException {
    closed = true;
    body.close();
    reader.interrupt();
  }
}
