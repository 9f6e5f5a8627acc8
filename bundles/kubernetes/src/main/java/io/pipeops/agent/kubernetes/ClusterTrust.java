package io.pipeops.agent.kubernetes;

import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Trusts the cluster's CA as it is at the moment of the handshake, so that a rotated CA file needs
 * neither a new TLS context nor a restart. The host name is checked by the JDK's manager that does
 * the work.
 */
final class ClusterTrust extends X509ExtendedTrustManager {
  private static final Logger log = LoggerFactory.getLogger(ClusterTrust.class);

  private final Supplier<String> pem;
  private String usedPem;
  private X509ExtendedTrustManager used;

  /**
   * @param pem the CA's text; empty means the roots that the JDK knows
   * @throws AccessException if the text cannot be used
   */
  ClusterTrust(Supplier<String> pem) throws AccessException {
    this.pem = pem;
    usedPem = pem.get();
    used = build(usedPem);
  }

  private synchronized X509ExtendedTrustManager current() {
    String now = pem.get();
    if (!now.equals(usedPem)) {
      usedPem = now;
      try {
        used = build(now);
        log.info("The cluster's CA was rotated");
      } catch (AccessException e) {
        log.warn("The new CA of the cluster is ignored: {}", e.getMessage());
      }
    }
    return used;
  }

  private static X509ExtendedTrustManager build(String pem) throws AccessException {
    try {
      KeyStore roots = null;
      if (!pem.isEmpty()) {
        roots = KeyStore.getInstance("PKCS12");
        roots.load(null, null);
        int number = 0;
        for (X509Certificate certificate : Pem.certificates(pem, "the cluster's CA")) {
          roots.setCertificateEntry("ca" + number++, certificate);
        }
      }
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(roots);
      for (TrustManager manager : factory.getTrustManagers()) {
        if (manager instanceof X509ExtendedTrustManager extended) {
          return extended;
        }
      }
      throw new AccessException("this Java has no X.509 trust manager");
    } catch (GeneralSecurityException e) {
      throw new AccessException("the cluster's CA cannot be used", e);
    } catch (AccessException e) {
      throw e;
    } catch (java.io.IOException e) {
      throw new AccessException("the cluster's CA cannot be used", e);
    }
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    current().checkClientTrusted(chain, authType, socket);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    current().checkServerTrusted(chain, authType, socket);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    current().checkClientTrusted(chain, authType, engine);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    current().checkServerTrusted(chain, authType, engine);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    current().checkClientTrusted(chain, authType);
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    current().checkServerTrusted(chain, authType);
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return current().getAcceptedIssuers();
  }

  /** Trusts every server, as a kubeconfig with {@code insecure-skip-tls-verify} asks for. */
  static final class Anyone extends X509ExtendedTrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
