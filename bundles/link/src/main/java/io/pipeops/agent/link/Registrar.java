package io.pipeops.agent.link;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.Register;
import io.pipeops.agent.protocol.RegisterSuccess;
import java.io.IOException;
import java.util.Locale;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The registration exchange on one connection, and the errors of its peer (protocol 1.6, 1.14). */
final class Registrar implements Inbound.Control {
  private static final Logger log = LoggerFactory.getLogger(Registrar.class);

  private final Timing timing;
  private final Consumer<String> notRegistered;
  private final Consumer<String> relieved;
  private String pending = "";
  private RegisterSuccess result;
  private IOException failure;
  private long deadline;
  private long latest;
  private String lastError = "";

  /**
   * For one connection.
   *
   * @param notRegistered told when the peer does not know the cluster
   * @param relieved told when the peer has given the cluster to another replica
   */
  Registrar(Timing timing, Consumer<String> notRegistered, Consumer<String> relieved) {
    this.timing = timing;
    this.notRegistered = notRegistered;
    this.relieved = relieved;
  }

  /**
   * Registers and waits for the answer.
   *
   * @throws RefusedException if the peer answered with an error
   * @throws IOException if the answer did not come, was unusable, or the connection went away
   */
  RegisterSuccess register(LinkConnection connection, Register payload)
      throws IOException, InterruptedException {
    String id = "req_" + UUID.randomUUID();
    long now = System.nanoTime();
    synchronized (this) {
      pending = id;
      result = null;
      failure = null;
      deadline = now + timing.register().toNanos();
      latest = now + timing.registerMax().toNanos();
    }
    connection.ended().thenAccept(reason -> fail(id, new IOException(reason)));
    connection.send(Outgoing.text(Priority.CONTROL, "", Envelopes.write(id, payload)));
    synchronized (this) {
      try {
        while (result == null && failure == null) {
          long left = deadline - System.nanoTime();
          if (left <= 0) {
            throw new IOException(
                "the registration was not answered in time"
                    + (lastError.isEmpty() ? "" : "; the peer said: " + lastError));
          }
          TimeUnit.NANOSECONDS.timedWait(this, Math.max(1_000_000, left));
        }
        if (failure != null) {
          throw failure;
        }
        return result;
      } finally {
        pending = "";
      }
    }
  }

  /** What the peer complained of last; empty if it did not. */
  synchronized String lastError() {
    return lastError;
  }

  @Override
  public void registered(Message message) {
    try {
      RegisterSuccess success = RegisterSuccess.parse(message.payload());
      synchronized (this) {
        if (awaits(message)) {
          result = success;
          notifyAll();
        } else {
          log.debug("Ignored a register_success that was not asked for");
        }
      }
    } catch (ProtocolException e) {
      fail(message.requestId(), new IOException("unusable answer: " + e.getMessage(), e));
    }
  }

  @Override
  public synchronized void registering(Message message) {
    if (awaits(message)) {
      deadline = Math.min(latest, System.nanoTime() + timing.register().toNanos());
      log.debug("The registration is still in progress");
      notifyAll();
    }
  }

  @Override
  public void handedOver(Message message) {
    String reason = "";
    try {
      reason = PeerText.line(HandedOver.parse(message.payload()).reason());
    } catch (ProtocolException e) {
      log.debug("A hand-over without a reason");
    }
    relieved.accept(reason);
  }

  @Override
  public void error(Message message) {
    String text;
    try {
      text = PeerText.line(ErrorMessage.parse(message.payload()).error());
    } catch (ProtocolException e) {
      text = "an error without text";
    }
    boolean registering;
    synchronized (this) {
      lastError = text;
      registering = !pending.isEmpty();
      if (awaits(message)
          || (registering
              && message.requestId().isEmpty()
              && RefusedException.alreadyConnected(text))) {
        failure = new RefusedException(0, "registration refused: " + text);
        notifyAll();
        return;
      }
    }
    String lower = text.toLowerCase(Locale.ROOT);
    if (!registering && (lower.contains("not registered") || lower.contains("cluster not found"))) {
      notRegistered.accept(text);
    } else {
      log.warn("The peer reports an error: {}", text);
    }
  }

  private boolean awaits(Message message) {
    return !pending.isEmpty() && pending.equals(message.requestId());
  }

  private synchronized void fail(String id, IOException cause) {
    if (!pending.isEmpty() && pending.equals(id) && result == null && failure == null) {
      failure = cause;
      notifyAll();
    }
  }
}
