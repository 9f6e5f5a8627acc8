package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.link.Registration.Order;
import io.pipeops.agent.protocol.RegisterSuccess;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides what to do next, for as long as the link lives: {@link Route where} to connect, when to
 * {@link Registration register}, {@link Setbacks how long} to wait, and to whom the cluster {@link
 * Succession goes} (protocol 1.5 to 1.8, 1.12 to 1.14, 1.17). One thread, straight code; it has at
 * most one connection, and never gives up.
 */
final class ConnectLoop {
  private static final Logger log = LoggerFactory.getLogger(ConnectLoop.class);

  /** A connection that lasted so long makes the next wait short again. */
  private static final Duration STABLE = Duration.ofSeconds(10);

  /** Waits; replaced in tests. Returns early when the link stops. */
  interface Pause {
    void pause(Duration time) throws InterruptedException;
  }

  /** Makes connection objects, which need more than this class knows. */
  interface Connections {
    LinkConnection create(UnknownTypes unknown, Inbound.Control control, LinkSettings settings);
  }

  private final Supplier<LinkSettings> settings;
  private final Identity identity;
  private final Dialer dialer;
  private final Connections connections;
  private final StatusBoard board;
  private final LinkMetrics metrics;
  private final Mandate mandate;
  private final Standby standby;
  private final Route route;
  private final Registration registration;
  private final Succession succession;
  private final Setbacks setbacks;
  private final Pause pause;
  private final Thread thread;

  /** Whether it was decided where to begin; of the loop's thread alone. */
  private boolean oriented;

  // Shared, under this object's lock.
  private boolean stopping;
  private LinkConnection current;
  private LinkConnection open;

