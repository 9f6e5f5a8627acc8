package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.kubernetes.ApiServer;
import java.net.URI;
import java.security.GeneralSecurityException;
import java.util.Optional;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/** The API server of a {@link Place}. The TLS contexts are made when they are first asked for. */
final class LocatedApiServer implements ApiServer {
  private final Place place;
  private final String namespace;
  private final String clusterDomain;
  private final X509ExtendedTrustManager trust;
  private SSLContext anonymous;
  private SSLContext identified;

  /**
   * @throws AccessException if the CA cannot be used
   */
  LocatedApiServer(Place place, String namespace, String clusterDomain) throws AccessException {
    this.place = place;
    this.namespace = namespace;
    this.clusterDomain = clusterDomain;
    this.trust = place.insecure() ? new ClusterTrust.Anyone() : new ClusterTrust(place.ca());
  }

  @Override
  public URI base() {
    return place.base();
  }

  @Override
  public synchronized SSLContext anonymous() {
    if (anonymous == null) {
      anonymous = context(null);
    }
    return anonymous;
  }

  @Override
  public synchronized SSLContext identified() {
    if (identified == null) {
      identified = place.identity() == null ? anonymous() : context(keys());
    }
    return identified;
  }

  /** What presents the client certificate; null if there is none. */
  KeyManager[] keys() {
    return place.identity() == null ? null : new KeyManager[] {place.identity()};
  }

  TrustManager[] trust() {
    return new TrustManager[] {trust};
  }

  private SSLContext context(KeyManager[] keys) {
    try {
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(keys, trust(), null);
      return context;
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("this Java cannot do TLS", e);
    }
  }

  @Override
  public Optional<String> token() {
    return place.token().get();
  }

  /** Whether the token is one that Kubernetes mounts for the agent's service account. */
  boolean mountedToken() {
    return place.mountedToken();
  }

  @Override
  public String namespace() {
    return namespace;
  }

  @Override
  public String clusterDomain() {
    return clusterDomain;
  }

  @Override
  public String caPem() {
    return place.insecure() ? "" : place.ca().get();
  }
}
