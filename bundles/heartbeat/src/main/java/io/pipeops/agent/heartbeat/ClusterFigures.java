package io.pipeops.agent.heartbeat;

import io.pipeops.agent.api.heartbeat.HeartbeatFact;
import io.pipeops.agent.api.kubernetes.ApiCalls;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cluster's size and load in every heartbeat: {@code k8s_nodes}, {@code k8s_pods}, and {@code
 * cpu_usage} and {@code memory_usage} as percent of what the nodes can give, such as {@code 37%},
 * or {@code unknown} while the metrics API is away. A thread looks now and then; heartbeats take
 * what it found last.
 */
@Component(configurationPid = "io.pipeops.agent.heartbeat", immediate = true)
public final class ClusterFigures implements HeartbeatFact {
  static final String UNKNOWN = "unknown";

  private static final Logger log = LoggerFactory.getLogger(ClusterFigures.class);
  private static final Duration FIRST_PAUSE = Duration.ofSeconds(5);
  private static final long STOP_MILLIS = 2_000;

  private final FigureReader reader;
  private final Duration period;
  private final Duration firstPause;
  private final Thread thread;
  private Figures figures = Figures.NONE;
  private String complaint = "";
  private boolean closed;

  @Activate
  public ClusterFigures(@Reference ApiCalls calls, HeartbeatConfig config) {
    this(calls, Duration.ofSeconds(config.refresh_seconds()), FIRST_PAUSE);
  }

  ClusterFigures(ApiCalls calls, Duration period, Duration firstPause) {
    this.reader = new FigureReader(calls);
    this.period = period;
    this.firstPause = firstPause;
    thread = Thread.ofVirtual().name("heartbeat-figures").start(this::run);
  }

  @Deactivate
  void close() throws InterruptedException {
    synchronized (this) {
      closed = true;
      notifyAll();
    }
    thread.interrupt();
    thread.join(STOP_MILLIS);
  }

  @Override
  public synchronized Map<String, Object> facts() {
    return Map.of(
        "metadata",
        Map.of(
            "k8s_nodes", figures.nodes(),
            "k8s_pods", figures.pods(),
            "cpu_usage", figures.cpu(),
            "memory_usage", figures.memory()));
  }

  private void run() {
    Duration pause = firstPause;
    try {
      while (true) {
        Duration wait;
        try {
          Figures found = reader.read();
          wait = longer(period, found.patience());
          pause = firstPause;
          synchronized (this) {
            figures = found;
          }
          complain(found.complaint());
        } catch (IOException e) {
          complain(e.getMessage());
          wait = pause;
          pause = pause.multipliedBy(2).compareTo(period) > 0 ? period : pause.multipliedBy(2);
        }
        synchronized (this) {
          long end = System.nanoTime() + wait.toNanos();
          while (!closed && end - System.nanoTime() > 0) {
            TimeUnit.NANOSECONDS.timedWait(this, end - System.nanoTime());
          }
          if (closed) {
            return;
          }
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (RuntimeException e) {
      log.error("The cluster's figures are not looked at any more", e);
    }
  }

  private static Duration longer(Duration one, Duration other) {
    return one.compareTo(other) > 0 ? one : other;
  }

  private void complain(String text) {
    if (!text.equals(complaint)) {
      complaint = text;
      if (text.isEmpty()) {
        log.info("The cluster's figures are complete again");
      } else {
        log.warn("Heartbeats lack some of the cluster's figures: {}; asking again", text);
      }
    }
  }

  /**
   * What was found.
   *
   * @param complaint what could not be found; empty if all was
   * @param patience how long the server wants to be left alone
   */
  record Figures(
      long nodes, long pods, String cpu, String memory, String complaint, Duration patience) {
    static final Figures NONE = new Figures(0, 0, UNKNOWN, UNKNOWN, "", Duration.ZERO);
  }
}
