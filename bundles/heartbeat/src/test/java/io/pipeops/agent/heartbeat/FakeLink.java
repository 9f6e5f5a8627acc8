package io.pipeops.agent.heartbeat;

import io.pipeops.agent.api.link.Link;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.LinkStatus;
import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.Heartbeat;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/** A link that keeps what it is given, or fails as told. */
final class FakeLink implements Link {
  enum Mood {
    WORKS,
    LOSES,
    STALLS
  }

  final BlockingQueue<Heartbeat> sent = new LinkedBlockingQueue<>();
  final AtomicInteger tries = new AtomicInteger();
  volatile Mood mood = Mood.WORKS;
  volatile LinkStatus status = status(LinkState.DISCONNECTED, "");

  static LinkStatus status(LinkState state, String clusterId) {
    return new LinkStatus(
        state, Instant.now(), "", "agent-1", clusterId, "ws://127.0.0.1:1", false);
  }

  Heartbeat next() throws InterruptedException {
    Heartbeat heartbeat = sent.poll(10, TimeUnit.SECONDS);
    if (heartbeat == null) {
      throw new AssertionError("no heartbeat came");
    }
    return heartbeat;
  }

  @Override
  public LinkStatus status() {
    return status;
  }

  @Override
  public void deliver(Outgoing message, Duration limit)
      throws LinkLostException, TimeoutException, InterruptedException {
    tries.incrementAndGet();
    switch (mood) {
      case LOSES -> throw new LinkLostException("gone");
      case STALLS -> throw new TimeoutException("stalled");
      case WORKS -> {
        try {
          byte[] bytes = new byte[message.data().remaining()];
          message.data().duplicate().get(bytes);
          Message parsed = Envelopes.parse(bytes, 0, bytes.length);
          if (!parsed.type().equals(Heartbeat.TYPE) || !parsed.requestId().isEmpty()) {
            throw new AssertionError("not a heartbeat: " + parsed);
          }
          sent.add(Heartbeat.parse(parsed.payload()));
        } catch (java.io.IOException e) {
          throw new AssertionError(e);
        }
      }
    }
  }

  @Override
  public void register(String reason) {}
}
