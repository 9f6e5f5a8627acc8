package io.pipeops.agent.link;

import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.StreamHandler;
import io.pipeops.agent.api.link.StreamOpen;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Extensions;
import io.pipeops.agent.protocol.GatewayHello;
import io.pipeops.agent.protocol.GatewayHelloAck;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.OrphanWatch;
import io.pipeops.agent.protocol.ResumeOffer;
import io.pipeops.agent.protocol.StreamIds;
import io.pipeops.agent.protocol.yamux.StreamHeader;
import io.pipeops.agent.protocol.yamux.YamuxSession;
import io.pipeops.agent.protocol.yamux.YamuxStream;
import io.pipeops.agent.protocol.yamux.YamuxTransport;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent's side of yamux on one connection (protocol 1.9, 5.3, 5.4): accepts the gateway's
 * offer, then carries the streams it opens. Nothing of it exists before there is an offer. Frames
 * go out through the same scheduler as everything else: window updates and pings as control
 * messages, small pieces of data as interactive ones, the rest as bulk, and each stream in turn.
 */
final class PeerStreams implements YamuxTransport, Inbound.Offers {
  private static final Logger log = LoggerFactory.getLogger(PeerStreams.class);

  /** What of a hub's extensions this agent knows. */
  private static final Set<String> KNOWN =
      Set.of(Extensions.API_STREAM, Extensions.DATAGRAMS, Extensions.STREAM_IDS, Extensions.RESUME);

  private static final Duration HEADER_LIMIT = Duration.ofSeconds(10);
  private static final Duration IDS_EVERY = Duration.ofMinutes(1);
  private static final Duration ORPHAN_AFTER = Duration.ofSeconds(30);

  /** A frame of at most this size may be a key that was pressed. */
  private static final int SMALL = 2 << 10;

  /** What of the connection is needed. */
  interface Requests {
    List<String> claimed();

    void orphaned(String key);

    void acknowledged(LinkAck ack);
  }

  private final StreamIntake intake;
  private final OutboundScheduler out;
  private final Requests requests;
  private final Resumption resumption;
  private final Consumer<String> broken;
  private final OrphanWatch<String> lostRequests = new OrphanWatch<>(ORPHAN_AFTER);
  private final OrphanWatch<Long> lostStreams = new OrphanWatch<>(ORPHAN_AFTER);
  private volatile YamuxSession session;
  private volatile Set<String> agreed = Set.of();
  private volatile boolean over;
  private Duration dialLimit = Duration.ofSeconds(30);
  private long nextIds;

  /**
   * For one connection.
   *
   * @param broken told at most once why the session has ended by itself; must not block
   */
  PeerStreams(
      StreamIntake intake,
      OutboundScheduler out,
      Requests requests,
      Resumption resumption,
      Consumer<String> broken) {
    this.resumption = resumption;
    this.intake = intake;
    this.out = out;
    this.requests = requests;
    this.broken = broken;
  }

  @Override
  public void hello(GatewayHello hello) {
    if (!hello.useYamux() || !intake.limits().enabled()) {
      log.debug("The connection stays JSON only offered={}", hello.useYamux());
      return;
    }
    if (session != null || over) {
      log.debug("Ignored a second gateway_hello");
      return;
    }
    Set<String> both = new LinkedHashSet<>(Extensions.read(hello.extra()));
    both.retainAll(KNOWN);
    ResumeOffer resume = ResumeOffer.read(hello.extra()).orElse(null);
    if (resume == null || !resumption.wanted()) {
      both.remove(Extensions.RESUME);
    }
    Outgoing ack =
        Outgoing.text(
            Priority.CONTROL,
            "",
            Envelopes.write("", new GatewayHelloAck(true, Extensions.fields(both))));
    if (both.contains(Extensions.RESUME)) {
      resumption.agree(resume, ack);
    }
    if (!out.offer(ack, null)) {
      resumption.decline();
      log.debug("No room to accept yamux; the connection stays JSON only");
      return;
    }
    agreed = both;
    dialLimit = hello.connectionTimeout();
    nextIds = System.nanoTime() + IDS_EVERY.toNanos();
    YamuxSession opened =
        YamuxSession.client(
            intake.settings(
                hello.maxStreamWindowSize(),
                hello.keepAliveInterval(),
                patience(hello.connectionTimeout(), both),
                both.contains(Extensions.STREAM_IDS)),
            this,
            intake.budget());
    session = opened;
    if (over) {
      opened.lost("the connection is gone");
      return;
    }
    Thread.ofVirtual().name("link-streams").start(() -> accept(opened));
    log.debug("Streams may be opened extensions={}", both);
  }

  /** A session that may be without a connection for a while does not end by its own pings. */
  private Duration patience(Duration usual, Set<String> both) {
    return both.contains(Extensions.RESUME) ? usual.plus(resumption.limit()) : usual;
  }

