package io.pipeops.agent.sandbox;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * Who may come in: the administrator with the token of this run, and ServiceAccounts with tokens
 * that were asked for. There are no roles to enforce; whoever is let in may do everything.
 */
final class Tokens {
  static final String ADMINISTRATOR = "sandbox-admin";
  private static final int MAX_ISSUED = 1000;

  /** A token that was handed out; a secret. */
  record Issued(String token, String user, Instant expires) {
    /** Without the secret. */
    @Override
    public String toString() {
      return "Issued[user=%s, expires=%s]".formatted(user, expires);
    }
  }

  private final InstantSource clock;
  private final SecureRandom random = new SecureRandom();
  private final String administrator = generate();
  private final Map<String, Issued> issued =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Issued> eldest) {
          return size() > MAX_ISSUED;
        }
      };

  Tokens(InstantSource clock) {
    this.clock = clock;
  }

  private String generate() {
    byte[] bytes = new byte[32];
    random.nextBytes(bytes);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  String administrator() {
    return administrator;
  }

  synchronized Issued issue(String user, long seconds) {
    Issued token = new Issued(generate(), user, clock.instant().plusSeconds(seconds));
    issued.put(token.token(), token);
    return token;
  }

  /** The user of a bearer token, as the header names it. */
  Optional<String> user(String authorization) {
    if (!authorization.regionMatches(true, 0, "Bearer ", 0, 7)) {
      return Optional.empty();
    }
    return userOf(authorization.substring(7).strip());
  }

  synchronized Optional<String> userOf(String token) {
    if (MessageDigest.isEqual(
        token.getBytes(StandardCharsets.UTF_8), administrator.getBytes(StandardCharsets.UTF_8))) {
      return Optional.of(ADMINISTRATOR);
    }
    return Optional.ofNullable(issued.get(token))
        .filter(known -> known.expires().isAfter(clock.instant()))
        .map(Issued::user);
  }
}
