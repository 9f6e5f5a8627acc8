package io.pipeops.hub.tls;

import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;

/**
 * The certificate that the server shows now.
 *
 * @param chain the server's certificate first
 * @param key its private key
 */
record ServerIdentity(List<X509Certificate> chain, PrivateKey key) {
  static final String PASSWORD = "in-memory";

  Instant notAfter() {
    return chain.get(0).getNotAfter().toInstant();
  }

  /** As the server takes it; only in memory. */
  KeyStore keyStore() throws IOException {
    try {
      KeyStore store = KeyStore.getInstance("PKCS12");
      store.load(null, null);
      store.setKeyEntry("server", key, PASSWORD.toCharArray(), chain.toArray(Certificate[]::new));
      return store;
    } catch (GeneralSecurityException e) {
      throw new IOException("Cannot use the certificate: " + e.getMessage(), e);
    }
  }

  /** Without the key. */
  @Override
  public String toString() {
    return "ServerIdentity[serial=%s, notAfter=%s]"
        .formatted(chain.get(0).getSerialNumber().toString(16), notAfter());
  }
}
