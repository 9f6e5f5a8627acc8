package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.kubernetes.StateStore;
import io.pipeops.agent.api.link.LinkHandler;
import io.pipeops.agent.api.link.LinkLostException;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.api.link.Outgoing;
import io.pipeops.agent.api.link.Priority;
import io.pipeops.agent.api.link.RegistrationFact;
import io.pipeops.agent.api.metrics.Metrics;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The link as plain objects: what stays for its whole life, and the loop of the present settings.
 */
final class LinkRuntime {
  private static final Logger log = LoggerFactory.getLogger(LinkRuntime.class);
  private static final Duration FACT_LIMIT = Duration.ofSeconds(2);
  private static final Duration CHANGE_LIMIT = Duration.ofSeconds(3);
  private static final Duration RELEASE_LIMIT = Duration.ofSeconds(4);

  /** A replica that stands by follows the lease; if none takes it now, there is none. */
  private static final Duration TAKE_LIMIT = Duration.ofSeconds(5);

  private final Supplier<List<RegistrationFact>> facts;
  private final Handlers<LinkHandler> handlers = new Handlers<>(LinkHandler.TYPES);
  private final StreamIntake streams;
  private final LinkMetrics metrics;
  private final StatusBoard board;
  private final Mandate mandate = new Mandate();
  private volatile LinkSettings settings;
  private volatile Running running;
  private StateStore store;
  private boolean closed;

  /** What belongs to one set of peer settings. */
  private record Running(ConnectLoop loop, Identity identity, Dialer dialer) {
    void close(Duration limit) {
      loop.stop(limit);
      dialer.close();
      identity.close();
    }
  }

  LinkRuntime(Metrics service, Supplier<List<RegistrationFact>> facts) {
    this.facts = facts;
    // The gauges ask for what is set two lines below, but not before the next scrape.
    this.metrics = new LinkMetrics(service, this::stateCode, this::queued);
    this.streams = new StreamIntake(service);
    this.board = new StatusBoard(metrics::changed);
  }

  private double stateCode() {
    return board.status().state().code();
  }

  private long queued(Priority priority) {
    Running now = running;
    LinkConnection connection = now == null ? null : now.loop.open();
    return connection == null ? 0 : connection.queued(priority);
  }

  /** What streams of the peer meet. */
  StreamIntake streams() {
    return streams;
  }

  Handlers<LinkHandler> handlers() {
    return handlers;
  }

  StatusBoard board() {
    return board;
  }

  /** Takes new settings; the connection stays if they do not concern the peer. */
  synchronized void apply(LinkSettings next) {
    LinkSettings before = settings;
    settings = next;
    if (closed || (running != null && before.peer().equals(next.peer()))) {
      return;
    }
    if (running != null) {
      log.info("Connecting anew because the settings of the peer changed");
      running.close(CHANGE_LIMIT);
      running = null;
    }
    String problem = next.problem();
    if (!problem.isEmpty()) {
      log.warn("Not connecting: {}", problem);
      board.state(LinkState.DISCONNECTED, problem);
      return;
    }
    if (next.peer().tls().skipVerify()) {
      log.warn("The peer's certificate is not checked (link.tls_insecure_skip_verify)");
    }
    if (next.peer().insecure()) {
      log.warn("Clear-text connections are allowed (link.insecure)");
    }
    start(next);
  }

  private void start(LinkSettings now) {
    HostFacts host = new HostFacts(Path.of("/"));
    Identity identity = new Identity(now.peer().agentId(), host::generatedAgentId, this::register);
    FactCollector collector = new FactCollector(facts, FACT_LIMIT, this::checkCredentials);
    Dialer dialer = new JettyDialer(now.peer(), now.timing().handshake());
    ConnectLoop loop =
        new ConnectLoop(
            () -> settings,
            identity,
            collector,
            new RegisterPayload(now.peer(), host, Clock.systemUTC()),
            dialer,
            (unknown, control, with) ->
                new LinkConnection(
                    handlers,
                    streams,
                    unknown,
                    control,
                    metrics,
                    with.timing(),
                    with.limits(),
                    with.resume()),
            board,
            metrics,
            mandate,
            new Backoff(
                now.timing().reconnect(),
                now.timing().reconnectMax(),
                () -> ThreadLocalRandom.current().nextDouble()),
            null);
    running = new Running(loop, identity, dialer);
    if (store != null) {
      identity.attach(store);
    }
    loop.start();
  }

  synchronized void attach(StateStore arrived) {
    store = arrived;
    if (running != null) {
      running.identity.attach(arrived);
    }
  }

  synchronized void detach(StateStore gone) {
    if (store == gone) {
      store = null;
    }
    if (running != null) {
      running.identity.detach(gone);
    }
  }

  /** This replica leads, and is the one to be connected. */
  void lead(Leadership given) {
    mandate.give(given);
    changed();
  }

  /**
   * This replica does not lead any more. Returns when its connection is closed, unless the peer can
   * tell by itself which replica is the one to serve.
   */
  void follow(Leadership gone) {
    if (!mandate.take(gone)) {
      return;
    }
    changed();
    Running now = running;
    if (now != null) {
      try {
        now.loop.awaitReleased(RELEASE_LIMIT);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Another replica is known to lead, or not any more. */
  void standBy(boolean other) {
    mandate.follow(other);
    changed();
  }

  private void changed() {
    Running now = running;
    if (now != null) {
      now.loop.mandateChanged();
    }
  }

  /** Before the process ends: hands over to another replica if that is possible. Blocks. */
  void leave() throws InterruptedException {
    Running now = running;
    LinkSettings with = settings;
    if (now != null && !with.timing().handOver().isZero()) {
      now.loop.leave(TAKE_LIMIT, with.timing().handOver());
    }
  }

  void register(String reason) {
    Running now = running;
    if (now != null) {
      now.loop.renew(reason);
    }
  }

  void checkCredentials() {
    Running now = running;
    if (now != null) {
      now.loop.checkCredentials();
    }
  }

  void deliver(Outgoing message, Duration limit)
      throws LinkLostException, TimeoutException, InterruptedException {
    Running now = running;
    LinkConnection connection = now == null ? null : now.loop.current();
    if (connection == null) {
      throw new LinkLostException("not connected: " + board.status().reason());
    }
    connection.deliver(message, limit);
  }

  /** Ends everything within the limit and a second and a half. */
  void close(Duration limit) {
    Running last;
    synchronized (this) {
      closed = true;
      last = running;
      running = null;
    }
    if (last != null) {
      last.close(limit);
    }
    board.close();
  }
}
