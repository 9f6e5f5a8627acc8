package io.pipeops.agent.link;

import io.pipeops.agent.api.link.Message;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.link.LinkSettings.Resume;
import io.pipeops.agent.protocol.Envelopes;
import io.pipeops.agent.protocol.ErrorMessage;
import io.pipeops.agent.protocol.LinkAck;
import io.pipeops.agent.protocol.LinkResume;
import io.pipeops.agent.protocol.LinkResumed;
import io.pipeops.agent.protocol.ProtocolException;
import io.pipeops.agent.protocol.ResumeOffer;
import io.pipeops.agent.protocol.resume.Receipts;
import io.pipeops.agent.protocol.resume.ReplayLog;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import org.eclipse.jetty.util.Callback;

/**
 * What lets a connection outlive its socket, once the hub has offered it: what was sent and is not
 * acknowledged, and how much was received. Safe for all threads; never waits.
 */
final class Resumption {
  private final ReplayLog<Outgoing> sent;
  private final Receipts received = new Receipts();
  private ResumeOffer offer;
  private Outgoing answer;
  private boolean sending;
  private boolean receiving;

  private final Resume settings;

  Resumption(Resume settings) {
    this.settings = settings;
    this.sent = new ReplayLog<>(settings.bytes());
  }

  /** Whether an offer would be taken up. */
  boolean wanted() {
    return settings.limit().isPositive();
  }

  /** How long to try to take the session up again: no longer than the hub waits. */
  synchronized Duration limit() {
    return offer.limit().compareTo(settings.limit()) < 0 ? offer.limit() : settings.limit();
  }

  /** The session's name, for the upgrade request. */
  synchronized String session() {
    return offer.session();
  }

  /**
   * Takes an offer up.
   *
   * @param with what tells the hub so: what is sent after it counts
   */
  synchronized void agree(ResumeOffer made, Outgoing with) {
    offer = made;
    answer = with;
    receiving = true;
  }

  /** Forgets an offer that could not be answered. */
  synchronized void decline() {
    offer = null;
    answer = null;
    receiving = false;
  }

  /** Whether messages are kept and the session can go on with another socket. */
  synchronized boolean active() {
    return sending;
  }

  /** Whether what comes now counts. */
  synchronized boolean counting() {
    return receiving;
  }

  /**
   * Notes a message that goes to the socket next.
   *
   * @return whether the sender must stop after it until {@link #acknowledged} says otherwise
   */
  synchronized boolean sending(Outgoing message) {
    if (sending) {
      sent.add(message, message.data().remaining());
      return sent.full();
    }
    if (answer != null && message == answer) {
      sending = true;
      answer = null;
    }
    return false;
  }

  /**
   * Counts a message that has come.
   *
   * @return the acknowledgement that is due now, or null
   */
  synchronized ByteBuffer received(int size) {
    return received.received(size)
        ? Envelopes.write("", new LinkAck(received.acknowledge()))
        : null;
  }

  /**
   * Forgets what has arrived.
   *
   * @return whether there is room to send
   */
  synchronized boolean acknowledged(LinkAck ack) throws ProtocolException {
    sent.acknowledge(ack.received());
    return !sent.full();
  }

  /**
   * Reads the peer's answer to {@link #request}.
   *
   * @return how many messages of ours it has received in all
   * @throws RefusedException if it has given the session up
   */
  static long accepted(byte[] data, int length) throws ProtocolException, RefusedException {
    Message message = Envelopes.parse(data, 0, length);
    return switch (message.type()) {
      case LinkResumed.TYPE -> LinkResumed.parse(message.payload()).received();
      case ErrorMessage.TYPE ->
          throw new RefusedException(
              0, PeerText.line(ErrorMessage.parse(message.payload()).error()));
      default ->
          throw new ProtocolException("no answer to link_resume: " + PeerText.line(message.type()));
    };
  }

  /** The first message of a new connection. */
  synchronized ByteBuffer request() {
    return Envelopes.write(
        "", new LinkResume(offer.session(), offer.secret(), received.acknowledge()));
  }

  /**
   * Sends again what the peer has not received. No other message may go to any socket meanwhile.
   *
   * @return whether there is room to send more
   */
  synchronized boolean replay(LinkSocket socket, long peerReceived) throws ProtocolException {
    List<Outgoing> again = sent.after(peerReceived);
    for (int i = 0; i < again.size(); i++) {
      Outgoing message = again.get(i);
      socket.send(
          message.text(),
          message.data().duplicate(),
          i + 1 < again.size(),
          Callback.from(() -> {}, failure -> socket.failed("write failed: ", failure)));
    }
    return !sent.full();
  }

  /** Frees what is kept. */
  synchronized void forget() {
    sent.clear();
    receiving = false;
    sending = false;
  }
}
