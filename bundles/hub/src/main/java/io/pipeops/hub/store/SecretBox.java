package io.pipeops.hub.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.Optional;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Encrypts what is secret before it goes to the database: AES-256-GCM with a random nonce. The
 * owner's id is authenticated with it, so that a value cannot be moved to another row.
 */
final class SecretBox {
  static final String KEY_FILE = "secrets.key";
  private static final byte FORMAT = 1;
  private static final int NONCE = 12;
  private static final int TAG_BITS = 128;
  private static final int KEY = 32;

  private final SecretKeySpec key;
  private final SecureRandom random = new SecureRandom();

  private SecretBox(byte[] key) {
    this.key = new SecretKeySpec(key, "AES");
  }

  /**
   * @param configured the key in base64; empty to keep one in the state directory
   */
  static SecretBox open(StateDirectory state, String configured) throws IOException {
    if (!configured.isBlank()) {
      return new SecretBox(decode(configured, "setting secret_key"));
    }
    Optional<byte[]> kept = state.read(KEY_FILE);
    if (kept.isPresent()) {
      return new SecretBox(
          decode(
              new String(kept.get(), StandardCharsets.US_ASCII), state.file(KEY_FILE).toString()));
    }
    byte[] fresh = new byte[KEY];
    new SecureRandom().nextBytes(fresh);
    state.writeSecret(
        KEY_FILE,
        (Base64.getEncoder().encodeToString(fresh) + "\n").getBytes(StandardCharsets.US_ASCII));
    return new SecretBox(fresh);
  }

  private static byte[] decode(String text, String where) throws IOException {
    byte[] key;
    try {
      key = Base64.getDecoder().decode(text.strip());
    } catch (IllegalArgumentException e) {
      key = new byte[0];
    }
    if (key.length != KEY) {
      throw new IOException(where + " must be 32 bytes in base64 (openssl rand -base64 32)");
    }
    return key;
  }

  byte[] seal(String owner, String secret) {
    byte[] nonce = new byte[NONCE];
    random.nextBytes(nonce);
    try {
      byte[] sealed =
          cipher(Cipher.ENCRYPT_MODE, owner, nonce)
              .doFinal(secret.getBytes(StandardCharsets.UTF_8));
      return ByteBuffer.allocate(1 + NONCE + sealed.length)
          .put(FORMAT)
          .put(nonce)
          .put(sealed)
          .array();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("AES-GCM is not available", e);
    }
  }

  /** The secret; empty if it was sealed with another key, for another owner, or is damaged. */
  Optional<String> open(String owner, byte[] sealed) {
    if (sealed.length < 1 + NONCE + TAG_BITS / 8 || sealed[0] != FORMAT) {
      return Optional.empty();
    }
    byte[] nonce = new byte[NONCE];
    System.arraycopy(sealed, 1, nonce, 0, NONCE);
    try {
      byte[] open =
          cipher(Cipher.DECRYPT_MODE, owner, nonce)
              .doFinal(sealed, 1 + NONCE, sealed.length - 1 - NONCE);
      return Optional.of(new String(open, StandardCharsets.UTF_8));
    } catch (AEADBadTagException e) {
      return Optional.empty();
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("AES-GCM is not available", e);
    }
  }

  private Cipher cipher(int mode, String owner, byte[] nonce) throws GeneralSecurityException {
    Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
    cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
    cipher.updateAAD(owner.getBytes(StandardCharsets.UTF_8));
    return cipher;
  }
}
