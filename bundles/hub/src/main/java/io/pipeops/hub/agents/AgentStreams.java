package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.GatewayHello;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.OrphanWatch;
import io.pipeops.agent.protocol.ResumeOffer;
import io.pipeops.agent.protocol.StreamIds;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.WindowBudget;
import io.pipeops.agent.protocol.yamux.YamuxSession;
import io.pipeops.agent.protocol.yamux.YamuxSettings;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.agent.protocol.yamux.YamuxTransport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The hub's side of yamux on one agent's connection (protocol 1.9, 5.3, 5.4). It is offered when
 * the agent serves a cluster and begins when the agent accepts; before that, and with agents that
 * do not, there are no streams. Safe for threads.
 */
public final class AgentStreams implements YamuxTransport {
  private static final Logger log = LoggerFactory.getLogger(AgentStreams.class);

  private static final Set<String> KNOWN =
      Set.of(Extensions.API_STREAM, Extensions.DATAGRAMS, Extensions.STREAM_IDS, Extensions.RESUME);

  /** The WebSocket's own pings tell that the agent is alive; these would only cost bytes. */
  private static final Duration KEEP_ALIVE = Duration.ofHours(1);

  private static final Duration TIMEOUT = Duration.ofSeconds(30);
  private static final Duration ORPHAN_AFTER = Duration.ofSeconds(30);

  /** What of the JSON requests on the connection is needed. */
  interface Requests {
    List<String> live();

    void orphaned(String id);
  }

  private final AgentWriter writer;
  private final ResumeOffer resume;
  private final StreamLimits limits;
  private final WindowBudget budget;
  private final AgentMetrics metrics;
  private final Requests requests;
  private final Consumer<String> broken;
  private final OrphanWatch<String> lostRequests = new OrphanWatch<>(ORPHAN_AFTER);
  private final OrphanWatch<Long> lostStreams = new OrphanWatch<>(ORPHAN_AFTER);
  private final AtomicReference<AutoCloseable> attachment = new AtomicReference<>();
  private volatile YamuxSession session;
  private volatile Set<String> agreed = Set.of();
  private volatile boolean over;
  private boolean offered;

  /**
   * For one connection.
   *
   * @param resume what is offered for the case that the connection is lost; null for nothing
   * @param broken told why the session has ended by itself; must not block
   */
  AgentStreams(
      AgentWriter writer,
      ResumeOffer resume,
      StreamLimits limits,
      WindowBudget budget,
      AgentMetrics metrics,
      Requests requests,
      Consumer<String> broken) {
    this.writer = writer;
    this.resume = resume;
    this.limits = limits;
    this.budget = budget;
    this.metrics = metrics;
    this.requests = requests;
    this.broken = broken;
  }

  /** Offers streams to the agent, once. */
  void offer() {
    synchronized (this) {
      if (offered || !limits.enabled()) {
        return;
      }
      offered = true;
    }
    Set<String> known = new HashSet<>(KNOWN);
    Map<String, Object> extra = new HashMap<>();
    if (resume == null) {
      known.remove(Extensions.RESUME);
    } else {
      extra.putAll(resume.fields());
    }
    extra.putAll(Extensions.fields(known));
    ByteBuffer hello =
        Envelopes.write(
            "", new GatewayHello(true, YamuxSettings.BASE_WINDOW, KEEP_ALIVE, TIMEOUT, extra));
    if (resume == null) {
      writer.control(hello);
    } else {
      writer.offer(hello);
    }
  }

  /**
   * The agent's answer. On the reader thread.
   *
   * @return whether it is the first one, and accepts
   */
  boolean accepted(GatewayHelloAck ack) {
    synchronized (this) {
      if (!offered || session != null || over || !ack.useYamux()) {
        return false;
      }
      Set<String> both = new HashSet<>(Extensions.read(ack.extra()));
      both.retainAll(KNOWN);
      if (resume == null) {
        both.remove(Extensions.RESUME);
      }
      agreed = Set.copyOf(both);
      YamuxSettings base = YamuxSettings.DEFAULT;
      session =
          YamuxSession.server(
              new YamuxSettings(
                  base.startWindow(),
                  Math.max(base.startWindow(), limits.window()),
                  base.backlog(),
                  limits.streams(),
                  Duration.ZERO,
                  TIMEOUT,
                  both.contains(Extensions.STREAM_IDS)
                      ? YamuxSettings.HALF_CLOSED_FOR_EVER
                      : base.halfClosed()),
              this,
              budget);
    }
    log.debug("Streams can be opened extensions={}", agreed);
    return true;
  }

