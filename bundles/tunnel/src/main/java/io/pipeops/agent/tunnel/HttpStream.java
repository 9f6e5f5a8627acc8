package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestChunk;
import io.pipeops.agent.protocol.ProxyRequestStreamEnd;
import io.pipeops.agent.protocol.ProxyRequestWindow;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import org.eclipse.jetty.client.ByteBufferRequestContent;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One proxied HTTP request from its message to its terminal message (protocol 3). The reader thread
 * puts things in and returns; everything else is done by the stream's own virtual thread, so that
 * end, error, cancel and loss meet in one place.
 */
final class HttpStream implements StreamReceiver, Streams.Stream, Runnable {
  private static final Logger LOG = LoggerFactory.getLogger(HttpStream.class);
  private static final long SETTLE_NANOS = Duration.ofSeconds(1).toNanos();
  private static final long FOREVER = Duration.ofDays(3650).toNanos();

  /** Usually without a body, so a streamed one is first looked at. */
  private static final Set<String> BODILESS = Set.of("GET", "HEAD", "OPTIONS", "DELETE", "TRACE");

  private static final Set<String> REPEATABLE = Set.of("GET", "HEAD", "OPTIONS");

  /**
   * How often a request is made again after the pool's connection died under it. A target that
   * restarts leaves several of those, and the pool may give a dying one out a second time. After a
   * new connection that died there is one more try only.
   */
  static final int REPETITIONS = 4;

  private final Tunnel tunnel;
  private final Settings settings;
  private final String id;
  private final ProxyRequest request;
  private final Gate gate = new Gate();
  private final Answer answer;
  private final Sender sender;
  private final StreamedBody upload;
  private final long cost;
  private final long started = System.nanoTime();
  private final long end;
  private final boolean limited;
  private final Thread thread;
  private final BinaryArrival binary;
  private volatile boolean granted;

  /**
   * A stream that is not running yet.
   *
   * @param cost bytes of the budget that it holds from the beginning
   */
  HttpStream(Tunnel tunnel, String id, ProxyRequest request, Reply reply, long cost) {
    this.tunnel = tunnel;
    this.settings = tunnel.settings();
    this.id = id;
    this.request = request;
    this.cost = cost;
    this.sender = new Sender(id, reply, gate);
    this.answer =
        request.supportsResponseStreaming()
            ? new StreamedAnswer(sender)
            : new BufferedAnswer(sender, settings.bufferedBytes(), tunnel.budget().new Share());
    this.upload =
        request.streaming()
            ? new StreamedBody(gate, tunnel.budget(), declaredLength(), settings.inboxBytes())
            : null;
    this.binary = new BinaryArrival(id, gate);
    this.limited = request.deadline().isPresent() || request.timeout().isPresent();
    this.end = started + limit();
    this.thread = Thread.ofVirtual().name("tunnel-" + TargetErrors.line(id)).unstarted(this);
  }

  private long declaredLength() {
    try {
      String value = request.headers().first("Content-Length", "-1");
      return Math.max(-1, Long.parseLong(value.strip()));
    } catch (NumberFormatException e) {
      return -1;
    }
  }

