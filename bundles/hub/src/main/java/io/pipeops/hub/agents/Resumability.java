package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.ResumeOffer;
import io.pipeops.agent.protocol.resume.Receipts;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;

/**
 * What lets an agent's connection outlive its socket: the session's name and secret, and how much
 * was received. For one connection, under its lock.
 */
final class Resumability {
  private static final SecureRandom random = new SecureRandom();

  private final ResumeOffer offer;
  private final Receipts received = new Receipts();
  private boolean agreed;

  Resumability(Duration limit) {
    this.offer = new ResumeOffer(text(12), text(24), limit);
  }

  private static String text(int length) {
    byte[] bytes = new byte[length];
    random.nextBytes(bytes);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  ResumeOffer offer() {
    return offer;
  }

  /** Whether the agent counts, too. */
  boolean agreed() {
    return agreed;
  }

  /** The agent has taken the offer up: what comes from now on counts. */
  void agree() {
    agreed = true;
  }

  Receipts received() {
    return received;
  }

  /** Whether someone who wants to resume is the one the offer was made to. */
  boolean proves(String session, String secret) {
    return offer.session().equals(session)
        && MessageDigest.isEqual(
            offer.secret().getBytes(StandardCharsets.UTF_8),
            secret.getBytes(StandardCharsets.UTF_8));
  }
}
