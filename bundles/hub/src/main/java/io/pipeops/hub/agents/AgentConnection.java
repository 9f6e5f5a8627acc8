package io.pipeops.hub.agents;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.LinkResume;
import io.pipeops.agent.protocol.LinkResumed;
import io.pipeops.agent.protocol.ProtocolException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.util.thread.Scheduler;
import org.eclipse.jetty.websocket.core.CoreSession;
import org.eclipse.jetty.websocket.core.OpCode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One agent's connection (protocol 1.4, 1.11, 2). Messages come in one after the other on Jetty's
 * threads and are dealt with without waiting: what may block goes to a lane of its own, and what
 * belongs to a request into that request's queue. When such a queue is full, nothing further is
 * read until it has room, at most for a short time; then the stream is aborted instead.
 *
 * <p>It has one socket. If the agent has taken up the offer to resume, a lost socket may be
 * replaced by another one within a limit; meanwhile what is sent waits, and no stream notices.
 */
final class AgentConnection {
  private static final Logger log = LoggerFactory.getLogger(AgentConnection.class);

  private final AgentSessions sessions;
  private final AgentCredential credential;
  private final boolean gateway;
  private final String gatewayUrl;
  private final String remoteAddress;
  private final AgentWriter writer;
  private final AgentStreams streams;
  private final ControlLane lane = new ControlLane("hub-agent-control");
  private final StallBudget stalls;
  private final Liveness liveness;
  private final Dispatch dispatch;
  private final AtomicLong receivedBytes = new AtomicLong();
  private final AtomicBoolean closed = new AtomicBoolean();
  private final Resumability resumability;

  /** Held while a message is dealt with, and while a socket takes the place of another one. */
  private final Object receiving = new Object();

  private final AgentSocket first;
  private volatile AgentSocket socket;
  private volatile boolean closing;
  private volatile long lostSince;
  private volatile Scheduler.Task expiry;
  private volatile AgentSession session;
  private volatile LeaderTerm term = LeaderTerm.NONE;

  /**
   * @param gateway whether it came in by the gateway's endpoint
   * @param gatewayUrl where the agent shall go after registration; empty to stay
   */
  AgentConnection(
      AgentSessions sessions,
      AgentCredential credential,
      boolean gateway,
      String gatewayUrl,
      String remoteAddress) {
    this.sessions = sessions;
    this.credential = credential;
    this.gateway = gateway;
    this.gatewayUrl = gatewayUrl;
    this.remoteAddress = remoteAddress;
    this.stalls = new StallBudget(sessions.limits().stall());
    this.writer = new AgentWriter(sessions.metrics(), sessions.resume().bytes(), this::broken);
    this.resumability = new Resumability(sessions.resume().limit());
    this.first = new AgentSocket(this, false, sessions.limits().maxMessage(), remoteAddress);
    this.streams =
        new AgentStreams(
            writer,
            sessions.resume().limit().isPositive() ? resumability.offer() : null,
            sessions.streamLimits(),
            sessions.streamBudget(),
            sessions.metrics(),
            new AgentStreams.Requests() {
              @Override
              public List<String> live() {
                AgentSession served = session;
                return served == null ? List.of() : served.live();
              }

              @Override
              public void orphaned(String id) {
                AgentSession served = session;
                if (served != null) {
                  served.orphaned(id);
                }
              }
            },
            reason -> onLane(() -> close(1011, reason)));
    this.dispatch = new Dispatch(this, sessions);
    this.liveness = new Liveness(this, sessions.limits(), sessions.scheduler());
  }

  AgentStreams streams() {
    return streams;
  }

  AgentCredential credential() {
    return credential;
  }

  boolean gateway() {
    return gateway;
  }

  String gatewayUrl() {
    return gatewayUrl;
  }

  String remoteAddress() {
    AgentSocket open = socket;
    return open == null ? remoteAddress : open.remoteAddress();
  }

  Resumability resumability() {
    return resumability;
  }

  AgentWriter writer() {
    return writer;
  }

  long receivedBytes() {
    return receivedBytes.get();
  }

  /** The socket that it begins with. */
  AgentSocket socket() {
    return first;
  }

  /** Whether the WebSocket is open. */
  boolean open() {
    return socket != null && !closed.get();
  }

  /** Whether the agent is away and may come back with another socket. */
  boolean detached() {
    return lostSince != 0 && socket == null && !closed.get();
  }

  boolean over() {
    return closed.get();
  }

