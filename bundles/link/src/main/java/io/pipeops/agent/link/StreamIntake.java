package io.pipeops.agent.link;

import io.pipeops.agent.api.link.StreamHandler;
import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.agent.protocol.yamux.WindowBudget;
import io.pipeops.agent.protocol.yamux.YamuxSettings;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What the streams of all connections meet here: their handlers, their limits, and the memory that
 * they share. Safe for threads.
 */
final class StreamIntake {
  /** Until the settings are known. */
  private static final StreamLimits START =
      new StreamLimits(true, 4096, 4 << 20, 4 << 20, Duration.ofSeconds(5));

  private final Handlers<StreamHandler> handlers = new Handlers<>(StreamHandler.PROTOCOLS);
  private final AtomicInteger open = new AtomicInteger();
  final Metrics.Counter accepted;
  final Metrics.Counter refused;
  final Metrics.Counter orphans;
  private volatile StreamLimits limits = START;
  private volatile WindowBudget budget = new WindowBudget(START.memory());

  StreamIntake(Metrics metrics) {
    String streams = "Streams that the peer opened";
    accepted = metrics.counter("pipeops_agent_link_streams_total", streams, "result", "accepted");
    refused = metrics.counter("pipeops_agent_link_streams_total", streams, "result", "refused");
    orphans =
        metrics.counter(
            "pipeops_agent_link_orphans_total",
            "Streams that were ended because the peer did not know them any more");
    metrics.gauge("pipeops_agent_link_streams_open", "Streams open now", open::get);
    metrics.gauge(
        "pipeops_agent_link_stream_memory_bytes",
        "Memory that unread data and large windows of streams take",
        () -> budget.used());
  }

  Handlers<StreamHandler> handlers() {
    return handlers;
  }

  /** New limits, for connections that come. */
  void limits(StreamLimits next) {
    if (next.memory() != limits.memory()) {
      budget = new WindowBudget(next.memory());
    }
    limits = next;
  }

  StreamLimits limits() {
    return limits;
  }

  WindowBudget budget() {
    return budget;
  }

  /**
   * How a session behaves that a gateway offers.
   *
   * @param compared whether both sides tell each other which streams they know
   */
  YamuxSettings settings(int window, Duration keepAlive, Duration timeout, boolean compared) {
    StreamLimits now = limits;
    int most = Math.max(YamuxSettings.BASE_WINDOW, now.window());
    YamuxSettings base = YamuxSettings.DEFAULT;
    return new YamuxSettings(
            base.startWindow(),
            most,
            base.backlog(),
            now.streams(),
            base.keepAlive(),
            base.timeout(),
            compared ? YamuxSettings.HALF_CLOSED_FOR_EVER : base.halfClosed())
        .with(Math.min(window, most), keepAlive, timeout);
  }

  /** The handler of a protocol; waits for it. Null if there is none in time. */
  StreamHandler await(String protocol) throws InterruptedException {
    StreamHandler handler = handlers.find(protocol);
    if (handler != null) {
      return handler;
    }
    long end = System.nanoTime() + limits.hold().toNanos();
    while (true) {
      CountDownLatch changed = new CountDownLatch(1);
      Runnable watcher = changed::countDown;
      handlers.watch(watcher);
      try {
        handler = handlers.find(protocol);
        if (handler != null) {
          return handler;
        }
        if (!changed.await(end - System.nanoTime(), TimeUnit.NANOSECONDS)) {
          return null;
        }
      } finally {
        handlers.unwatch(watcher);
      }
    }
  }

  void opened() {
    open.incrementAndGet();
  }

  void closed() {
    open.decrementAndGet();
  }

  /** How many are open now. */
  int open() {
    return open.get();
  }
}
