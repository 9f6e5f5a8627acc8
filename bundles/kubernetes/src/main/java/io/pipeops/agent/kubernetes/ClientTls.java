package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.tls.KeyOffer;
import javax.net.ssl.SSLParameters;
import org.eclipse.jetty.io.ssl.SslHandshakeListener;
import org.eclipse.jetty.util.ssl.SslContextFactory;

/** TLS; as a bean of the client it is told of each handshake that failed. */
final class ClientTls extends SslContextFactory.Client implements SslHandshakeListener {
  private final KeyOffer keys = new KeyOffer();

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
}
