package io.pipeops.agent.forward;

import io.pipeops.agent.api.kubernetes.ApiServer;
import io.pipeops.agent.api.link.LinkStream;
import io.pipeops.agent.forward.RefusedException.Reason;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import javax.net.ssl.SSLContext;

/**
 * One stream of a hub to the cluster's API server: HTTP/1.1 in the stream, TLS from here on, with
 * the cluster's CA, so that the hub needs neither the CA nor a token of the cluster. Before
 * anything else the hub is told how it went, by one byte: 0 when the connection stands, 2 when it
 * stands but the agent's own credentials are not added, 1 and a text if it does not, which also
 * says that no request has reached anybody.
 */
final class ApiForward {
  static final byte CONNECTED = 0;
  static final byte FAILED = 1;
  static final byte CONNECTED_ANONYMOUSLY = 2;

  /** How long a peer has to take a refusal before the stream is closed. */
  private static final Duration LAST_WORDS = Duration.ofSeconds(5);

  private final Forwarding all;
  private final Settings settings;
  private final LinkStream stream;
  private final Tally tally;

  ApiForward(Forwarding all, Settings settings, LinkStream stream, Tally tally) {
    this.all = all;
    this.settings = settings;
    this.stream = stream;
    this.tally = tally;
  }

  /**
   * Carries the stream to its end.
   *
   * @param idle is given what tells whether the hub keeps the stream only for later
   */
  void run(Consumer<BooleanSupplier> idle) throws IOException, InterruptedException {
    ApiServer server = all.server();
    if (server == null) {
      throw new RefusedException(Reason.CONNECT, "the agent does not know its API server yet");
    }
    URI base = server.base();
    boolean secure = base.getScheme().equals("https");
    int port = base.getPort() > 0 ? base.getPort() : secure ? 443 : 80;
    String host = base.getHost();
    if (host.startsWith("[")) {
      host = host.substring(1, host.length() - 1);
    }
    SocketChannel channel = all.targets().connect(host, port, settings.connect());
    try (channel) {
      Wire wire = secure ? tls(server, channel, host, port) : Wire.tcp(channel);
      all.meters().opened(Kind.API);
      byte how = settings.apiAsAgent() ? CONNECTED : CONNECTED_ANONYMOUSLY;
      stream.write(ByteBuffer.wrap(new byte[] {how}));
      RequestHeads heads =
          new RequestHeads(
              wire,
              base.getRawAuthority(),
              basePath(base),
              () -> settings.apiAsAgent() ? server.token().orElse("") : "",
              all::endingApi);
      idle.accept(heads::idle);
      new ByteRelay(stream, wire, heads, Duration.ZERO, tally).run();
    }
  }

  private Wire tls(ApiServer server, SocketChannel channel, String host, int port)
      throws RefusedException {
    SSLContext context = settings.apiAsAgent() ? server.identified() : server.anonymous();
    try {
      return Wire.tls(
          channel, context.getSocketFactory(), host, port, (int) settings.connect().toMillis());
    } catch (IOException e) {
      throw new RefusedException(
          Reason.CONNECT, "TLS with the API server failed: " + e.getMessage());
    }
  }

  private static String basePath(URI base) {
    String path = base.getRawPath() == null ? "" : base.getRawPath();
    return path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
  }

  /** Tells the hub that there is no connection, and why. */
  static void refuse(LinkStream stream, String why) throws IOException, InterruptedException {
    byte[] text = why.getBytes(StandardCharsets.UTF_8);
    stream.write(ByteBuffer.allocate(1 + text.length).put(FAILED).put(text).flip());
    stream.shutdownOutput();
    try {
      long end = System.nanoTime() + LAST_WORDS.toNanos();
      while (System.nanoTime() < end && stream.take(LAST_WORDS) != null) {}
    } catch (SocketTimeoutException e) {
      // It has had its time.
    }
  }
}
