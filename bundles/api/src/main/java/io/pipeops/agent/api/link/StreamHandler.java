package io.pipeops.agent.api.link;

import java.io.IOException;
import org.osgi.annotation.versioning.ConsumerType;

/**
 * Takes the streams that the peer opens, of the protocols it names in the service property {@link
 * #PROTOCOLS}. The service with the highest ranking gets a stream; one that sets {@link
 * LinkHandler#DRAINING} gets none unless it is the only one. While no handler is there, a stream
 * waits for a bounded time and is then reset.
 */
@ConsumerType
public interface StreamHandler {
  /** Service property, {@code String+}: which of the protocols below. */
  String PROTOCOLS = "stream.protocol";

  /** Bytes to and from a TCP service. */
  String TCP = "tcp";

  /** Bytes to and from a UDP service, one datagram for each piece that arrives (Q39). */
  String UDP = "udp";

  /** Datagrams, each with its length before it as two bytes; only with peers that know it. */
  String UDP_DATAGRAMS = "udp-datagrams";

  /** HTTP/1.1 to the cluster's own API server; only with peers that know it. */
  String API = "api";

  /**
   * Carries the stream to its end, on a virtual thread of its own. When it returns or throws, the
   * stream is closed: reset, unless both sides have ended their data. An {@link IOException} is an
   * ordinary end.
   */
  void accept(StreamOpen open, LinkStream stream) throws IOException, InterruptedException;
}