  /** How far the hub has received our messages (extension resume). */
  @Override
  public void acknowledged(LinkAck ack) {
    requests.acknowledged(ack);
  }

  /**
   * Takes a binary message.
   *
   * @return false if it is none of yamux, because that was not offered
   */
  boolean feed(byte[] data, int length) {
    YamuxSession now = session;
    if (now == null) {
      return false;
    }
    now.feed(ByteBuffer.wrap(data, 0, length));
    return true;
  }

  private void accept(YamuxSession from) {
    try {
      for (YamuxStream next = from.accept(); next != null; next = from.accept()) {
        YamuxStream stream = next;
        Thread.ofVirtual().name("link-stream").start(() -> serve(stream));
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** A fault of a handler costs its stream, never the connection (protocol 11.11). */
  @SuppressWarnings("CatchingUnchecked")
  private void serve(YamuxStream stream) {
    intake.opened();
    try (stream) {
      StreamHeader header = StreamHeader.read(stream, HEADER_LIMIT);
      String protocol = protocol(header.protocol());
      StreamHandler handler = protocol.isEmpty() ? null : intake.await(protocol);
      if (handler == null) {
        intake.refused.increment();
        log.debug("Stream refused, nothing handles protocol={}", header.protocol());
        return;
      }
      intake.accepted.increment();
      handler.accept(
          new StreamOpen(
              protocol,
              header.service(),
              header.namespace(),
              header.port(),
              header.tunnelId(),
              dialLimit),
          stream);
    } catch (IOException e) {
      log.debug("Stream ended stream={}: {}", stream.id(), e.getMessage());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (Exception | LinkageError | StackOverflowError | AssertionError e) {
      log.warn("A stream was lost in its handler stream={}", stream.id(), e);
    } finally {
      intake.closed();
    }
  }

  private String protocol(int number) {
    return switch (number) {
      case StreamHeader.TCP -> StreamHandler.TCP;
      case StreamHeader.UDP -> StreamHandler.UDP;
      case StreamHeader.API -> agreed.contains(Extensions.API_STREAM) ? StreamHandler.API : "";
      case StreamHeader.DATAGRAMS ->
          agreed.contains(Extensions.DATAGRAMS) ? StreamHandler.UDP_DATAGRAMS : "";
      default -> "";
    };
  }

  /** What both sides hold (extension stream-ids). */
  @Override
  public void ids(StreamIds theirs) {
    YamuxSession now = session;
    if (now == null || !agreed.contains(Extensions.STREAM_IDS)) {
      return;
    }
    long time = System.nanoTime();
    for (String key :
        lostRequests.compare(requests.claimed(), new HashSet<>(theirs.requests()), time)) {
      intake.orphans.increment();
      requests.orphaned(key);
    }
    for (Long id : lostStreams.compare(now.streamIds(), new HashSet<>(theirs.streams()), time)) {
      intake.orphans.increment();
      now.reset(id);
    }
    if (!theirs.answer()) {
      tell(now, true);
    }
  }

  /** Names what is alive, once a minute while there is something. */
  void tick(long time) {
    YamuxSession now = session;
    if (now != null && agreed.contains(Extensions.STREAM_IDS) && time - nextIds >= 0) {
      nextIds = time + IDS_EVERY.toNanos();
      if (now.activeStreams() > 0 || !requests.claimed().isEmpty()) {
        tell(now, false);
      }
    }
  }

  private void tell(YamuxSession now, boolean answer) {
    StreamIds ids = new StreamIds(answer, requests.claimed(), now.streamIds());
    out.offer(Outgoing.text(Priority.CONTROL, "", Envelopes.write("", ids)), null);
  }

  /** The connection ends; so do all streams. */
  void lost(String reason) {
    over = true;
    YamuxSession now = session;
    if (now != null) {
      now.lost(reason);
    }
  }

  // What the session calls.

  @Override
  public void data(int stream, ByteBuffer frame) throws LinkLostException, InterruptedException {
    Priority priority = frame.remaining() <= SMALL ? Priority.INTERACTIVE : Priority.BULK;
    out.send(new Outgoing(priority, "yamux-" + stream, false, frame), null);
  }

  @Override
  public void control(ByteBuffer frame) throws LinkLostException, InterruptedException {
    out.send(new Outgoing(Priority.CONTROL, "yamux", false, frame), null);
  }

  @Override
  public boolean offer(ByteBuffer frame) {
    return out.offer(new Outgoing(Priority.CONTROL, "yamux", false, frame), null);
  }

  /** A session that has ended by itself takes the connection with it (Q12). */
  @Override
  public void ended(String reason) {
    if (!over) {
      broken.accept("yamux: " + reason);
    }
  }
}
