package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.RegisterSuccess;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.function.BooleanSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * When the cluster has to be registered, with which facts, and what comes of it (protocol 1.6,
 * 1.14). What is ordered is guarded by the connect loop's lock and changes are notified on it; the
 * rest belongs to the loop's thread.
 */
final class Registration {
  private static final Logger log = LoggerFactory.getLogger(Registration.class);

  /** A peer that forgets a cluster sooner than this is not asked again at once. */
  private static final Duration SOON = Duration.ofSeconds(10);

  enum Order {
    NONE,
    /** What was registered changed; the cluster stays the same. */
    RENEW,
    /** The peer does not know the cluster. */
    FORGET
  }

  private final Object lock;
  private final Identity identity;
  private final FactCollector facts;
  private final RegisterPayload payload;
  private final StatusBoard board;
  private final Mandate mandate;
  private final BooleanSupplier stopping;

  // Of the loop's thread alone.
  private FactCollector.Answers answers;
  private long at = System.nanoTime() - SOON.toNanos();

  // Under the lock.
  private Order order = Order.NONE;
  private String reason = "";
  private boolean running;
  private boolean doneOnce;
  private boolean factsChanged;

  /**
   * @param lock notified when something is ordered
   */
  Registration(
      Object lock,
      Identity identity,
      FactCollector facts,
      RegisterPayload payload,
      StatusBoard board,
      Mandate mandate,
      BooleanSupplier stopping) {
    this.lock = lock;
    this.identity = identity;
    this.facts = facts;
    this.payload = payload;
    this.board = board;
    this.mandate = mandate;
    this.stopping = stopping;
  }

  /** Asks for another registration; what is under way already is enough. */
  void order(Order wanted, String why) {
    synchronized (lock) {
      boolean more = wanted == Order.FORGET ? order != Order.FORGET : order == Order.NONE;
      if (more && !running) {
        order = wanted;
        reason = why;
        lock.notifyAll();
      }
    }
  }

  /** What is ordered. */
  Order due() {
    synchronized (lock) {
      return order;
    }
  }

  /** Why it is ordered. */
  String reason() {
    synchronized (lock) {
      return reason;
    }
  }

  /** It will be done now. */
  void accept() {
    synchronized (lock) {
      order = Order.NONE;
    }
  }

  /** The connection is one of a cluster that is registered. */
  void valid() {
    synchronized (lock) {
      doneOnce = true;
    }
  }

  /** Whether the last one is so recent that another one should wait. */
  boolean recent() {
    return System.nanoTime() - at < SOON.toNanos();
  }

  /** Asks for the facts ahead of their use. */
  void prepare() {
    if (answers == null) {
      answers = facts.ask();
    }
  }

  /** What the facts say, asked ahead or now. */
  Map<String, Object> known() throws InterruptedException {
    prepare();
    return answers.await();
  }

  /** What was asked ahead is too old. */
  void forgetAnswers() {
    answers = null;
  }

  /** Has the cluster registered again if its token is not the one that was reported. */
  void checkCredentials() {
    try {
      synchronized (lock) {
        factsChanged = true;
        if (!doneOnce || running || stopping.getAsBoolean()) {
          return;
        }
        factsChanged = false;
      }
      String token = RegisterPayload.text(facts.ask().await(), RegisterPayload.TOKEN_FACT);
      if (!token.isEmpty() && !token.equals(identity.state().clusterToken())) {
        order(Order.RENEW, "the cluster token became known");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Registers on a controller connection.
   *
   * @throws IOException if the peer refused, did not answer, or the connection went away
   */
  RegisterSuccess run(LinkConnection connection, Registrar registrar, Succession succession)
      throws IOException, InterruptedException {
    synchronized (lock) {
      running = true;
      order = Order.NONE;
    }
    boolean done = false;
    try {
      Map<String, Object> known = latest();
      identity.refresh(Duration.ofSeconds(1));
      PersistedState before = identity.state();
      long term = mandate.term();
      RegisterSuccess success =
          registrar.register(
              connection,
              payload.build(before, known, connection.localAddress(), mandate.lease(), term));
      succession.registered(Boolean.TRUE.equals(success.extra().get(HandedOver.OFFER)), term);
      identity.registered(
          success.clusterId(),
          success.clusterUuid(),
          success.gatewayWsUrl(),
          RegisterPayload.text(known, RegisterPayload.TOKEN_FACT),
          RegisterPayload.text(known, RegisterPayload.CA_FACT));
      board.identity(identity.state().agentId(), success.clusterId());
      done = true;
      at = System.nanoTime();
      log.info(
          "Registered cluster_id={} agent_id={} gateway={}",
          PeerText.line(success.clusterId()),
          before.agentId(),
          !success.gatewayWsUrl().isEmpty());
      return success;
    } finally {
      ended(done);
    }
  }

  private void ended(boolean done) {
    boolean again;
    synchronized (lock) {
      running = false;
      doneOnce |= done;
      again = doneOnce && factsChanged;
    }
    if (again) {
      Thread.ofVirtual().name("link-facts").start(this::checkCredentials);
    }
  }

  /** The answers that were asked for while dialing, unless there is somebody new to ask. */
  private Map<String, Object> latest() throws InterruptedException {
    FactCollector.Answers asked = answers;
    answers = null;
    synchronized (lock) {
      if (factsChanged) {
        asked = null;
        factsChanged = false;
      }
    }
    return (asked == null ? facts.ask() : asked).await();
  }
}
