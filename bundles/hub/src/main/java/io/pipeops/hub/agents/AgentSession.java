package io.pipeops.hub.agents;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.protocol.BinaryResponse;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.Headers;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequest;
import io.pipeops.agent.protocol.ProxyRequestBuilder;
import io.pipeops.agent.protocol.ProxyRequestChunk;
import io.pipeops.agent.protocol.ProxyRequestStreamEnd;
import io.pipeops.agent.protocol.ProxyRequestWindow;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import io.pipeops.agent.protocol.TunnelCompression;
import io.pipeops.agent.protocol.TunnelFrame;
import io.pipeops.agent.protocol.WebSocketClose;
import io.pipeops.agent.protocol.WebSocketData;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The requests of one cluster that are multiplexed over its agent's connection (protocol 3). It
 * ends with the connection. Safe for all threads.
 */
public final class AgentSession {
  private static final Logger log = LoggerFactory.getLogger(AgentSession.class);
  private static final SecureRandom random = new SecureRandom();
  private static final Duration BUSY = Duration.ofSeconds(1);

  /**
   * An agent cuts a request after two minutes unless told otherwise (protocol 3.2.1). Watches and
   * followed logs may last; whoever waits for a request cancels it himself.
   */
  private static final Duration AGENT_LIMIT = Duration.ofHours(24);

  private final AgentConnection connection;
  private final RegisteredCluster cluster;
  private final AgentLimits limits;
  private final AgentMetrics metrics;
  private final AtomicLong totalQueued;
  private final ConcurrentHashMap<String, AgentStream> streams = new ConcurrentHashMap<>();
  private final AtomicInteger byStream = new AtomicInteger();
  private final BodyWindow.Habit bodyHabit = new BodyWindow.Habit();
  private final Instant since = Instant.now();
  private volatile String lost;
  private volatile Instant lastHeartbeat;
  private volatile String agentId;
  private volatile String agentVersion = "";
  private volatile LeaderTerm term = LeaderTerm.NONE;

  /** Held while a request is queued, so that none follows the word that another one serves. */
  private final Object turn = new Object();

  private volatile AgentSession successor;
  private volatile Runnable whenIdle;

  AgentSession(
      AgentConnection connection,
      RegisteredCluster cluster,
      AgentLimits limits,
      AgentMetrics metrics,
      AtomicLong totalQueued) {
    this.connection = connection;
    this.cluster = cluster;
    this.limits = limits;
    this.metrics = metrics;
    this.totalQueued = totalQueued;
    this.agentId = cluster.agentId();
  }

  public RegisteredCluster cluster() {
    return cluster;
  }

  /** The streams of its agent's connection. */
  public AgentStreams streams() {
    return connection.streams();
  }

  AgentConnection connection() {
    return connection;
  }

  BodyWindow.Habit bodyHabit() {
    return bodyHabit;
  }

  /**
   * Sends a request. Blocks only while very many others are waiting to be sent.
   *
   * @throws AgentGoneException if the connection is gone
   * @throws TooManyRequestsException if the cluster has too many requests in flight
   */
  public AgentStream open(AgentRequest request)
      throws AgentGoneException, TooManyRequestsException, InterruptedException {
    AgentSession at = this;
    while (true) {
      AgentStream stream =
          at.open(
              new AgentStream(at, newId(), false, limits, totalQueued),
              builder(request)
                  .body(request.streamed() ? null : request.body())
                  .useStreaming(request.streamed())
                  .bodyWindow(request.streamed())
                  .supportsResponseStreaming(true));
      if (stream != null) {
        return stream;
      }
      at = at.successor;
    }
  }

  /**
   * Asks for a WebSocket to the cluster's API (protocol 4.2.5). A response with status 101 says
   * that it is there, and by {@code Sec-WebSocket-Protocol} which subprotocol the API server chose.
   *
   * @param request its body does not matter
   * @param protocols the subprotocols to offer, in order
   * @throws AgentGoneException as for {@link #open}
   * @throws TooManyRequestsException as for {@link #open}
   */
  public AgentStream openSocket(AgentRequest request, List<String> protocols)
      throws AgentGoneException, TooManyRequestsException, InterruptedException {
    AgentSession at = this;
    while (true) {
      AgentStream stream =
          at.open(
              new AgentStream(at, newId(), true, limits, totalQueued),
              builder(request)
                  .isWebSocket(true)
                  .protocol(String.join(", ", protocols))
                  .supportsResponseStreaming(true));
      if (stream != null) {
        return stream;
      }
      at = at.successor;
    }
  }

  private static ProxyRequestBuilder builder(AgentRequest request) {
    return ProxyRequest.builder(request.method(), request.path())
        .query(request.query())
        .headers(request.headers())
        .timeout(AGENT_LIMIT);
  }

