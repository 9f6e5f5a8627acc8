package io.pipeops.hub.tls;

import io.pipeops.hub.store.StateDirectory;
import java.io.IOException;
import java.time.Clock;
import java.time.Instant;
import java.util.Optional;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server's TLS. New certificates are shown to new connections without a restart; open ones are
 * not touched. If a new certificate cannot be had, the former stays and the log says so.
 */
public final class HubTls implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(HubTls.class);

  private final IdentitySource source;
  private final SslContextFactory.Server factory;
  private final Thread renewer;
  private ServerIdentity shown;
  private boolean closed;

  private HubTls(IdentitySource source) throws IOException {
    this.source = source;
    this.shown = source.current();
    this.factory = new SslContextFactory.Server();
    show(factory, shown);
    // A client that names no host, or an address, still gets the one certificate there is.
    factory.setSniRequired(false);
    this.renewer = Thread.ofVirtual().name("hub-tls-renewer").unstarted(this::run);
  }

  /**
   * Reads the certificate, or makes a CA and a certificate in the state directory.
   *
   * @throws IOException if that is not possible; the message names the file and what to do
   */
  public static HubTls open(TlsSettings settings, StateDirectory state) throws IOException {
    HubTls tls = open(settings, state, Clock.systemUTC());
    tls.renewer.start();
    return tls;
  }

  /** Without the thread that looks for new certificates. */
  static HubTls open(TlsSettings settings, StateDirectory state, Clock clock) throws IOException {
    return new HubTls(
        settings.certificate().isPresent()
            ? new OwnIdentity(settings, clock)
            : new GeneratedIdentity(state, settings.hostNames(), clock));
  }

  /** For the server's connector, which starts and stops it. */
  public SslContextFactory.Server contextFactory() {
    return factory;
  }

  /** The CA that clients must trust, as PEM; empty if an operator's CA is known to them anyway. */
  public Optional<String> caPem() {
    return source.caPem();
  }

  /** When the present certificate ends. */
  public synchronized Instant notAfter() {
    return shown.notAfter();
  }

  private static void show(SslContextFactory.Server factory, ServerIdentity identity)
      throws IOException {
    factory.setKeyStore(identity.keyStore());
    factory.setKeyStorePassword(ServerIdentity.PASSWORD);
  }

  private void run() {
    try {
      while (pause()) {
        renew();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean pause() throws InterruptedException {
    long end = System.nanoTime() + source.recheck().toNanos();
    for (long left = end - System.nanoTime(); !closed && left > 0; left = end - System.nanoTime()) {
      wait(Math.max(1, left / 1_000_000));
    }
    return !closed;
  }

  /** Shows a new certificate if there is one. */
  void renew() {
    try {
      ServerIdentity current = source.current();
      synchronized (this) {
        if (closed || current == shown) {
          return;
        }
        factory.reload(reloaded -> showUnchecked((SslContextFactory.Server) reloaded, current));
        shown = current;
      }
      log.info("Shows a new server certificate until={}", current.notAfter());
    } catch (Exception e) {
      log.warn(
          "Keeps the former server certificate and tries again until={} reason={}",
          notAfter(),
          e.getMessage());
    }
  }

  private static void showUnchecked(SslContextFactory.Server factory, ServerIdentity identity) {
    try {
      show(factory, identity);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    notifyAll();
  }
}
