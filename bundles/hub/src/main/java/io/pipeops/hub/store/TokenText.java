package io.pipeops.hub.store;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.util.Base64;

/**
 * The text of tokens: four letters for the kind, then 256 random bits. It has so much entropy that
 * a plain SHA-256 protects it as well as any slow hash would.
 */
final class TokenText {
  private static final int BITS = 256;
  private static final int SECRET_LENGTH = 43;
  private static final SecureRandom RANDOM = new SecureRandom();

  private TokenText() {}

  static String generate(TokenKind kind) {
    byte[] secret = new byte[BITS / 8];
    RANDOM.nextBytes(secret);
    return kind.prefix() + Base64.getUrlEncoder().withoutPadding().encodeToString(secret);
  }

  /** Whether this can be a token of that kind; what cannot is refused without a query. */
  static boolean plausible(TokenKind kind, String text) {
    int start = kind.prefix().length();
    if (text.length() != start + SECRET_LENGTH || !text.startsWith(kind.prefix())) {
      return false;
    }
    for (int i = start; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean known =
          (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z')
              || (c >= '0' && c <= '9')
              || c == '-'
              || c == '_';
      if (!known) {
        return false;
      }
    }
    return true;
  }

  static byte[] hash(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.US_ASCII));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
