package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import io.pipeops.agent.protocol.WebSocketStart;
import java.io.IOException;
import java.time.Duration;
import java.util.function.BiConsumer;
import org.eclipse.jetty.http.HttpFields;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One proxied WebSocket of either kind from its opening to its close message (protocol 4). One
 * virtual thread carries both directions in order; a slow link holds the target back, a slow target
 * fills the bounded inbox and ends this stream only.
 */
final class SocketStream implements StreamReceiver, Streams.Stream, Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(SocketStream.class);

  private static final int NORMAL = 1000;
  private static final int GOING_AWAY = 1001;
  private static final int TOO_BIG = 1009;
  private static final long GOODBYE = Duration.ofSeconds(2).toNanos();

  /** Decides where the socket goes; called on the stream's thread. */
  interface Opening {
    SocketRequest decide(ApiServer server, Settings settings) throws Failure;
  }

  private final Tunnel tunnel;
  private final Settings settings;
  private final SocketDialect dialect;
  private final Opening opening;
  private final Gate gate = new Gate();
  private final Sender sender;
  private final SocketInbox inbox;
  private SocketLink link;
  private final BiConsumer<Message, Reply> replaced;
  private final Reply reply;
  private final long cost;
  private final long started = System.nanoTime();
  private final long end;
  private final Thread thread;
  private volatile boolean granted;
  private volatile boolean begun;
  private SocketRelay relay;

  /**
   * A stream that is not running yet.
   *
   * @param limit how long it may live
   * @param cost bytes of the budget that it holds from the beginning
   * @param replaced takes a start message with the id of this stream, after this one is closed
   */
  SocketStream(
      Tunnel tunnel,
      SocketDialect dialect,
      Opening opening,
      Reply reply,
      Duration limit,
      long cost,
      BiConsumer<Message, Reply> replaced) {
    this.tunnel = tunnel;
    this.settings = tunnel.settings();
    this.dialect = dialect;
    this.opening = opening;
    this.reply = reply;
    this.cost = cost;
    this.replaced = replaced;
    this.sender = new Sender(dialect.id(), reply, gate);
    this.inbox = new SocketInbox(gate, tunnel.budget(), settings.inboxBytes());
    this.link = new SocketLink(gate);
    this.end = started + limit.toNanos();
    this.thread =
        Thread.ofVirtual().name("tunnel-" + TargetErrors.line(dialect.id())).unstarted(this);
    sender.priority(Priority.INTERACTIVE);
  }

  @Override
  public Thread thread() {
    return thread;
  }

  @Override
  public void grant() {
    granted = true;
    gate.signal();
  }

  @Override
  public void tick(long now) {
    gate.tick(now);
  }

  @Override
  public void stop(Failure why) {
    gate.stop(why);
  }

  @Override
  public void receive(Message message) {
    switch (message.type()) {
      case WebSocketData.TYPE, WebSocketData.ALIAS, WebSocketData.OLD_ALIAS ->
          inbox.offer(message.payload());
      case WebSocketClose.TYPE, WebSocketClose.ALIAS, ProxyCancel.TYPE -> {
        if (begun) {
          inbox.close();
        } else {
          gate.stop(Failure.cancelled());
        }
      }
      case WebSocketStart.TYPE, WebSocketStart.ALIAS -> {
        sender.replace(dialect.close());
        gate.stop(new Failure(Failure.Reason.CANCELLED, "replaced by another stream"));
        replaced.accept(message, reply);
      }
      default ->
          LOG.debug(
              "Ignored {} in the stream id={}", message.type(), TargetErrors.line(dialect.id()));
    }
  }

  @Override
  public void lost(String reason) {
    gate.stop(new Failure(Failure.Reason.LOST, "link lost"));
  }

  @Override
  public void run() {
    Failure failure = null;
    TargetClients.Lease lease = null;
    try {
      while (!granted) {
        await(started + settings.request().toNanos());
      }
      ApiServer server = tunnel.server();
      SocketRequest request = opening.decide(server, settings);
      tunnel.meters().request(request.route().api());
      lease =
          tunnel
              .clients()
              .take(request.route().api() ? server : null, request.route().asAgent(), settings);
      open(lease, request, server);
      relay.run();
    } catch (Failure e) {
      failure = gate.cause(e);
    } catch (LinkLostException e) {
      failure = new Failure(Failure.Reason.LOST, "link lost");
    } catch (IOException | RuntimeException | OutOfMemoryError e) {
      LOG.warn("Stream failed, its peer is told id={}", TargetErrors.line(dialect.id()), e);
      failure = new Failure(Failure.Reason.INTERNAL, "internal error of the agent");
    }
    try {
      leave(failure);
      say(failure);
    } catch (LinkLostException e) {
      LOG.debug("Link lost at the end of a stream id={}", TargetErrors.line(dialect.id()));
    } finally {
      link.abort();
      inbox.dispose();
      if (relay != null) {
        relay.close();
      }
      if (lease != null) {
        lease.release();
      }
      tunnel.budget().give(cost);
      tunnel.meters().seconds((System.nanoTime() - started) / 1e9);
      tunnel.streams().leave(this);
    }
  }

  private void open(TargetClients.Lease lease, SocketRequest request, ApiServer server)
      throws Failure, LinkLostException, IOException {
    if (request.bulk()) {
      sender.priority(Priority.BULK);
    }
    HttpFields.Mutable headers = HttpFields.build();
    request.headers(server, headers::add);
    dial(lease, request, headers);
    int again = HttpStream.REPETITIONS;
    while (again > 0 && link.stale()) {
      // The pool's connection was closed by the target while it was idle.
      again = link.reused() ? again - 1 : 0;
      tunnel.meters().repeated();
      link.abort();
      link = new SocketLink(gate);
      dial(lease, request, headers);
    }
    if (!link.open()) {
      throw TargetErrors.of(request.route(), link.failure());
    }
    Channels channels = new Channels(request.channels() && Channels.carriedBy(link.protocol()));
    relay = new SocketRelay(tunnel, settings, dialect, gate, sender, link, inbox, channels, end);
    dialect.opened(sender, HeaderRules.toPeer(link.answer()));
    begun = true;
  }

  private void dial(TargetClients.Lease lease, SocketRequest request, HttpFields headers)
      throws Failure, IOException {
    link.dial(lease.sockets(), request, headers, settings);
    long limit = System.nanoTime() + settings.answer().toNanos();
    while (!link.open() && !link.over()) {
      await(limit);
    }
  }

  /** Says goodbye to the target and gives it a moment to answer. */
  private void leave(Failure failure) {
    if (!link.open() || link.over()) {
      return;
    }
    Failure.Reason reason = failure == null ? null : failure.reason();
    if (reason == Failure.Reason.MEMORY) {
      link.close(TOO_BIG, "message too big");
    } else if (reason == Failure.Reason.STOPPED) {
      link.close(GOING_AWAY, null);
    } else if (relay != null && relay.silent()) {
      link.close(GOING_AWAY, "ping timeout");
    } else {
      link.close(NORMAL, null);
    }
    long until = System.nanoTime() + GOODBYE;
    while (!link.over() && System.nanoTime() - until < 0) {
      SocketLink.Arrival rest = link.arrival();
      if (rest != null) {
        link.next(rest);
      } else if (!gate.linger(until)) {
        return;
      }
    }
  }

  private void say(Failure failure) throws LinkLostException {
    if (failure == null && link.failure() != null && !relay.closing()) {
      LOG.debug(
          "Target broke a socket off id={}: {}",
          TargetErrors.line(dialect.id()),
          TargetErrors.line(link.failure().toString()));
      tunnel.meters().failed(Failure.Reason.BROKEN);
    } else if (failure != null) {
      tunnel.meters().failed(failure.reason());
      LOG.debug(
          "Socket ended id={} reason={}: {}",
          TargetErrors.line(dialect.id()),
          failure.reason(),
          failure.getMessage());
    }
    if (failure != null && failure.reason() == Failure.Reason.LOST) {
      sender.abandon();
    } else if (!begun && !sender.spoke() && !dialect.closeOnly(failure)) {
      dialect.refused(sender, link.refusal(), failure.getMessage());
    } else {
      boolean trouble = failure != null && failure.reason() != Failure.Reason.CANCELLED;
      if (trouble && dialect.complaint(failure) != null) {
        sender.last(dialect.complaint(failure));
      }
      sender.finish(dialect.close());
    }
  }

  /** Waits for a signal; a limit that is over ends the stream. */
  private void await(long until) throws Failure {
    gate.await(Math.min(end, until));
    long now = System.nanoTime();
    if (now - end >= 0) {
      throw Failure.timeout("context deadline exceeded");
    }
    if (now - until >= 0) {
      throw Failure.timeout("no answer in time");
    }
  }
}