  /** By which election its agent leads, as it said last. */
  LeaderTerm term() {
    return term;
  }

  void led(LeaderTerm by) {
    term = by;
  }

  /** The session that it serves, or null while it has none. */
  AgentSession session() {
    return session;
  }

  void serve(AgentSession served) {
    session = served;
  }

  // What the sockets call.

  /**
   * The first socket is open.
   *
   * @return false if the connection is over already
   */
  boolean opened(AgentSocket opened) {
    socket = opened;
    liveness.seen();
    if (closed.get()) {
      return false;
    }
    writer.open(opened.session());
    return true;
  }

  /** Something came. */
  void alive() {
    liveness.alive();
  }

  /**
   * A whole message.
   *
   * @return whether to read on; if not, the socket will be told when
   */
  boolean message(AgentSocket from, byte[] message, boolean text) {
    AgentStream full;
    synchronized (receiving) {
      if (from != socket) {
        return false;
      }
      receivedBytes.addAndGet(message.length);
      sessions.metrics().bytesIn.add(message.length);
      boolean counts = resumability.agreed();
      full = dispatch.message(message, text);
      if (counts
          && !dispatch.acknowledgement()
          && resumability.received().received(message.length)) {
        from.send(
            OpCode.TEXT, Envelopes.write("", new LinkAck(resumability.received().acknowledge())));
      }
    }
    return full == null || !pause(from, full);
  }

  void tooLong(AgentSocket from) {
    if (from != socket) {
      // It has not proved that it belongs here, so it must not harm the one that does.
      from.abort();
      return;
    }
    log.warn(
        "Agent closed, its message is longer than {} bytes: {}",
        sessions.limits().maxMessage(),
        describe());
    close(1009, "the agent sent a message that is too long");
    from.abort();
  }

  /** A socket is gone. */
  void ended(AgentSocket which, String reason, boolean meant) {
    boolean keep;
    synchronized (receiving) {
      boolean begun = socket != null || lostSince != 0;
      if (begun ? which != socket : which != first) {
        return;
      }
      keep =
          begun && !meant && !closing && !closed.get() && resumability.agreed() && writer.detach();
      if (keep) {
        socket = null;
        lostSince = System.nanoTime();
        expiry =
            sessions
                .scheduler()
                .schedule(
                    this::expired, resumability.offer().limit().toNanos(), TimeUnit.NANOSECONDS);
      }
    }
    if (keep) {
      log.info("Agent's connection lost, its session is kept: {} reason={}", describe(), reason);
      liveness.wake();
    } else {
      lost(reason);
    }
  }

  private void expired() {
    synchronized (receiving) {
      if (!detached()) {
        return;
      }
      closing = true;
    }
    sessions.metrics().resumesExpired.increment();
    lost("the agent did not come back within " + resumability.offer().limit().toSeconds() + " s");
  }

  /**
   * The first message of a socket that is to take the place of the last one.
   *
   * @return whether it does; if not, the agent was told why
   */
  boolean takeUp(AgentSocket next, byte[] message) {
    long away;
    try {
      Message opening = Envelopes.parse(message, 0, message.length);
      if (!opening.type().equals(LinkResume.TYPE)) {
        throw new ProtocolException("the first message is no " + LinkResume.TYPE);
      }
      LinkResume ask = LinkResume.parse(opening.payload());
      synchronized (receiving) {
        if (closed.get()
            || closing
            || !resumability.agreed()
            || !resumability.proves(ask.session(), ask.secret())) {
          refuse(next, "session not found");
          return false;
        }
        AgentSocket old = socket;
        away = old == null ? System.nanoTime() - lostSince : 0;
        socket = next;
        if (expiry != null) {
          expiry.cancel();
        }
        if (old != null) {
          writer.detach();
          old.abort();
        }
        liveness.seen();
        next.send(
            OpCode.TEXT,
            Envelopes.write("", new LinkResumed(resumability.received().acknowledge())));
        writer.attach(next.session(), ask.received());
      }
      sessions.metrics().resumed.increment();
      log.info("Agent is back, its session goes on: {} away_ms={}", describe(), away / 1_000_000);
      return true;
    } catch (ProtocolException e) {
      sessions.metrics().malformed.increment();
      log.warn("Session cannot be taken up: {} reason={}", describe(), e.getMessage());
      refuse(next, e.getMessage());
      if (socket == next) {
        drop(e.getMessage());
      }
      return false;
    }
  }

