package io.pipeops.agent.launcher;

import java.security.Provider;
import java.security.Security;
import org.conscrypt.Conscrypt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * TLS, ciphers, signatures and hashes by BoringSSL, in front of Java's own. Those are fast only
 * when the second compiler tier has seen them, which a small container pays for with its start and
 * its memory. Whom to trust is still decided by Java: its certificate path rules, with its trust
 * store.
 *
 * <p>The system property {@code agent.tls=java} leaves it out. Where the native library cannot be
 * loaded, a warning says so and Java's own serves.
 */
final class NativeCryptography {
  static final String CHOICE = "agent.tls";

  private static final Logger log = LoggerFactory.getLogger(NativeCryptography.class);

  private NativeCryptography() {}

  /**
   * Returns whether it serves from now on; for the start, before anything asks for an algorithm.
   */
  static boolean install() {
    if (System.getProperty(CHOICE, "").equals("java")) {
      log.info("TLS is Java's own, as {} says", CHOICE);
      return false;
    }
    try {
      Conscrypt.checkAvailability();
      Provider provider = Conscrypt.newProviderBuilder().provideTrustManager(false).build();
      Security.insertProviderAt(provider, 1);
      log.debug("TLS by {}", provider);
      return true;
    } catch (LinkageError | RuntimeException e) {
      log.warn(
          "TLS is Java's own, which costs more CPU; the native library cannot be used: {}",
          e.toString());
      return false;
    }
  }
}
