package io.pipeops.agent.tunnel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.pipeops.agent.protocol.ProxyRequestBuilder;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** Ten thousand requests of every kind, and nothing is left of them. */
@Isolated("counts the threads of this process")
class SoakTest {
  private static final int REQUESTS = 10_000;

  @Test
  void nothingPilesUp() throws Exception {
    try (Bench bench = new Bench(Bench.bounds(32, 1024, 1 << 20, 1 << 20, 64 << 20));
        Target target =
            new Target(
                exchange -> {
                  while (true) {
                    String head = exchange.head();
                    if (head.isEmpty() || head.startsWith("GET /die")) {
                      return;
                    }
                    exchange.ok(exchange.body(head) + "0123456789".repeat(200));
                  }
                })) {
      Semaphore window = new Semaphore(64);
      int ended = 0;
      for (int i = 0; i < REQUESTS; i++) {
        window.acquire();
        String id = "r" + i;
        boolean upload = i % 3 == 0;
        ProxyRequestBuilder request =
            Bench.to(target, upload ? "POST" : "GET", i % 50 == 1 ? "/die" : "/")
                .useStreaming(upload)
                .supportsResponseStreaming(i % 2 == 0);
        bench.peer.request(id, request);
        if (upload) {
          bench.peer.chunk(id, "body");
          bench.peer.endBody(id);
        }
        if (i % 20 == 2) {
          bench.peer.cancel(id);
        }
        Thread.startVirtualThread(
            () -> {
              bench.peer.awaitEnd(id);
              window.release();
            });
        if (i % 1000 == 999) {
          window.acquire(64);
          for (int j = i - 999; j <= i; j++) {
            assertEquals(1, bench.peer.terminals("r" + j));
            ended++;
          }
          bench.peer.forget();
          window.release(64);
        }
      }
      assertEquals(REQUESTS, ended);
      bench.assertClean();
      long threads =
          Thread.getAllStackTraces().keySet().stream()
              .filter(t -> t.getName().startsWith("tunnel"))
              .count();
      assertTrue(threads <= 20, "threads: " + threads);
      assertEquals(REQUESTS, bench.numbers.get("request_seconds"));
    }
  }
}