  private void refuse(AgentSocket next, String reason) {
    sessions.metrics().resumesRefused.increment();
    next.send(OpCode.TEXT, Envelopes.write("", new ErrorMessage(reason)));
    next.close(1008, reason);
  }

  /** Whether this is the session that someone wants to take up, with the same credential. */
  boolean resumes(String name, AgentCredential who) {
    return !closed.get()
        && resumability.agreed()
        && resumability.offer().session().equals(name)
        && credential.id().equals(who.id());
  }

  /**
   * Asks the agent for a sign of life. Blocks.
   *
   * @return whether anything at all came from it within the limit
   */
  boolean answers(Duration limit) throws InterruptedException {
    return liveness.answers(limit);
  }

  /**
   * Ends it for good unless something comes from the agent within the limit, which it is asked for.
   * Returns at once.
   */
  void dropUnlessAlive(Duration limit, String reason) {
    liveness.dropUnlessAlive(limit, reason);
  }

  /** What may block is done on a thread of its own, one after the other. */
  void onLane(Runnable task) {
    if (!lane.offer(task)) {
      sessions.metrics().malformed.increment();
      log.debug("Control message dropped, too many wait: {}", describe());
    }
  }

  /**
   * Stops reading until the stream has room.
   *
   * @return false if reading may go on
   */
  private boolean pause(AgentSocket from, AgentStream stream) {
    AgentSession served = session;
    boolean othersBusy = served != null && served.othersBusy(stream);
    Duration allowed = stalls.allowed(othersBusy);
    if (allowed.isZero() || stream.stalledFor(sessions.limits().stall())) {
      tooSlow(stream);
      return false;
    }
    long start = System.nanoTime();
    Scheduler.Task[] timer = new Scheduler.Task[1];
    AtomicBoolean resumed = new AtomicBoolean();
    liveness.pause(true);
    Runnable resume =
        () -> {
          if (resumed.compareAndSet(false, true)) {
            stalls.spent(System.nanoTime() - start, othersBusy);
            liveness.pause(false);
            synchronized (timer) {
              if (timer[0] != null) {
                timer[0].cancel();
              }
            }
            from.demand();
          }
        };
    synchronized (timer) {
      if (!stream.whenRoom(resume)) {
        liveness.pause(false);
        return false;
      }
      timer[0] =
          sessions
              .scheduler()
              .schedule(() -> tooSlow(stream), allowed.toNanos(), TimeUnit.NANOSECONDS);
    }
    return true;
  }

  private void tooSlow(AgentStream stream) {
    sessions.metrics().stalls.increment();
    log.info("Response aborted, its reader is too slow: {}", describe());
    stream.abort("the response was read too slowly, the agent's connection is shared");
  }

  /** Asks the agent for any answer; sends nothing while there is no socket. */
  void sendPing() {
    AgentSocket open = socket;
    if (open != null) {
      open.send(OpCode.PING, ByteBuffer.allocate(0));
    }
  }

  /** Closes with a code; the socket is cut if the agent does not answer. */
  void close(int code, String reason) {
    closing = true;
    AgentSocket open = socket;
    if (open == null) {
      lost(reason);
      return;
    }
    open.close(code, reason);
    lost(reason);
    sessions.scheduler().schedule(open::abort, 2, TimeUnit.SECONDS);
  }

  /** Cuts the socket, for good. */
  void drop(String reason) {
    closing = true;
    AgentSocket open = socket;
    if (open != null) {
      open.abort();
    }
    lost(reason);
  }

  /** Cuts the socket; the agent may come back with another one. */
  void cut(String reason) {
    AgentSocket open = socket;
    if (open != null) {
      open.cut(reason);
    }
  }

  /** The writer could not send with this; by now there may be another socket. */
  private void broken(CoreSession failed) {
    AgentSocket open = socket;
    if (open != null && open.session() == failed) {
      open.cut("the connection to the agent broke");
    }
  }

  private void lost(String reason) {
    if (!closed.compareAndSet(false, true)) {
      return;
    }
    liveness.stop();
    sessions.notResumable(this);
    writer.close();
    streams.lost(reason);
    AgentSession served = session;
    if (served != null) {
      log.info("Agent gone: {} reason={}", describe(), reason);
      served.lost(reason);
      sessions.ended(served);
    }
    liveness.wake();
  }

  /** Who this is, for log lines. */
  String describe() {
    AgentSession served = session;
    return "cluster="
        + (served == null ? "" : served.cluster().id())
        + " remote="
        + remoteAddress()
        + " role="
        + (gateway ? "gateway" : "controller");
  }
}
