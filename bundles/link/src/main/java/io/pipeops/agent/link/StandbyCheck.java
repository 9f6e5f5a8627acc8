package io.pipeops.agent.link;

import io.pipeops.agent.api.link.Message;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Whether a replica that stands by could take over: it connects once, as the leader does, and does
 * not register. Otherwise a bad token or address would only be found when the last good replica has
 * gone.
 */
final class StandbyCheck {
  private static final Duration SHORTEST = Duration.ofSeconds(5);
  private static final Duration CLOSE = Duration.ofSeconds(3);

  private final Dialer dialer;
  private final ConnectLoop.Connections connections;
  private final Supplier<LinkSettings> settings;
  private final Backoff backoff;
  private boolean passed;

  StandbyCheck(
      Dialer dialer,
      ConnectLoop.Connections connections,
      Supplier<LinkSettings> settings,
      Backoff backoff) {
    this.dialer = dialer;
    this.connections = connections;
    this.settings = settings;
    this.backoff = backoff;
  }

  /** It stands by anew. */
  void begin() {
    passed = false;
  }

  /** Why it could not; empty if it could. Once it could, nothing is asked again. */
  String problem() throws InterruptedException {
    LinkSettings with = settings.get();
    if (passed || !with.timing().standbyCheck()) {
      return "";
    }
    LinkConnection connection = connections.create(new UnknownTypes(), new Silence(), with);
    try {
      URI peer = PeerUrl.controller(with.peer().url(), with.peer().insecure());
      dialer.dial(peer, connection.socket(), Map.of());
      passed = true;
      connection.close(1000, "", CLOSE);
      return "";
    } catch (IOException e) {
      String text = PeerText.line(e.getMessage());
      return text.isEmpty() ? Failures.describe(e) : text;
    } finally {
      connection.abort("the check is over");
    }
  }

  /** How long to wait before it is tried again. */
  Duration pause() {
    Duration next = backoff.next();
    return next.compareTo(SHORTEST) < 0 ? SHORTEST : next;
  }

  /** Nothing is registered, so nothing that is said here counts. */
  private static final class Silence implements Inbound.Control {
    @Override
    public void registered(Message message) {}

    @Override
    public void registering(Message message) {}

    @Override
    public void error(Message message) {}

    @Override
    public void handedOver(Message message) {}
  }
}
