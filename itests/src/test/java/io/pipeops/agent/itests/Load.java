package io.pipeops.agent.itests;

import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Requests at a steady rate through the tunnel; remembers every one that did not come back well.
 */
final class Load implements AutoCloseable {
  private final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
  private final List<Thread> requests = Collections.synchronizedList(new ArrayList<>());
  private final List<String> failures = Collections.synchronizedList(new ArrayList<>());
  private final AtomicLong done = new AtomicLong();
  private final AtomicLong slowestNanos = new AtomicLong();

  static Load start(Spine spine, int perSecond) throws Exception {
    Load load = new Load();
    var request = spine.api("/api/v1/namespaces/demo").build();
    var client = spine.client();
    load.clock.scheduleAtFixedRate(
        () ->
            load.requests.add(
                Thread.startVirtualThread(
                    () -> {
                      long begin = System.nanoTime();
                      try {
                        HttpResponse<String> response =
                            client.send(request, BodyHandlers.ofString());
                        if (response.statusCode() != 200
                            || !response.body().contains("\"Namespace\"")) {
                          load.failures.add(response.statusCode() + " " + response.body());
                        }
                      } catch (Exception e) {
                        load.failures.add(e.toString());
                      }
                      load.slowestNanos.accumulateAndGet(System.nanoTime() - begin, Math::max);
                      load.done.incrementAndGet();
                    })),
        0,
        1_000_000L / perSecond,
        TimeUnit.MICROSECONDS);
    return load;
  }

  void stop() throws InterruptedException {
    clock.shutdown();
    clock.awaitTermination(10, TimeUnit.SECONDS);
    for (Thread request : List.copyOf(requests)) {
      request.join();
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
    clock.shutdownNow();
  }
}
