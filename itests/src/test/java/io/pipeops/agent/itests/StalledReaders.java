package io.pipeops.agent.itests;

import java.io.InputStream;
import java.net.http.HttpClient;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;

/**
 * Clients that have asked the cluster's API for some megabytes through hub and agent, have read the
 * first byte, and then read nothing.
 */
final class StalledReaders implements AutoCloseable {
  private static final String PATH = "/openapi/v2";

  private final HttpClient client;
  private final List<InputStream> readers = new ArrayList<>();

  StalledReaders(Spine spine, int count) throws Exception {
    client =
        HttpClient.newBuilder().sslContext(Spine.trust(spine.dir.resolve("hub/ca.crt"))).build();
    for (int i = 0; i < count; i++) {
      HttpResponse<InputStream> answer =
          client.send(
              spine.api(PATH).header("Accept", "application/json").build(),
              BodyHandlers.ofInputStream());
      if (answer.statusCode() != 200 || answer.body().read() != '{') {
        throw new AssertionError(PATH + " answers " + answer.statusCode());
      }
      readers.add(answer.body());
    }
  }

  /** Lets one of them read all that is left; how many bytes it were in all. */
  long finish(int reader) throws Exception {
    return 1 + readers.get(reader).transferTo(java.io.OutputStream.nullOutputStream());
  }

  @Override
  public void close() {
    client.shutdownNow();
  }
}
