package io.pipeops.hub.store;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tokens that a new hub begins with: one for its REST API, one for agents, each in a file that
 * only the hub's user may read. The file is the truth: a token that an operator puts there is taken
 * over, and a deleted file is replaced by a new token at the next start, which revokes the former.
 * A token that was revoked through the REST API stays revoked.
 */
final class FirstTokens {
  private static final Logger log = LoggerFactory.getLogger(FirstTokens.class);
  private static final String NAME = "initial";

  private FirstTokens() {}

  static void ensure(StateDirectory state, TokenRecords tokens) throws IOException {
    ensure(state, tokens, TokenKind.ADMIN, "admin.token");
    ensure(state, tokens, TokenKind.AGENT, "agent.token");
  }

  private static void ensure(StateDirectory state, TokenRecords tokens, TokenKind kind, String file)
      throws IOException {
    Optional<byte[]> kept = state.read(file);
    if (kept.isPresent()) {
      String text = new String(kept.get(), StandardCharsets.US_ASCII).strip();
      if (!TokenText.plausible(kind, text)) {
        throw new IOException(
            "%s does not hold a token (%s and 43 letters, digits, - or _); delete it and start again for a new one"
                .formatted(state.file(file), kind.prefix()));
      }
      tokens.adopt(kind, NAME, text);
      return;
    }
    // In the file before it is in the database: a crash in between leaves a token that is adopted.
    String text = TokenText.generate(kind);
    tokens.revokeNamed(kind, NAME);
    state.writeSecret(file, (text + "\n").getBytes(StandardCharsets.US_ASCII));
    tokens.adopt(kind, NAME, text);
    log.info("New token kind={} file={}", kind.column(), state.file(file));
  }
}
