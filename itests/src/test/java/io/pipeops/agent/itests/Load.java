package io.pipeops.agent.itests;

import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Requests at a steady rate through the tunnel, over a few kept connections as a client library
 * does; remembers every one that did not come back well.
 */
final class Load implements AutoCloseable {
  private static final int CLIENTS = 8;

  private final ScheduledExecutorService clients = Executors.newScheduledThreadPool(CLIENTS);
  private final List<String> failures = Collections.synchronizedList(new ArrayList<>());
  private final AtomicLong done = new AtomicLong();
  private final AtomicLong slowestNanos = new AtomicLong();
  private final HttpClient client;
  private final HttpRequest request;

  private Load(HttpClient client, HttpRequest request) {
    this.client = client;
    this.request = request;
  }

  /**
   * A machine that cannot keep the rate gets what it can: a client sends only when it had its
   * answer.
   */
  static Load start(Spine spine, int perSecond) throws Exception {
    return start(spine, perSecond, "demo");
  }

  /** Asks for a namespace of this name. */
  static Load start(Spine spine, int perSecond, String namespace) throws Exception {
    return start(spine.client(), spine.api("/api/v1/namespaces/" + namespace).build(), perSecond);
  }

  /** By a kubeconfig of the hub, whose certificate the CA has made. */
  static Load start(Path kubeconfig, Path ca, int perSecond) throws Exception {
    return start(
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .sslContext(Spine.trust(ca))
            .build(),
        Spine.api(kubeconfig, "/api/v1/namespaces/default").build(),
        perSecond);
  }

  private static Load start(HttpClient client, HttpRequest request, int perSecond) {
    Load load = new Load(client, request);
    long period = TimeUnit.SECONDS.toMicros(1) * CLIENTS / perSecond;
    for (int i = 0; i < CLIENTS; i++) {
      load.clients.scheduleAtFixedRate(
          load::ask, period * i / CLIENTS, period, TimeUnit.MICROSECONDS);
    }
    return load;
  }

  private void ask() {
    long begin = System.nanoTime();
    try {
      HttpResponse<String> response = client.send(request, BodyHandlers.ofString());
      if (response.statusCode() != 200 || !response.body().contains("\"Namespace\"")) {
        failures.add(response.statusCode() + " " + response.body());
      }
    } catch (Exception e) {
      failures.add(e.toString());
    }
    slowestNanos.accumulateAndGet(System.nanoTime() - begin, Math::max);
    done.incrementAndGet();
  }

  void stop() throws InterruptedException {
    clients.shutdown();
    if (!clients.awaitTermination(60, TimeUnit.SECONDS)) {
      failures.add("requests do not end");
    }
  }

  /** What went wrong, one a line; empty if nothing did. */
  String failures() {
    return String.join("\n", failures);
  }

  long done() {
    return done.get();
  }

  long slowestMillis() {
    return slowestNanos.get() / 1_000_000;
  }

  @Override
  public void close() {
    clients.shutdownNow();
  }
}