  /**
   * Takes a binary message. On the reader thread.
   *
   * @return false if it is none of yamux, because there is no session
   */
  boolean feed(byte[] message) {
    YamuxSession now = session;
    if (now == null) {
      return false;
    }
    now.feed(ByteBuffer.wrap(message));
    return true;
  }

  /** Whether streams can be opened now. */
  public boolean ready() {
    YamuxSession now = session;
    return now != null && !now.ended();
  }

  /** Whether the agent knows an extension, and streams can be opened. */
  public boolean knows(String extension) {
    return agreed.contains(extension) && ready();
  }

  /**
   * Opens a stream; the header is on its way when this returns. The caller has to close it.
   *
   * @throws IOException if there is no session, or it takes no more streams
   */
  public YamuxStream open(StreamHeader header) throws IOException, InterruptedException {
    YamuxSession now = session;
    if (now == null) {
      throw new IOException("the agent does not carry streams");
    }
    YamuxStream stream = now.open();
    boolean written = false;
    try {
      stream.write(header.write());
      written = true;
      metrics.tcpStreams.increment();
      return stream;
    } finally {
      if (!written) {
        stream.close();
      }
    }
  }

  /** How many streams are open. */
  int open() {
    YamuxSession now = session;
    return now == null ? 0 : now.activeStreams();
  }

  /**
   * Something that belongs to this connection and ends with it, made when it is first asked for.
   *
   * @param make makes it; may run more than once, what is not needed is closed
   */
  public <T extends AutoCloseable> T attached(Class<T> type, java.util.function.Supplier<T> make) {
    AutoCloseable there = attachment.get();
    if (there == null) {
      AutoCloseable made = make.get();
      if (attachment.compareAndSet(null, made)) {
        there = made;
        if (over) {
          close(made);
        }
      } else {
        close(made);
        there = attachment.get();
      }
    }
    return type.cast(there);
  }

  /** Another connection takes over: what only waits here for its next use is ended. */
  void retire() {
    AutoCloseable attached = attachment.get();
    if (attached != null) {
      close(attached);
    }
  }

  private static void close(AutoCloseable part) {
    try {
      part.close();
    } catch (Exception e) {
      log.debug("While a connection ended: {}", e.toString());
    }
  }

  /** What both sides hold (extension stream-ids). On the reader thread. */
  void ids(StreamIds theirs) {
    YamuxSession now = session;
    if (now == null || !agreed.contains(Extensions.STREAM_IDS)) {
      return;
    }
    long time = System.nanoTime();
    for (String id :
        lostRequests.compare(requests.live(), new HashSet<>(theirs.requests()), time)) {
      metrics.orphans.increment();
      requests.orphaned(id);
    }
    for (Long id : lostStreams.compare(now.streamIds(), new HashSet<>(theirs.streams()), time)) {
      metrics.orphans.increment();
      now.reset(id);
    }
    if (!theirs.answer()) {
      tell(true);
    }
  }

  /** Names what is alive, if anything is; to be called once a minute. */
  void compare() {
    if (knows(Extensions.STREAM_IDS) && (open() > 0 || !requests.live().isEmpty())) {
      tell(false);
    }
  }

  private void tell(boolean answer) {
    YamuxSession now = session;
    if (now != null) {
      writer.control(Envelopes.write("", new StreamIds(answer, requests.live(), now.streamIds())));
    }
  }

  /** The connection is gone. */
  void lost(String reason) {
    YamuxSession now;
    synchronized (this) {
      over = true;
      now = session;
    }
    if (now != null) {
      now.lost(reason);
    }
    AutoCloseable attached = attachment.get();
    if (attached != null) {
      close(attached);
    }
  }

  // What the session calls.

  @Override
  public void data(int stream, ByteBuffer frame) throws IOException, InterruptedException {
    if (!writer.frame("yamux-" + stream, frame)) {
      throw new IOException("the agent's connection is gone");
    }
  }

  @Override
  public boolean offer(ByteBuffer frame) {
    return writer.controlFrame(frame);
  }

  @Override
  public void ended(String reason) {
    if (!over) {
      broken.accept("yamux: " + reason);
    }
  }
}
