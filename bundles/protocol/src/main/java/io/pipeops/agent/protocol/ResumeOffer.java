package io.pipeops.agent.protocol;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * That the hub keeps the session when the connection is lost, as a further field of {@code
 * gateway_hello} (extension {@link Extensions#RESUME}).
 *
 * @param session names the session; not secret
 * @param secret to be shown with {@link LinkResume}; goes only over the connection itself
 * @param limit how long the hub waits for the agent to come back
 */
public record ResumeOffer(String session, String secret, Duration limit) {
  private static final String FIELD = "resume";
  private static final int LONGEST_NAME = 128;
  private static final long MOST_SECONDS = 3600;

  /** The offer among further fields of a message; empty if there is none that makes sense. */
  public static Optional<ResumeOffer> read(Map<String, Object> extra) {
    if (extra.get(FIELD) instanceof Map<?, ?> offer
        && offer.get("session") instanceof String session
        && offer.get("secret") instanceof String secret
        && offer.get("limit_seconds") instanceof Number seconds
        && !session.isEmpty()
        && session.length() <= LONGEST_NAME
        && !secret.isEmpty()
        && secret.length() <= LONGEST_NAME
        && session.chars().allMatch(c -> c > 0x20 && c < 0x7f)
        && seconds.longValue() > 0) {
      return Optional.of(
          new ResumeOffer(
              session, secret, Duration.ofSeconds(Math.min(seconds.longValue(), MOST_SECONDS))));
    }
    return Optional.empty();
  }

  /** The offer as a further field of a message. */
  public Map<String, Object> fields() {
    return Map.of(
        FIELD,
        Map.of(
            "session", session, "secret", secret, "limit_seconds", Math.max(1, limit.toSeconds())));
  }

  @Override
  public String toString() {
    return "ResumeOffer[limit=" + limit + "]";
  }
}
