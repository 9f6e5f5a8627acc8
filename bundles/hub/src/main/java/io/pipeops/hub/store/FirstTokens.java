package io.pipeops.hub.store;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tokens that a new hub begins with: one for its REST API, one for agents, each in a file that
 * only the hub's user may read. The file is the truth: a token that an operator puts there is taken
 * over, and a deleted file is replaced by a new token at the next start, which revokes the former.
 * A token that was revoked through the REST API stays revoked.
 *
 * <p>Where a folder for them is set, such as a mounted Secret, the files there count and the hub
 * writes none; a token that differs from that of the last start revokes it.
 */
final class FirstTokens {
  private static final Logger log = LoggerFactory.getLogger(FirstTokens.class);
  private static final String NAME = "initial";
  private static final int MAX_TOKEN = 4096;

  private FirstTokens() {}

  static void ensure(StateDirectory state, Optional<Path> given, TokenRecords tokens)
      throws IOException {
    ensure(state, given, tokens, TokenKind.ADMIN, "admin.token");
    ensure(state, given, tokens, TokenKind.AGENT, "agent.token");
  }

  private static void ensure(
      StateDirectory state, Optional<Path> given, TokenRecords tokens, TokenKind kind, String file)
      throws IOException {
    if (given.isPresent()) {
      Path path = given.get().resolve(file);
      String text = checked(kind, path, read(path));
      if (!tokens.knows(text)) {
        // Another token than the last time: that one is out.
        tokens.revokeNamed(kind, NAME);
        tokens.adopt(kind, NAME, text);
      }
      return;
    }
    Optional<byte[]> kept = state.read(file);
    if (kept.isPresent()) {
      tokens.adopt(kind, NAME, checked(kind, state.file(file), kept.get()));
      return;
    }
    // In the file before it is in the database: a crash in between leaves a token that is adopted.
    String text = TokenText.generate(kind);
    tokens.revokeNamed(kind, NAME);
    state.writeSecret(file, (text + "\n").getBytes(StandardCharsets.US_ASCII));
    tokens.adopt(kind, NAME, text);
    log.info("New token kind={} file={}", kind.column(), state.file(file));
  }

  private static String checked(TokenKind kind, Path file, byte[] content) throws IOException {
    String text = new String(content, StandardCharsets.US_ASCII).strip();
    if (!TokenText.plausible(kind, text)) {
      throw new IOException(
          "%s does not hold a token (%s and 43 letters, digits, - or _); put one there, or delete the file in state_dir for a new one"
              .formatted(file, kind.prefix()));
    }
    return text;
  }

  private static byte[] read(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return in.readNBytes(MAX_TOKEN);
    } catch (NoSuchFileException e) {
      throw new IOException(
          "tokens_dir holds no %s; put the token there, or leave tokens_dir empty for generated ones"
              .formatted(file.getFileName()),
          e);
    }
  }
}