  private long limit() {
    if (request.deadline().isPresent()) {
      Duration left = Duration.between(Instant.now(), request.deadline().get());
      return left.compareTo(Duration.ofDays(3650)) > 0 ? FOREVER : left.toNanos();
    }
    return request
        .timeout()
        .map(Duration::toNanos)
        .orElseGet(
            () -> request.supportsResponseStreaming() ? FOREVER : settings.request().toNanos());
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
      case ProxyRequestChunk.TYPE -> {
        if (upload != null) {
          upload.offer(message.payload());
        }
      }
      case ProxyRequestStreamEnd.TYPE -> {
        if (upload != null) {
          upload.end();
        }
      }
      case ProxyCancel.TYPE -> gate.stop(Failure.cancelled());
      default -> LOG.debug("Ignored {} in the stream id={}", message.type(), TargetErrors.line(id));
    }
  }

  @Override
  public void lost(String reason) {
    gate.stop(lost());
  }

  private static Failure lost() {
    return new Failure(Failure.Reason.LOST, "link lost");
  }

  /** Takes the binary message with the body (protocol 3.2.3). */
  StreamReceiver binaryReceiver() {
    return binary;
  }

  @Override
  public void run() {
    Failure failure = null;
    try {
      exchange();
    } catch (Failure e) {
      failure = gate.cause(e);
    } catch (LinkLostException e) {
      failure = lost();
    } catch (RuntimeException | OutOfMemoryError | StackOverflowError e) {
      LOG.warn("Stream failed, its peer is told id={}", TargetErrors.line(id), e);
      failure = new Failure(Failure.Reason.INTERNAL, "internal error of the agent");
    }
    try {
      finish(failure);
    } catch (LinkLostException e) {
      LOG.debug("Link lost at the end of a stream id={}", TargetErrors.line(id));
    } finally {
      answer.close();
      if (upload != null) {
        upload.close();
      }
      tunnel.budget().give(cost);
      tunnel.meters().seconds((System.nanoTime() - started) / 1e9);
      tunnel.streams().leave(this);
    }
  }

  private void finish(Failure failure) throws LinkLostException {
    if (failure == null || sender.finished()) {
      return;
    }
    tunnel.meters().failed(failure.reason());
    LOG.debug(
        "Request failed id={} reason={}: {}",
        TargetErrors.line(id),
        failure.reason(),
        failure.getMessage());
    if (failure.reason() == Failure.Reason.LOST) {
      sender.abandon();
    } else {
      answer.fail(failure.getMessage());
    }
  }

  private void exchange() throws Failure, LinkLostException {
    // At once, so that the peer knows that there is a window.
    grantBody();
    while (!granted) {
      await(Math.min(end, started + settings.request().toNanos()), "too many requests");
    }
    ApiServer server = tunnel.server();
    Route route = Route.of(request, server, settings);
    tunnel.meters().request(route.api());
    awaitBody(route);
    TargetClients.Lease lease =
        tunnel.clients().take(route.api() ? server : null, route.asAgent(), settings);
    try {
      TargetCall call = call(lease, route, server);
      try {
        awaitAnswer(call, route);
        int again = REPEATABLE.contains(request.method()) && upload == null ? REPETITIONS : 0;
        while (again > 0 && call.stale()) {
          again = call.reused() ? again - 1 : 0;
          tunnel.meters().repeated();
          call = call(lease, route, server);
          awaitAnswer(call, route);
        }
        copy(call, route);
        answer.end();
        settle(call);
      } finally {
        if (upload != null) {
          tunnel.meters().in(upload.sent());
          upload.close();
        }
        call.abort("stream has ended");
      }
    } finally {
      lease.release();
    }
  }

  /**
   * The answer is complete, the request may not be: a target need not read all of it. A connection
   * on which both are can be used again, so what is about to be complete gets a moment.
   */
  private void settle(TargetCall call) throws Failure {
    long until = System.nanoTime() + SETTLE_NANOS;
    while (!call.complete() && (upload == null || upload.done()) && System.nanoTime() - until < 0) {
      gate.await(until);
    }
  }

  /** Waits for a body that must be there, or be known to be empty, before the call begins. */
  private void awaitBody(Route route) throws Failure {
    long until = started + settings.answer().toNanos();
    while (request.bodyBinary() && upload == null && binary.body() == null) {
      await(Math.min(end, until), "invalid request body: binary message did not come");
    }
    while (upload != null && upload.starved() && BODILESS.contains(request.method())) {
      await(Math.min(end, started + settings.idle().toNanos()), route.what() + ": no body");
    }
  }

  private TargetCall call(TargetClients.Lease lease, Route route, ApiServer server) throws Failure {
    TargetCall call = new TargetCall(lease.client(), route, gate);
    ByteBuffer body = request.bodyBinary() ? binary.body() : request.body().orElse(null);
    if (upload != null) {
      call.body(upload.empty() ? null : upload);
    } else if (body != null && body.hasRemaining()) {
      tunnel.meters().in(body.remaining());
      call.body(new ByteBufferRequestContent((String) null, body));
    }
    call.head(request, server);
    call.start();
    return call;
  }

  /** Carries the upload on. */
  private void upload() throws Failure, LinkLostException {
    if (upload != null) {
      upload.work();
      grantBody();
    }
  }

  private void grantBody() throws Failure, LinkLostException {
    if (upload != null && request.bodyWindow()) {
      ProxyRequestWindow grant = upload.grant();
      if (grant != null) {
        sender.aside(grant);
      }
    }
  }

  /** Waits for status and headers, and carries the upload on meanwhile. */
  private void awaitAnswer(TargetCall call, Route route) throws Failure, LinkLostException {
    long begun = System.nanoTime();
    while (!call.answered() && !call.failedEarly()) {
      upload();
      long active = upload == null ? begun : Math.max(begun, upload.progress());
      if (upload != null && upload.starved()) {
        // The peer's turn, so the target's clock stands still.
        await(
            limited ? end : Math.min(end, active + settings.idle().toNanos()),
            route.what() + ": no more body");
      } else if (route.longLived()) {
        await(end, "");
      } else {
        await(
            Math.min(end, active + settings.answer().toNanos()),
            route.what() + ": no answer within " + settings.answer().toSeconds() + " s");
      }
    }
  }

  private void copy(TargetCall call, Route route) throws Failure, LinkLostException {
    if (!call.answered()) {
      throw call.failure();
    }
    if (call.switched()) {
      throw new Failure(
          Failure.Reason.BROKEN, route.what() + ": the target switched to another protocol");
    }
    long length = call.response().getHeaders().getLongField(HttpHeader.CONTENT_LENGTH);
    answer.head(
        call.response().getStatus(),
        HeaderRules.toPeer(call.response().getHeaders()),
        request.method().equals("HEAD") ? 0 : length);
    long active = System.nanoTime();
    boolean patient = limited || route.longLived() || !request.supportsResponseStreaming();
    while (true) {
      gate.check();
      upload();
      Content.Chunk chunk = call.read();
      if (chunk == null) {
        answer.flush();
        if (call.broken()) {
          throw call.failure();
        }
        await(
            patient ? end : Math.min(end, active + settings.idle().toNanos()),
            "context deadline exceeded: nothing came from the target for "
                + settings.idle().toSeconds()
                + " s");
        continue;
      }
      active = System.nanoTime();
      if (Content.Chunk.isFailure(chunk)) {
        throw call.failure(chunk.getFailure());
      }
      boolean last = chunk.isLast();
      try {
        tunnel.meters().out(chunk.remaining());
        answer.body(chunk.getByteBuffer());
      } finally {
        chunk.release();
      }
      if (last) {
        return;
      }
    }
  }

  /** Waits for a signal; a limit that is over ends the stream. */
  private void await(long until, String otherwise) throws Failure {
    gate.await(until);
    long now = System.nanoTime();
    if (now - end >= 0) {
      throw Failure.timeout("context deadline exceeded");
    }
    if (now - until >= 0) {
      throw Failure.timeout(otherwise);
    }
  }
}
