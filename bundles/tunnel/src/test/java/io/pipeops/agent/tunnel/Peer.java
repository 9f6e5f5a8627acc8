package io.pipeops.agent.tunnel;

import io.pipeops.agent.api.link.JsonText;
import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Reply;
import io.pipeops.agent.api.link.StreamReceiver;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Payload;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ProxyCancel;
import io.pipeops.agent.protocol.ProxyError;
import io.pipeops.agent.protocol.ProxyRequestBuilder;
import io.pipeops.agent.protocol.ProxyRequestChunk;
import io.pipeops.agent.protocol.ProxyRequestStreamEnd;
import io.pipeops.agent.protocol.ProxyResponse;
import io.pipeops.agent.protocol.ProxyResponseAbort;
import io.pipeops.agent.protocol.ProxyResponseChunk;
import io.pipeops.agent.protocol.ProxyResponseEnd;
import io.pipeops.agent.protocol.ProxyResponseHeader;
import java.io.ByteArrayOutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** The control plane and the link in one: dispatches as the link does, keeps what comes back. */
final class Peer implements Reply {
  static final Set<String> TERMINAL =
      Set.of(ProxyResponse.TYPE, ProxyError.TYPE, ProxyResponseEnd.TYPE, ProxyResponseAbort.TYPE);

  private static final Duration PATIENCE = Duration.ofSeconds(20);

  private final LinkHandler handler;
  private final Map<String, StreamReceiver> claims = new HashMap<>();
  private final List<Message> received = new ArrayList<>();
  private StreamReceiver binary;
  private boolean connected = true;
  private boolean full;
  private long room = Long.MAX_VALUE;

  Peer(LinkHandler handler) {
    this.handler = handler;
  }

  // What the link does.

  @Override
  public synchronized boolean claim(String key, StreamReceiver receiver) {
    return connected && claims.putIfAbsent(key, receiver) == null;
  }

  @Override
  public synchronized void release(String key) {
    claims.remove(key);
  }

  @Override
  public boolean forward(String key, Message message) {
    StreamReceiver receiver;
    synchronized (this) {
      receiver = claims.get(key);
    }
    if (receiver != null) {
      receiver.receive(message);
    }
    return receiver != null;
  }

  @Override
  public synchronized void expectBinary(StreamReceiver receiver) {
    binary = receiver;
  }

  @Override
  public synchronized void send(Outgoing message) throws InterruptedException, LinkLostException {
    while (connected && room <= 0) {
      wait();
    }
    if (Thread.interrupted()) {
      throw new InterruptedException();
    }
    if (!connected) {
      throw new LinkLostException("gone");
    }
    room--;
    keep(message);
  }

  @Override
  public synchronized boolean offer(Outgoing message) {
    if (!connected || full) {
      return false;
    }
    keep(message);
    return true;
  }

  private void keep(Outgoing message) {
    ByteBuffer data = message.data();
    try {
      received.add(
          Envelopes.parse(data.array(), data.arrayOffset() + data.position(), data.remaining()));
    } catch (ProtocolException e) {
      throw new UncheckedIOException(e);
    }
    notifyAll();
  }

  @Override
  public synchronized boolean connected() {
    return connected;
  }

  // What the control plane does.

  void request(String id, ProxyRequestBuilder request) {
    deliver(id, request.build());
  }

