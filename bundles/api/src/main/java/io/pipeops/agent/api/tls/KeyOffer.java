package io.pipeops.agent.api.tls;

import java.security.cert.CertificateException;
import javax.net.ssl.SSLParameters;

/**
 * The groups of key agreement that a TLS client offers to one peer (RFC 8446, 4.2.7): X25519 alone,
 * and all that the run time knows once the peer did not agree. The run time would otherwise make a
 * key of P-256 for each handshake too, and before the first of them calculate a table, which is a
 * twelfth of the whole start of the agent. Peers without X25519 are rare, and cost one connection
 * more. Safe for all threads.
 */
public final class KeyOffer {
  private static final String[] FIRST = {"x25519"};
  private static final int CAUSES = 12;

  private volatile boolean all;

  /** Puts the offer into the parameters of a handshake that is about to begin. */
  public void into(SSLParameters parameters) {
    if (!all) {
      parameters.setNamedGroups(FIRST.clone());
    }
  }

  /** Takes note of a failed handshake. The peer's certificate has nothing to do with the offer. */
  public void failed(Throwable failure) {
    Throwable cause = failure;
    for (int i = 0; i < CAUSES && cause != null; i++, cause = cause.getCause()) {
      if (cause instanceof CertificateException) {
        return;
      }
    }
    all = true;
  }

  /** Whether all groups are offered: a failure is no reason any more to try again at once. */
  public boolean complete() {
    return all;
  }
}
