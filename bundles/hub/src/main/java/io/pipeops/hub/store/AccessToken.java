package io.pipeops.hub.store;

import java.time.Instant;
import java.util.Optional;

/**
 * What the hub knows of a token; not the token.
 *
 * @param id its own id
 * @param kind what it is for
 * @param name what it was called when it was made
 * @param clusterId the only cluster that it is good for; always there for a client's token
 * @param created when it was made
 * @param expires when it ends by itself
 * @param lastUsed about when it was used last
 * @param revoked when it was revoked
 */
public record AccessToken(
    String id,
    TokenKind kind,
    String name,
    Optional<String> clusterId,
    Instant created,
    Optional<Instant> expires,
    Optional<Instant> lastUsed,
    Optional<Instant> revoked) {
  public boolean valid(Instant now) {
    return revoked.isEmpty() && (expires.isEmpty() || now.isBefore(expires.get()));
  }
}