  /**
   * A newer leader serves the cluster: it gets every request from now on, and the agent is told.
   *
   * @param idle what to do when the last stream has ended
   */
  void relieve(AgentSession newer, Runnable idle) {
    synchronized (turn) {
      successor = newer;
      whenIdle = idle;
      connection
          .writer()
          .control(Envelopes.write("", new HandedOver("a newer leader serves the cluster")));
    }
    connection.streams().retire();
    if (quiet()) {
      idle.run();
    }
  }

  /** Whether nothing is open. */
  boolean quiet() {
    return streams.isEmpty() && connection.streams().open() == 0;
  }

  /** Its time is over. */
  void relieved() {
    if (!connection.over()) {
      connection.close(1000, "a newer leader serves the cluster");
    }
  }

  LeaderTerm term() {
    return term;
  }

  void leads(LeaderTerm by) {
    term = by;
  }

  /** Null if another session serves the cluster since. */
  private AgentStream open(AgentStream stream, ProxyRequestBuilder request)
      throws AgentGoneException, TooManyRequestsException, InterruptedException {
    if (streams.size() + byStream.get() >= limits.requests()) {
      throw tooMany();
    }
    ByteBuffer message = Envelopes.write(stream.id(), request.build());
    connection.writer().awaitRoom();
    synchronized (turn) {
      if (successor != null) {
        return null;
      }
      streams.put(stream.id(), stream);
      boolean sent = lost == null && connection.writer().control(message);
      if (!sent) {
        streams.remove(stream.id());
        String gone = lost;
        throw new AgentGoneException(gone == null ? "the agent's connection is gone" : gone);
      }
    }
    metrics.requests.increment();
    return stream;
  }

