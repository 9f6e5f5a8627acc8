package io.pipeops.agent.link;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.security.cert.CertificateExpiredException;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLParameters;
import org.junit.jupiter.api.Test;

/** What is offered for the key agreement, and when it becomes more. */
class ClientTlsTest {
  private final ClientTls tls = new ClientTls();

  @Test
  void aFailedHandshakeMakesTheNextOneOfferAll() {
    assertArrayEquals(new String[] {"x25519"}, tls.customize(new SSLParameters()).getNamedGroups());
    tls.handshakeFailed(null, new SSLHandshakeException("handshake_failure"));
    assertTrue(tls.offersAll());
    assertNull(tls.customize(new SSLParameters()).getNamedGroups(), "the run time's own list");
  }

  @Test
  void aBadCertificateHasNothingToDoWithIt() {
    Exception failure = new SSLHandshakeException("certificate");
    failure.initCause(new CertificateExpiredException());
    tls.handshakeFailed(null, failure);
    assertFalse(tls.offersAll());
  }
}
