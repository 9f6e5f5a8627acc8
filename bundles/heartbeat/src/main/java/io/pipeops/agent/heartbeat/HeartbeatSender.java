package io.pipeops.agent.heartbeat;

import io.pipeops.agent.api.heartbeat.HeartbeatFact;
import io.pipeops.agent.api.heartbeat.HeartbeatStatus;
import io.pipeops.agent.api.link.Link;
import io.pipeops.agent.api.link.LinkListener;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Heartbeat;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.metatype.annotations.Designate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends a heartbeat at once when the link comes up, then at the pace of the connection's state.
 * While the link is down a heartbeat is skipped and counted, not failed. One that cannot be written
 * is tried again for as long as that connection lives.
 */
@Component(
    service = {LinkListener.class, HeartbeatStatus.class, HeartbeatSender.class},
    immediate = true,
    configurationPid = "io.pipeops.agent.heartbeat")
@Designate(ocd = HeartbeatConfig.class)
public final class HeartbeatSender implements LinkListener, HeartbeatStatus {
  private static final Logger log = LoggerFactory.getLogger(HeartbeatSender.class);
  private static final Duration WRITE_LIMIT = Duration.ofSeconds(10);
  private static final Duration FACT_LIMIT = Duration.ofSeconds(1);
  private static final long STOP_MILLIS = 2_000;

  /** What the existing agent says when it does not know better (protocol 2.5.1). */
  private static final String UNKNOWN_K8S = "v1.28.0+k3s1";

  @Reference(policyOption = ReferencePolicyOption.GREEDY)
  volatile List<HeartbeatFact> facts = List.of();

  private final String agentVersion;
  private final Pace pace;
  private final Metrics.Counter succeeded;
  private final Metrics.Counter failed;
  private final Metrics.Counter skipped;
  private final Metrics.Distribution duration;
  private final FactCollection collection = new FactCollection(FACT_LIMIT);
  private final Thread thread;

  private Link link;
  private LinkStatus status;
  private long due = System.nanoTime();
  private Instant lastSuccess;
  private Instant usableSince;
  private int failures;

  /** Counts the connections, so that a heartbeat of an old one does not delay one of a new one. */
  private int connection;

  private boolean closed;

  @Activate
  public HeartbeatSender(
      BundleContext context, @Reference Metrics metrics, HeartbeatConfig config) {
    this(String.valueOf(context.getProperty("agent.version")), metrics, Pace.of(config));
  }

  HeartbeatSender(String agentVersion, Metrics metrics, Pace pace) {
    this.agentVersion = agentVersion;
    this.pace = pace;
    succeeded =
        metrics.counter("pipeops_agent_heartbeat_success_total", "Heartbeats that were sent");
    failed =
        metrics.counter(
            "pipeops_agent_heartbeat_failures_total", "Heartbeats given up after all retries");
    skipped =
        metrics.counter(
            "pipeops_agent_heartbeat_skip_reconnecting_total",
            "Heartbeats skipped because the link was down");
    duration =
        metrics.distribution(
            "pipeops_agent_heartbeat_duration_seconds", "Time to write a heartbeat to the link");
    thread = Thread.ofVirtual().name("heartbeat").start(this::run);
  }

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void setLink(Link service) {
    LinkStatus now = service.status();
    synchronized (this) {
      link = service;
      status = null;
    }
    linkChanged(now);
  }

  synchronized void unsetLink(Link service) {
    if (link == service) {
      link = null;
      status = null;
      usableSince = null;
      notifyAll();
    }
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
  public synchronized void linkChanged(LinkStatus now) {
    boolean before = usable(status);
    status = now;
    if (!usable(now)) {
      usableSince = null;
    } else if (!before) {
      usableSince = Instant.now();
      connection++;
      due = System.nanoTime();
    }
    notifyAll();
  }

  @Override
  public synchronized Optional<Instant> lastSuccess() {
    return Optional.ofNullable(lastSuccess);
  }

  @Override
  public synchronized int consecutiveFailures() {
    return failures;
  }

  /** Since when heartbeats can be sent; empty while there is no registered connection. */
  synchronized Optional<Instant> usableSince() {
    return Optional.ofNullable(usableSince);
  }

  Pace pace() {
    return pace;
  }

  private static boolean usable(LinkStatus status) {
    return status != null && status.connected() && status.registered();
  }

  private void run() {
    try {
      while (awaitDue()) {
        try {
          tick();
        } catch (RuntimeException e) {
          log.error("A heartbeat failed unexpectedly; going on", e);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Waits for the next heartbeat; false if there will be none. */
  private synchronized boolean awaitDue() throws InterruptedException {
    while (!closed) {
      long left = due - System.nanoTime();
      if (link == null) {
        wait();
      } else if (left > 0) {
        TimeUnit.NANOSECONDS.timedWait(this, left);
      } else {
        LinkState state = status == null ? LinkState.DISCONNECTED : status.state();
        due = System.nanoTime() + pace.period(state).toNanos();
        return true;
      }
    }
    return false;
  }

  private void tick() throws InterruptedException {
    for (int attempt = 1; ; attempt++) {
      Link target;
      LinkStatus now;
      int over;
      synchronized (this) {
        target = link;
        now = status;
        over = connection;
      }
      if (target == null || !usable(now)) {
        skipped.increment();
        return;
      }
      if (sent(target, now, over)) {
        return;
      }
      if (attempt >= pace.attempts()) {
        failed.increment();
        synchronized (this) {
          failures++;
        }
        log.warn("Heartbeat given up after attempts={}; the next one follows", attempt);
        return;
      }
      pause(over, pace.pause(attempt));
    }
  }

  private boolean sent(Link target, LinkStatus now, int over) throws InterruptedException {
    ByteBuffer message = message(now);
    long start = System.nanoTime();
    try {
      target.deliver(Outgoing.text(Priority.CONTROL, "heartbeat", message), WRITE_LIMIT);
    } catch (LinkLostException e) {
      log.debug("Heartbeat not sent: {}", e.getMessage());
      return false;
    } catch (TimeoutException e) {
      log.warn("Heartbeat could not be written within {}; trying again", WRITE_LIMIT);
      return false;
    }
    duration.record((System.nanoTime() - start) / 1e9);
    succeeded.increment();
    synchronized (this) {
      lastSuccess = Instant.now();
      failures = 0;
      if (over == connection) {
        due = System.nanoTime() + pace.period(LinkState.CONNECTED).toNanos();
      }
    }
    return true;
  }

  /** Waits for the next try; a connection that drops ends the waiting. */
  private synchronized void pause(int over, Duration pause) throws InterruptedException {
    long end = System.nanoTime() + pause.toNanos();
    while (!closed && usable(status) && over == connection) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        return;
      }
      TimeUnit.NANOSECONDS.timedWait(this, left);
    }
  }

  private ByteBuffer message(LinkStatus now) throws InterruptedException {
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("agent_version", agentVersion);
    metadata.put("k8s_version", UNKNOWN_K8S);
    metadata.put("k8s_nodes", 0);
    metadata.put("k8s_pods", 0);
    metadata.put("cpu_usage", ClusterFigures.UNKNOWN);
    metadata.put("memory_usage", ClusterFigures.UNKNOWN);
    metadata.put("is_private", true);
    metadata.put("gateway_routes", 0);
    Map<String, Object> fields = new LinkedHashMap<>();
    collection.collect(facts, fields, metadata);
    return Envelopes.write(
        "",
        new Heartbeat(now.clusterId(), now.agentId(), "healthy", "connected", metadata, fields));
  }
}