  void chunk(String id, String text) {
    deliver(id, new ProxyRequestChunk(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
  }

  void endBody(String id) {
    deliver(id, new ProxyRequestStreamEnd());
  }

  void cancel(String id) {
    deliver(id, new ProxyCancel());
  }

  void deliver(String id, Payload payload) {
    ByteBuffer text = Envelopes.write(id, payload);
    try {
      deliver(
          Envelopes.parse(text.array(), text.arrayOffset() + text.position(), text.remaining()));
    } catch (ProtocolException e) {
      throw new UncheckedIOException(e);
    }
  }

  void deliver(String type, String id, String payload) {
    deliver(new Message(type, id, payload == null ? JsonText.NONE : JsonText.of(payload)));
  }

  void deliver(Message message) {
    StreamReceiver late;
    StreamReceiver receiver;
    synchronized (this) {
      late = binary;
      binary = null;
      receiver = claims.get(message.requestId());
    }
    if (late != null) {
      late.lost("binary message did not come");
    }
    if (receiver != null && !message.requestId().isEmpty()) {
      receiver.receive(message);
    } else {
      handler.handle(message, this);
    }
  }

  void binary(ByteBuffer data) {
    StreamReceiver receiver;
    synchronized (this) {
      receiver = binary;
      binary = null;
    }
    if (receiver != null) {
      receiver.binary(data);
    }
  }

  void lose() {
    List<StreamReceiver> all;
    synchronized (this) {
      connected = false;
      all = new ArrayList<>(claims.values());
      notifyAll();
    }
    all.forEach(receiver -> receiver.lost("test"));
  }

  /** How many more messages the link takes before its producers have to wait. */
  synchronized void room(long messages) {
    room = messages;
    notifyAll();
  }

  synchronized void full(boolean value) {
    full = value;
  }

  synchronized int claims() {
    return claims.size();
  }

  // What the test asks.

  synchronized List<Message> all(String id) {
    return received.stream().filter(m -> m.requestId().equals(id)).toList();
  }

  synchronized List<Message> all() {
    return List.copyOf(received);
  }

  synchronized void forget() {
    received.clear();
  }

  long terminals(String id) {
    return all(id).stream().filter(m -> TERMINAL.contains(m.type())).count();
  }

  Message await(String id, Predicate<Message> condition) {
    return await(id, condition, PATIENCE);
  }

  synchronized Message await(String id, Predicate<Message> condition, Duration limit) {
    long until = System.nanoTime() + limit.toNanos();
    while (true) {
      for (Message message : received) {
        if (message.requestId().equals(id) && condition.test(message)) {
          return message;
        }
      }
      long left = until - System.nanoTime();
      if (left <= 0) {
        throw new AssertionError("waited too long; there is " + received);
      }
      try {
        wait(left / 1_000_000 + 1);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  Message awaitEnd(String id) {
    return await(id, m -> TERMINAL.contains(m.type()));
  }

  ProxyResponse response(String id) {
    Message message = awaitEnd(id);
    if (!message.type().equals(ProxyResponse.TYPE)) {
      throw new AssertionError("got " + message);
    }
    try {
      return ProxyResponse.parse(message.payload());
    } catch (ProtocolException e) {
      throw new UncheckedIOException(e);
    }
  }

  String body(String id) {
    try {
      return text(response(id).plainBody(64 << 20));
    } catch (ProtocolException e) {
      throw new UncheckedIOException(e);
    }
  }

  String error(String id) {
    Message message = awaitEnd(id);
    try {
      return switch (message.type()) {
        case ProxyError.TYPE -> ProxyError.parse(message.payload()).error();
        case ProxyResponseAbort.TYPE -> ProxyResponseAbort.parse(message.payload()).error();
        default -> throw new AssertionError("got " + message);
      };
    } catch (ProtocolException e) {
      throw new UncheckedIOException(e);
    }
  }

  ProxyResponseHeader header(String id) {
    Message message = await(id, m -> m.type().equals(ProxyResponseHeader.TYPE));
    try {
      return ProxyResponseHeader.parse(message.payload());
    } catch (ProtocolException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The chunks so far, put together. */
  byte[] streamed(String id) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    for (Message message : all(id)) {
      if (message.type().equals(ProxyResponseChunk.TYPE)) {
        try {
          ByteBuffer data = ProxyResponseChunk.parse(message.payload()).data();
          out.write(data.array(), data.arrayOffset() + data.position(), data.remaining());
        } catch (ProtocolException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    return out.toByteArray();
  }

  static String text(ByteBuffer data) {
    return StandardCharsets.UTF_8.decode(data).toString();
  }
}