  ConnectLoop(
      Supplier<LinkSettings> settings,
      Identity identity,
      FactCollector facts,
      RegisterPayload payload,
      Dialer dialer,
      Connections connections,
      StatusBoard board,
      LinkMetrics metrics,
      Mandate mandate,
      Backoff backoff,
      Pause pause) {
    this.settings = settings;
    this.identity = identity;
    this.dialer = dialer;
    this.connections = connections;
    this.board = board;
    this.metrics = metrics;
    this.mandate = mandate;
    this.pause = pause == null ? this::pauseUnlessStopping : pause;
    this.route = new Route(settings, identity);
    this.registration =
        new Registration(this, identity, facts, payload, board, mandate, this::isStopping);
    this.succession = new Succession(this, mandate);
    this.setbacks = new Setbacks(board, backoff, this.pause, this::isStopping);
    StandbyCheck check = new StandbyCheck(dialer, connections, settings, backoff);
    this.standby = new Standby(this, this::isStopping, mandate, check, board);
    this.thread = Thread.ofVirtual().name("link-connect").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /** The connection that is connected and registered; null if there is none. */
  synchronized LinkConnection current() {
    return current;
  }

  /** The connection that is open, registered or not; null if there is none. */
  synchronized LinkConnection open() {
    return open;
  }

  /** Asks for a new registration of the same cluster. */
  void renew(String reason) {
    registration.order(Order.RENEW, reason);
  }

  private void forget(String reason) {
    registration.order(Order.FORGET, reason);
  }

  /** Registers again if the cluster token is not the one that was reported. */
  void checkCredentials() {
    registration.checkCredentials();
  }

  /** Ends the connection in good order and the thread with it, within the limit. */
  void stop(Duration limit) {
    LinkConnection last;
    synchronized (this) {
      stopping = true;
      last = open;
      notifyAll();
    }
    try {
      if (last != null) {
        last.close(1001, "the agent is shutting down", limit);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    thread.interrupt();
    try {
      thread.join(Duration.ofSeconds(1));
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    board.state(LinkState.DISCONNECTED, "stopped");
  }

  private void run() {
    try {
      prepare();
      while (!isStopping()) {
        try {
          if (!mandate.leads()) {
            standBy();
          } else {
            if (!oriented) {
              oriented = true;
              orient();
            }
            step();
          }
        } catch (RuntimeException | LinkageError e) {
          log.error("The connection failed in an unexpected way", e);
          setbacks.failed("internal error: " + e);
        }
      }
    } catch (InterruptedException e) {
      log.debug("Stopped");
    }
  }

  private void prepare() throws InterruptedException {
    Thread.ofVirtual().name("link-prepare").start(dialer::prepare);
    registration.prepare();
    board.state(LinkState.CONNECTING, "starting");
    PersistedState state = identity.load(timing().stateWait());
    board.identity(state.agentId(), state.clusterId());
  }

  /** Decides where to begin, from what was remembered and what is known now. */
  private void orient() throws InterruptedException {
    route.toController();
    if (route.remembersGateway()) {
      route.begin(registration.known());
    }
  }

  /** Another replica leads, or none does yet: warm and not connected, until this one leads. */
  private void standBy() throws InterruptedException {
    if (!standby.awaitDecision() || mandate.leads()) {
      return;
    }
    // What another replica registered with is not what this one has: it registers anew.
    oriented = true;
    route.toController();
    registration.forgetAnswers();
    standby.follow();
    setbacks.begin();
    identity.readAgain(Duration.ofSeconds(1));
    board.identity(identity.state().agentId(), identity.state().clusterId());
  }

  /** The lead was given or taken; whoever waits looks again. */
  synchronized void mandateChanged() {
    notifyAll();
  }

  /** Waits until no connection is open that would keep another replica out. */
  synchronized void awaitReleased(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (open != null
        && !succession.relievable()
        && !mandate.leads()
        && end - System.nanoTime() > 0) {
      TimeUnit.NANOSECONDS.timedWait(this, Math.max(1_000_000, end - System.nanoTime()));
    }
  }

  /**
   * Before this process ends: lets another replica take over while this one still serves. Returns
   * when that one has registered, or when there is nobody or no peer for that.
   *
   * @param take how long another replica may take to become the leader
   * @param register how long it may take to register then
   */
  void leave(Duration take, Duration register) throws InterruptedException {
    Leadership lead = mandate.lead();
    LinkConnection serving;
    synchronized (this) {
      serving = current;
      if (lead == null || serving == null || !succession.relievable() || stopping) {
        return;
      }
    }
    succession.handOver(lead, serving::connected, take, register);
  }

  /** The peer has given the cluster to another replica's connection. */
  private void relieved(String reason) {
    synchronized (this) {
      if (!succession.relieve()) {
        return;
      }
      current = null;
    }
    log.info("Another replica serves the cluster now; what is open here ends: {}", reason);
    board.state(LinkState.STANDBY, "another replica serves the cluster");
  }

  /** One connection, from the dial to its end; or one failed attempt and the wait after it. */
  private void step() throws InterruptedException {
    boolean gateway = route.gateway();
    LinkConnection connection = null;
    boolean dialed = false;
    try {
      URI peer = route.peer();
      board.peer(PeerUrl.origin(peer), gateway);
      Registrar registrar = new Registrar(timing(), this::forget, this::relieved);
      connection = connections.create(route.unknown(), registrar, settings.get());
      if (route.mustRegister()) {
        registration.prepare();
      }
      dialer.dial(peer, connection.socket(), mandate.headers());
      dialed = true;
      synchronized (this) {
        succession.connected();
        open = connection;
        if (stopping || !mandate.leads()) {
          return;
        }
      }
      log.debug("Connected peer={} gateway={}", PeerUrl.origin(peer), gateway);
      if (route.mustRegister() && register(connection, registrar)) {
        return;
      }
      serve(connection, registrar, peer);
    } catch (ConfigurationException e) {
      if (gateway) {
        route.toController();
      }
      setbacks.failedForLong(e.getMessage());
    } catch (RefusedException e) {
      refused(e, gateway, dialed);
    } catch (IOException e) {
      String what =
          dialed
              ? "the registration failed: "
              : gateway ? "cannot reach the gateway: " : "cannot reach the control plane: ";
      unreachable(what + message(e));
    } finally {
      synchronized (this) {
        current = null;
      }
      if (connection != null && !isStopping()) {
        connection.abort("the connection was given up");
      }
      synchronized (this) {
        open = null;
        notifyAll();
      }
    }
  }

  private static String message(IOException failure) {
    String text = PeerText.line(failure.getMessage());
    return text.isEmpty() ? Failures.describe(failure) : text;
  }

  /** Registers on a controller connection; true if the gateway is next. */
  private boolean register(LinkConnection connection, Registrar registrar)
      throws IOException, InterruptedException {
    RegisterSuccess success = registration.run(connection, registrar, succession);
    route.registered();
    if (success.gatewayWsUrl().isEmpty()) {
      return false;
    }
    connection.close(1000, "going to the gateway", Duration.ofSeconds(5));
    route.toGateway();
    return true;
  }

  /** The connection works: until it is lost, or something is to be done about it. */
  private void serve(LinkConnection connection, Registrar registrar, URI peer)
      throws IOException, InterruptedException {
    connected(connection, peer);
    long since = System.nanoTime();
    connection.ended().thenRun(this::wake);
    connection.onDetached(this::wake);
    while (true) {
      Order due;
      boolean over;
      synchronized (this) {
        // Without the lead nothing is registered again; a peer that can replace this connection
        // keeps it until it does.
        while (!stopping
            && connection.connected()
            && !connection.detached()
            && (succession.over() ? succession.serves() : registration.due() == Order.NONE)) {
          wait();
        }
        if (stopping) {
          return;
        }
        over = connection.connected() && succession.withdrawn();
        due = connection.connected() ? registration.due() : Order.NONE;
      }
      if (over) {
        log.info("Closing the connection, because another replica may lead");
        connection.close(1001, "another replica leads", Duration.ofSeconds(3));
        return;
      }
      if (connection.detached()) {
        if (due == Order.NONE) {
          takeUp(connection, peer);
          continue;
        }
        // What is to be done needs a connection, and there is no point in waiting for this one.
        connection.abort("the connection is lost: " + connection.lostBecause());
      }
      if (due == Order.NONE) {
        lost(connection.ended().join(), registrar.lastError(), System.nanoTime() - since);
        return;
      }
      if (!again(due, connection, registrar)) {
        return;
      }
      connected(connection, peer);
    }
  }

  /** Goes on with another socket where the last one was cut; or the connection is lost. */
  private void takeUp(LinkConnection connection, URI peer) throws InterruptedException {
    board.state(LinkState.RECONNECTING, "connection lost: " + connection.lostBecause());
    TakeUp attempts =
        new TakeUp(dialer, timing().handshake(), timing().reconnect(), metrics, pause);
    if (attempts.run(
        connection, peer, mandate.headers(), () -> isStopping() || succession.withdrawn())) {
      board.state(LinkState.CONNECTED, "");
    }
  }

  /** Registers again; false if that needs another connection. */
  private boolean again(Order due, LinkConnection connection, Registrar registrar)
      throws IOException, InterruptedException {
    String reason = registration.reason();
    log.info("Registering again reason={}", reason);
    synchronized (this) {
      registration.accept();
      current = null;
    }
    route.registerAgain();
    board.state(LinkState.CONNECTING, "registering again: " + reason);
    if (due == Order.FORGET) {
      forgetCluster();
      if (registration.recent()) {
        // A peer that forgets at once must not make us run in circles.
        setbacks.pause();
      }
    }
    if (route.gateway()) {
      connection.close(1000, "going back to the controller", Duration.ofSeconds(5));
      route.toController();
      return false;
    }
    return !register(connection, registrar);
  }

  private void connected(LinkConnection connection, URI peer) {
    synchronized (this) {
      current = connection;
      registration.valid();
    }
    if (setbacks.overcome()) {
      metrics.reconnections.increment();
    }
    route.arrived();
    board.state(LinkState.CONNECTED, "");
    log.info(
        "Link is up peer={} gateway={} cluster_id={}",
        PeerUrl.origin(peer),
        route.gateway(),
        PeerText.line(identity.state().clusterId()));
  }

  private void lost(String reason, String lastError, long lasted) throws InterruptedException {
    synchronized (this) {
      current = null;
    }
    if (succession.relieved()) {
      log.info("The connection ended after another replica had taken over: {}", reason);
      return;
    }
    if (mandate.leaving()) {
      log.info("The connection ended while the lead was being handed over: {}", reason);
      return;
    }
    if (lasted >= STABLE.toNanos()) {
      setbacks.forget();
    }
    if (RefusedException.alreadyConnected(reason) || RefusedException.alreadyConnected(lastError)) {
      setbacks.standby(
          RefusedException.alreadyConnected(reason) ? reason : lastError, timing().standby());
    } else {
      setbacks.failed("connection lost: " + reason);
    }
  }

  private void refused(RefusedException e, boolean gateway, boolean dialed)
      throws InterruptedException {
    if (e.alreadyConnected()) {
      setbacks.standby(e.getMessage(), timing().standby());
    } else if (e.unauthorized() && gateway) {
      log.warn("The gateway no longer accepts this cluster: {}; registering again", e.getMessage());
      forgetCluster();
      route.toController();
      setbacks.failedOnce("the gateway " + e.getMessage());
    } else if (e.unauthorized()) {
      setbacks.failedForLong(
          "the control plane does not accept the token: "
              + e.getMessage()
              + "; check link.token_file or link.token");
    } else {
      String who = dialed ? "" : gateway ? "the gateway " : "the control plane ";
      unreachable(who + e.getMessage());
    }
  }

  private void unreachable(String reason) throws InterruptedException {
    if (!route.failed(reason)) {
      setbacks.failed(reason);
    }
  }

  private void forgetCluster() {
    identity.clearCluster();
    board.identity(identity.state().agentId(), "");
  }

  private Timing timing() {
    return settings.get().timing();
  }

  private synchronized boolean isStopping() {
    return stopping;
  }

  private synchronized void wake() {
    notifyAll();
  }

  private synchronized void pauseUnlessStopping(Duration time) throws InterruptedException {
    long end = System.nanoTime() + time.toNanos();
    for (long left = time.toNanos(); left > 0 && !stopping; left = end - System.nanoTime()) {
      TimeUnit.NANOSECONDS.timedWait(this, Math.max(1_000_000, left));
    }
  }
}
