package io.pipeops.hub.agents;

import java.util.Optional;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;

/** Reads a bearer token from a request (RFC 6750 2.1). */
public final class Bearer {
  private static final int MAX = 8 << 10;

  private Bearer() {}

  /**
   * The token of the one {@code Authorization} header; empty if it is missing, doubled or other.
   */
  public static Optional<String> of(Request request) {
    var values = request.getHeaders().getValuesList(HttpHeader.AUTHORIZATION);
    if (values.size() != 1) {
      return Optional.empty();
    }
    String value = values.getFirst().strip();
    if (!value.regionMatches(true, 0, "Bearer ", 0, 7)) {
      return Optional.empty();
    }
    String token = value.substring(7).strip();
    boolean plain = token.chars().allMatch(c -> c > 0x20 && c < 0x7f);
    return token.isEmpty() || token.length() > MAX || !plain
        ? Optional.empty()
        : Optional.of(token);
  }
}