  private static String newId() {
    byte[] bytes = new byte[16];
    random.nextBytes(bytes);
    return "r-" + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  /** The session as it is now. */
  public SessionInfo info() {
    return new SessionInfo(
        cluster.id(),
        agentId,
        agentVersion,
        connection.credential().id(),
        lost != null
            ? SessionInfo.State.CLOSED
            : connection.open() ? SessionInfo.State.CONNECTED : SessionInfo.State.CONNECTING,
        connection.gateway(),
        since,
        connection.remoteAddress(),
        Optional.ofNullable(lastHeartbeat),
        openStreams(),
        connection.receivedBytes(),
        connection.writer().sentBytes());
  }

  /** The ids of all requests of which something is still awaited from the agent. */
  List<String> live() {
    List<String> live = new ArrayList<>();
    for (AgentStream stream : streams.values()) {
      if (!stream.over()) {
        live.add(stream.id());
      }
    }
    return live;
  }

  /**
   * Counts a request that goes by a stream of its own; {@link #leave} has to follow.
   *
   * @throws TooManyRequestsException if the cluster has too many requests in flight
   */
  public void enter() throws TooManyRequestsException {
    if (streams.size() + byStream.incrementAndGet() > limits.requests()) {
      byStream.decrementAndGet();
      throw tooMany();
    }
    metrics.requests.increment();
  }

  /** Such a request is over. */
  public void leave() {
    byStream.decrementAndGet();
  }

  /** Notes that a request became a connection of another protocol. */
  public void switched() {
    metrics.sockets.increment();
  }

  private TooManyRequestsException tooMany() {
    return new TooManyRequestsException(
        "the cluster has " + limits.requests() + " requests in flight already");
  }

  /** Ends a request that the agent does not know. */
  void orphaned(String id) {
    AgentStream stream = streams.get(id);
    if (stream != null) {
      stream.fail(new AgentErrorException("the agent does not know the request any more"), false);
    }
  }

  int openStreams() {
    return streams.size() + byStream.get();
  }

  int openSockets() {
    return (int) streams.values().stream().filter(AgentStream::switched).count();
  }

  void heartbeat(Instant at, String agent, String version) {
    lastHeartbeat = at;
    introduced(agent, version);
  }

  void introduced(String agent, String version) {
    if (!agent.isEmpty()) {
      agentId = agent;
    }
    if (!version.isEmpty()) {
      agentVersion = version;
    }
  }

  boolean sendBodyChunk(String id, ByteBuffer data) throws InterruptedException {
    return connection.writer().bulk(id, Envelopes.write(id, new ProxyRequestChunk(data)), false);
  }

  boolean sendBodyEnd(String id) throws InterruptedException {
    return connection.writer().bulk(id, Envelopes.write(id, new ProxyRequestStreamEnd()), false);
  }

  boolean sendFrame(String id, TunnelFrame frame) throws InterruptedException {
    return connection
        .writer()
        .bulk(id, Envelopes.write(id, WebSocketData.kubernetes(id, frame)), true);
  }

  /** A stream is over; the agent has to be told if it does not know. */
  void finished(AgentStream stream, boolean cancel) {
    streams.remove(stream.id());
    connection.writer().drop(stream.id());
    if (cancel && lost == null) {
      metrics.aborts.increment();
      connection
          .writer()
          .control(
              Envelopes.write(
                  stream.id(),
                  stream.switched() ? WebSocketClose.kubernetes(stream.id()) : new ProxyCancel()));
    }
    Runnable idle = whenIdle;
    if (idle != null && quiet()) {
      idle.run();
    }
  }

  /** Why it ended; empty while it has not. */
  String reason() {
    String why = lost;
    return why == null ? "" : why;
  }

  /** The connection is gone: every stream ends. */
  void lost(String reason) {
    lost = reason;
    for (AgentStream stream : List.copyOf(streams.values())) {
      stream.fail(new AgentGoneException(reason), false);
    }
  }

  /**
   * Gives a message to its stream. On the reader thread.
   *
   * @return the stream if it has more queued now than it may; else null
   */
  AgentStream receive(Message message) {
    AgentStream stream = streams.get(message.requestId());
    if (stream == null) {
      return null;
    }
    try {
      deliver(stream, message.type(), message.payload());
    } catch (ProtocolException e) {
      spoilt(stream, e);
    }
    return stream.full() ? stream : null;
  }

  private void deliver(AgentStream stream, String type, JsonText payload) throws ProtocolException {
    switch (type) {
      case ProxyResponseHeader.TYPE -> {
        ProxyResponseHeader head = ProxyResponseHeader.parse(payload);
        onHead(stream, head.status(), head.headers());
      }
      case ProxyResponseChunk.TYPE -> {
        ProxyResponseChunk chunk = ProxyResponseChunk.parse(payload);
        if (stream.switched()) {
          throw new ProtocolException("a response body for a WebSocket");
        }
        stream.onData(chunk.data());
      }
      case ProxyRequestWindow.TYPE -> stream.onWindow(ProxyRequestWindow.parse(payload).upTo());
      case ProxyResponseEnd.TYPE -> {
        // Only the exchange that opened a WebSocket ends, not the socket.
        if (!stream.switched()) {
          stream.onEnd();
        }
      }
      case WebSocketData.TYPE, WebSocketData.ALIAS ->
          stream.onFrame(WebSocketData.parse(payload).data());
      case WebSocketClose.TYPE, WebSocketClose.ALIAS -> {
        if (!stream.socket()) {
          throw new ProtocolException("the close of a WebSocket for a request");
        }
        stream.onEnd();
      }
      case ProxyResponseAbort.TYPE -> failed(stream, ProxyResponseAbort.parse(payload).error());
      case ProxyError.TYPE -> failed(stream, ProxyError.parse(payload).error());
      case ProxyResponse.TYPE -> {
        ProxyResponse whole = ProxyResponse.parse(payload);
        onHead(stream, whole.status(), whole.headers());
        if (stream.switched()) {
          return;
        }
        if (whole.encoding().equals(ProxyResponse.GZIP)) {
          stream.onPacked(AgentStream.bytes(whole.body()));
        } else {
          stream.onData(whole.body());
        }
        stream.onEnd();
      }
      default -> throw new ProtocolException("a " + PeerText.clean(type) + " for a request");
    }
  }

  private void onHead(AgentStream stream, int status, Headers headers) throws ProtocolException {
    stream.onHead(status, headers);
    if (stream.switched()) {
      metrics.sockets.increment();
    }
  }

  private void failed(AgentStream stream, String error) {
    metrics.errors.increment();
    stream.onError(PeerText.clean(error, 1024));
  }

  /** As {@link #receive} for the buffered binary form (protocol 3.4.3). */
  AgentStream receive(BinaryResponse whole) {
    AgentStream stream = streams.get(whole.requestId());
    if (stream == null) {
      return null;
    }
    try {
      if (stream.socket()) {
        throw new ProtocolException("a binary response for a WebSocket");
      }
      stream.onHead(whole.status(), whole.headers());
      byte[] body = AgentStream.bytes(whole.body());
      // The frame does not say whether the tunnel compressed the body; only its content tells.
      if (body.length > 2
          && body[0] == 0x1f
          && body[1] == (byte) 0x8b
          && TunnelCompression.wanted(
              whole.headers().first("Content-Type", ""),
              whole.headers().first("Content-Encoding", ""),
              Long.MAX_VALUE)) {
        stream.onPacked(body);
      } else {
        stream.onData(ByteBuffer.wrap(body));
      }
      stream.onEnd();
    } catch (ProtocolException e) {
      spoilt(stream, e);
    }
    return stream.full() ? stream : null;
  }

  private void spoilt(AgentStream stream, ProtocolException e) {
    metrics.malformed.increment();
    metrics.errors.increment();
    log.warn(
        "Response given up, the agent sent something wrong: cluster={} reason={}",
        cluster.id(),
        e.getMessage());
    stream.fail(new AgentErrorException("the agent sent something wrong: " + e.getMessage()), true);
  }

  /** Whether a stream other than this one got data a moment ago. */
  boolean othersBusy(AgentStream one) {
    for (AgentStream stream : streams.values()) {
      if (stream != one && stream.activeWithin(BUSY)) {
        return true;
      }
    }
    return false;
  }
}
