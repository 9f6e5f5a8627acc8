package io.pipeops.agent.link;

import io.pipeops.agent.link.LinkSettings.TlsFiles;
import java.io.IOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.KeyStoreException;
import java.security.NoSuchAlgorithmException;
import java.security.cert.CertPathBuilderException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509ExtendedTrustManager;

/** TLS of the connection (protocol 1.4): whom to trust, and what to present. */
final class Tls {
  private Tls() {}

  /**
   * A context from the files as they are now.
   *
   * @throws ConfigurationException if a file cannot be read or used
   */
  static SSLContext context(TlsFiles files) throws ConfigurationException {
    try {
      KeyManager[] keys = null;
      if (!files.cert().isEmpty()) {
        List<X509Certificate> chain = Pem.certificates(files.cert(), "link.tls_cert_file");
        KeyStore store = empty();
        store.setKeyEntry(
            "agent",
            Pem.key(files.key(), "link.tls_key_file"),
            new char[0],
            chain.toArray(X509Certificate[]::new));
        KeyManagerFactory factory =
            KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        factory.init(store, new char[0]);
        keys = factory.getKeyManagers();
      }
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys, new TrustManager[] {trust(files)}, null);
      return context;
    } catch (KeyStoreException e) {
      throw new ConfigurationException(
          "link.tls_cert_file and link.tls_key_file do not belong together", e);
    } catch (GeneralSecurityException | IOException e) {
      if (e instanceof ConfigurationException known) {
        throw known;
      }
      throw new ConfigurationException("TLS cannot be set up: " + e.getMessage(), e);
    }
  }

  private static X509ExtendedTrustManager trust(TlsFiles files)
      throws GeneralSecurityException, IOException {
    if (files.skipVerify()) {
      return new TrustEverything();
    }
    if (files.ca().isEmpty()) {
      return new LayeredTrust(null);
    }
    KeyStore store = empty();
    int number = 0;
    for (X509Certificate certificate : Pem.certificates(files.ca(), "link.tls_ca_file")) {
      store.setCertificateEntry("ca" + number++, certificate);
    }
    return new LayeredTrust(managers(store));
  }

  private static KeyStore empty() throws GeneralSecurityException, IOException {
    KeyStore store = KeyStore.getInstance("PKCS12");
    store.load(null, null);
    return store;
  }

  private static X509ExtendedTrustManager managers(KeyStore store) throws CertificateException {
    try {
      TrustManagerFactory factory =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      factory.init(store);
      for (TrustManager manager : factory.getTrustManagers()) {
        if (manager instanceof X509ExtendedTrustManager extended) {
          return extended;
        }
      }
    } catch (NoSuchAlgorithmException | KeyStoreException e) {
      throw new CertificateException("no trust manager", e);
    }
    throw new CertificateException("no trust manager");
  }

  /** Changes whenever one of the files does, so that rotated ones are taken up. */
  static String fingerprint(TlsFiles files) {
    StringBuilder out = new StringBuilder();
    for (String file : List.of(files.ca(), files.cert(), files.key())) {
      if (!file.isEmpty()) {
        try {
          BasicFileAttributes now = Files.readAttributes(Path.of(file), BasicFileAttributes.class);
          out.append(now.lastModifiedTime()).append('/').append(now.size());
          out.append('/').append(now.fileKey());
        } catch (IOException | RuntimeException e) {
          out.append('?');
        }
      }
      out.append(';');
    }
    return out.toString();
  }

  /** What a failed handshake means, in words that tell what to do. */
  static String explain(Throwable failure) {
    List<Throwable> chain = new ArrayList<>();
    for (Throwable t = failure; t != null && chain.size() < 12; t = t.getCause()) {
      chain.add(t);
    }
    for (Throwable t : chain) {
      if (t instanceof CertificateExpiredException) {
        return "TLS: the peer's certificate has expired";
      }
      if (t instanceof CertificateNotYetValidException) {
        return "TLS: the peer's certificate is not valid yet; check the clock of this host";
      }
      if (t instanceof CertPathValidatorException broken
          && broken.getReason() == CertPathValidatorException.BasicReason.ALGORITHM_CONSTRAINED) {
        return "TLS: the peer's certificate is made by an algorithm that is not safe any more: "
            + PeerText.line(t.getMessage());
      }
    }
    for (Throwable t : chain) {
      if (t instanceof CertPathBuilderException
          || String.valueOf(t.getMessage()).contains("PKIX path")) {
        return "TLS: the peer's certificate is not signed by a trusted CA; name that CA in"
            + " link.tls_ca_file";
      }
    }
    for (Throwable t : chain) {
      if (t instanceof CertificateException
          && String.valueOf(t.getMessage()).contains("subject alternative")) {
        return "TLS: the peer's certificate is for another host: " + PeerText.line(t.getMessage());
      }
    }
    for (Throwable t : chain) {
      if (t instanceof SSLException) {
        return "TLS: " + PeerText.line(t.getMessage());
      }
    }
    return "";
  }

  /**
   * Trusts the given roots, and the system's. The latter are read only when the former do not do,
   * because that costs more than the whole handshake.
   */
  private static final class LayeredTrust extends X509ExtendedTrustManager {
    private final X509ExtendedTrustManager own;
    private X509ExtendedTrustManager system;

    LayeredTrust(X509ExtendedTrustManager own) {
      this.own = own;
    }

    private synchronized X509ExtendedTrustManager system() throws CertificateException {
      if (system == null) {
        system = managers(null);
      }
      return system;
    }

    private interface Check {
      void with(X509ExtendedTrustManager manager) throws CertificateException;
    }

    private void check(Check check) throws CertificateException {
      if (own == null) {
        check.with(system());
        return;
      }
      try {
        check.with(own);
      } catch (CertificateException first) {
        try {
          check.with(system());
        } catch (CertificateException second) {
          first.addSuppressed(second);
          throw first;
        }
      }
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      check(manager -> manager.checkServerTrusted(chain, type, engine));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      check(manager -> manager.checkServerTrusted(chain, type, socket));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      check(manager -> manager.checkServerTrusted(chain, type));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
        throws CertificateException {
      throw new CertificateException("this side accepts no clients");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
        throws CertificateException {
      throw new CertificateException("this side accepts no clients");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type)
        throws CertificateException {
      throw new CertificateException("this side accepts no clients");
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }

  /** For {@code tls_insecure_skip_verify}; an extended manager, so that no host check is added. */
  private static final class TrustEverything extends X509ExtendedTrustManager {
    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket) {}

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
