package io.pipeops.agent.link;

import io.pipeops.agent.api.tls.KeyOffer;
import javax.net.ssl.SSLParameters;
import org.eclipse.jetty.io.ssl.SslHandshakeListener;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/** TLS from 1.2 on; as a bean of the client it is told of each handshake that failed. */
final class ClientTls extends SslContextFactory.Client implements SslHandshakeListener {
  private final KeyOffer keys = new KeyOffer();

  ClientTls() {
    setIncludeProtocols("TLSv1.3", "TLSv1.2");
  }

  @Override
  public SSLParameters customize(SSLParameters parameters) {
    SSLParameters customized = super.customize(parameters);
    keys.into(customized);
    return customized;
  }

  @Override
  public void handshakeFailed(Event event, Throwable failure) {
    keys.failed(failure);
  }

  /** See {@link KeyOffer#complete}. */
  boolean offersAll() {
    return keys.complete();
  }
}
