package io.pipeops.agent.link;

import io.pipeops.agent.api.kubernetes.Leadership;
import io.pipeops.agent.api.kubernetes.PersistedState;
import io.pipeops.agent.api.link.LinkState;
import io.pipeops.agent.link.LinkSettings.Timing;
import io.pipeops.agent.protocol.HandedOver;
import io.pipeops.agent.protocol.RegisterSuccess;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides what to do next, for as long as the link lives: where to connect, when to register, how
 * long to wait (protocol 1.5 to 1.8, 1.12 to 1.14, 1.17). One thread, straight code; it has at most
 * one connection, and never gives up.
 */
final class ConnectLoop {
  private static final Logger log = LoggerFactory.getLogger(ConnectLoop.class);

  /** Failures in a row after which the state is no longer "reconnecting" (protocol 1.16). */
  private static final int HOPELESS = 10;

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

  private enum Mode {
    CONTROLLER,
    GATEWAY
  }

  private enum Order {
    NONE,
    /** What was registered changed; the cluster stays the same. */
    RENEW,
    /** The peer does not know the cluster. */
    FORGET
  }

  private final Supplier<LinkSettings> settings;
  private final Identity identity;
  private final FactCollector facts;
  private final RegisterPayload payload;
  private final Dialer dialer;
  private final Connections connections;
  private final StatusBoard board;
  private final LinkMetrics metrics;
  private final Mandate mandate;
  private final Standby standby;
  private final Backoff backoff;
  private final Pause pause;
  private final Thread thread;

  // Of the loop's thread alone.
  private Mode mode = Mode.CONTROLLER;
  private boolean mustRegister = true;
  private boolean resuming;
  private boolean everConnected;
  private int failures;
  private int gatewayFailures;
  private long registeredAt = System.nanoTime() - STABLE.toNanos();
  private UnknownTypes unknown = new UnknownTypes();
  private String lastLogged = "";
  private FactCollector.Answers answers;
  private boolean oriented;

  /** Whether the peer said at the last registration that it takes over. */
  private boolean offered;

  // Shared, under this object's lock.
  private Order order = Order.NONE;
  private String orderReason = "";
  private boolean registering;
  private boolean registeredOnce;
  private boolean factsChanged;
  private boolean stopping;
  private LinkConnection current;
  private LinkConnection open;

  /** Whether the peer takes the cluster over from this connection to another replica's. */
  private boolean relievable;

  /** Whether it has done so. */
  private boolean relieved;

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
    this.facts = facts;
    this.payload = payload;
    this.dialer = dialer;
    this.connections = connections;
    this.board = board;
    this.metrics = metrics;
    this.mandate = mandate;
    this.backoff = backoff;
    this.pause = pause == null ? this::pauseUnlessStopping : pause;
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
  synchronized void renew(String reason) {
    if (order == Order.NONE && !registering) {
      order = Order.RENEW;
      orderReason = reason;
      notifyAll();
    }
  }

  private synchronized void forget(String reason) {
    if (order != Order.FORGET && !registering) {
      order = Order.FORGET;
      orderReason = reason;
      notifyAll();
    }
  }

  /** Registers again if the cluster token is not the one that was reported. */
  void checkCredentials() {
    try {
      synchronized (this) {
        factsChanged = true;
        if (!registeredOnce || registering || stopping) {
          return;
        }
        factsChanged = false;
      }
      String token = text(facts.ask().await(), RegisterPayload.TOKEN_FACT);
      if (!token.isEmpty() && !token.equals(identity.state().clusterToken())) {
        renew("the cluster token became known");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
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
          failed("internal error: " + e, backoff.next());
        }
      }
    } catch (InterruptedException e) {
      log.debug("Stopped");
    }
  }

  private void prepare() throws InterruptedException {
    Thread.ofVirtual().name("link-prepare").start(dialer::prepare);
    answers = facts.ask();
    board.state(LinkState.CONNECTING, "starting");
    PersistedState state = identity.load(timing().stateWait());
    board.identity(state.agentId(), state.clusterId());
  }

  /** Decides where to begin, from what was remembered and what is known now. */
  private void orient() throws InterruptedException {
    PersistedState state = identity.state();
    leaveGateway();
    resuming = false;
    if (state.clusterId().isEmpty() || state.gatewayUrl().isEmpty()) {
      return;
    }
    if (answers == null) {
      answers = facts.ask();
    }
    Map<String, Object> known = answers.await();
    if (unchanged(text(known, RegisterPayload.TOKEN_FACT), state.clusterToken())
        && unchanged(text(known, RegisterPayload.CA_FACT), state.clusterCa())) {
      log.info("Resuming at the gateway cluster_id={}", state.clusterId());
      mode = Mode.GATEWAY;
      mustRegister = false;
      resuming = true;
    } else {
      log.info("Registering again because the credentials changed");
    }
  }

  private static boolean unchanged(String now, String before) {
    return now.isEmpty() || now.equals(before);
  }

  private static String text(Map<String, Object> facts, String name) {
    return facts.get(name) instanceof String text ? text : "";
  }

  /** Another replica leads, or none does yet: warm and not connected, until this one leads. */
  private void standBy() throws InterruptedException {
    if (!standby.awaitDecision() || mandate.leads()) {
      return;
    }
    // What another replica registered with is not what this one has: it registers anew.
    oriented = true;
    leaveGateway();
    resuming = false;
    answers = null;
    standby.follow();
    failures = 0;
    lastLogged = "";
    backoff.reset();
    identity.readAgain(Duration.ofSeconds(1));
    board.identity(identity.state().agentId(), identity.state().clusterId());
  }

  /** The lead was given or taken; whoever waits looks again. */
  void mandateChanged() {
    wake();
  }

  /** Waits until no connection is open that would keep another replica out. */
  synchronized void awaitReleased(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (open != null && !relievable && !mandate.leads() && end - System.nanoTime() > 0) {
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
      if (lead == null || serving == null || !relievable || stopping) {
        return;
      }
    }
    mandate.leave();
    log.info("Handing over to another replica");
    if (!lead.handOver(take)) {
      log.info("No other replica takes over");
      return;
    }
    long end = System.nanoTime() + register.toNanos();
    synchronized (this) {
      while (!relieved && serving.connected() && end - System.nanoTime() > 0) {
        TimeUnit.NANOSECONDS.timedWait(this, Math.max(1_000_000, end - System.nanoTime()));
      }
      if (!relieved) {
        log.warn("Another replica leads but has not registered within {} s", register.toSeconds());
      }
    }
  }

  /** The peer has given the cluster to another replica's connection. */
  private void relieved(String reason) {
    synchronized (this) {
      if (relieved) {
        return;
      }
      relieved = true;
      current = null;
      notifyAll();
    }
    log.info("Another replica serves the cluster now; what is open here ends: {}", reason);
    board.state(LinkState.STANDBY, "another replica serves the cluster");
  }

  /** One connection, from the dial to its end; or one failed attempt and the wait after it. */
  private void step() throws InterruptedException {
    boolean gateway = mode == Mode.GATEWAY;
    LinkConnection connection = null;
    boolean dialed = false;
    try {
      URI peer = peer();
      board.peer(PeerUrl.origin(peer), gateway);
      Registrar registrar = new Registrar(timing(), this::forget, this::relieved);
      connection = connections.create(unknown, registrar, settings.get());
      if (!gateway && mustRegister && answers == null) {
        answers = facts.ask();
      }
      dialer.dial(peer, connection.socket(), mandate.headers());
      dialed = true;
      synchronized (this) {
        relieved = false;
        relievable = offered && mandate.term() > 0;
        open = connection;
        if (stopping || !mandate.leads()) {
          return;
        }
      }
      log.debug("Connected peer={} gateway={}", PeerUrl.origin(peer), gateway);
      if (!gateway && mustRegister && register(connection, registrar)) {
        return;
      }
      serve(connection, registrar, peer);
    } catch (ConfigurationException e) {
      if (gateway) {
        leaveGateway();
      }
      failed(e.getMessage(), backoff.longest());
    } catch (RefusedException e) {
      refused(e, gateway, dialed);
    } catch (IOException e) {
      String what =
          dialed
              ? "the registration failed: "
              : gateway ? "cannot reach the gateway: " : "cannot reach the control plane: ";
      unreachable(what + message(e), gateway);
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

  private URI peer() throws ConfigurationException {
    LinkSettings.Peer wanted = settings.get().peer();
    if (mode == Mode.CONTROLLER) {
      return PeerUrl.controller(wanted.url(), wanted.insecure());
    }
    PersistedState state = identity.state();
    String uuid = state.clusterUuid().isEmpty() ? state.clusterId() : state.clusterUuid();
    return PeerUrl.gateway(state.gatewayUrl(), wanted.version(), uuid, wanted.insecure());
  }

  /** Registers on a controller connection; true if the gateway is next. */
  private boolean register(LinkConnection connection, Registrar registrar)
      throws IOException, InterruptedException {
    synchronized (this) {
      registering = true;
      order = Order.NONE;
    }
    try {
      Map<String, Object> known = facts();
      identity.refresh(Duration.ofSeconds(1));
      PersistedState before = identity.state();
      long term = mandate.term();
      RegisterSuccess success =
          registrar.register(
              connection,
              payload.build(before, known, connection.localAddress(), mandate.lease(), term));
      synchronized (this) {
        offered = Boolean.TRUE.equals(success.extra().get(HandedOver.OFFER));
        relievable = offered && term > 0;
      }
      identity.registered(
          success.clusterId(),
          success.clusterUuid(),
          success.gatewayWsUrl(),
          text(known, RegisterPayload.TOKEN_FACT),
          text(known, RegisterPayload.CA_FACT));
      board.identity(identity.state().agentId(), success.clusterId());
      mustRegister = false;
      registeredAt = System.nanoTime();
      log.info(
          "Registered cluster_id={} agent_id={} gateway={}",
          PeerText.line(success.clusterId()),
          before.agentId(),
          !success.gatewayWsUrl().isEmpty());
      if (success.gatewayWsUrl().isEmpty()) {
        return false;
      }
      connection.close(1000, "going to the gateway", Duration.ofSeconds(5));
      mode = Mode.GATEWAY;
      gatewayFailures = 0;
      resuming = false;
      unknown = new UnknownTypes();
      return true;
    } finally {
      boolean again;
      synchronized (this) {
        registering = false;
        registeredOnce |= !mustRegister;
        again = registeredOnce && factsChanged;
      }
      if (again) {
        Thread.ofVirtual().name("link-facts").start(this::checkCredentials);
      }
    }
  }

  /** The answers that were asked for while dialing, unless there is somebody new to ask. */
  private Map<String, Object> facts() throws InterruptedException {
    FactCollector.Answers asked = answers;
    answers = null;
    synchronized (this) {
      if (factsChanged) {
        asked = null;
        factsChanged = false;
      }
    }
    return (asked == null ? facts.ask() : asked).await();
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
      String reason;
      boolean over;
      synchronized (this) {
        // Without the lead nothing is registered again; a peer that can replace this connection
        // keeps it until it does.
        while (!stopping
            && connection.connected()
            && !connection.detached()
            && (relieved || !mandate.leads() ? serves() : order == Order.NONE)) {
          wait();
        }
        if (stopping) {
          return;
        }
        over = connection.connected() && withdrawn();
        due = connection.connected() ? order : Order.NONE;
        reason = orderReason;
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
      if (!again(due, reason, connection, registrar)) {
        return;
      }
      connected(connection, peer);
    }
  }

  /** Whether the connection goes on without the lead. */
  private boolean serves() {
    return relieved || relievable || mandate.leaving();
  }

  /** Goes on with another socket where the last one was cut; or the connection is lost. */
  private void takeUp(LinkConnection connection, URI peer) throws InterruptedException {
    board.state(LinkState.RECONNECTING, "connection lost: " + connection.lostBecause());
    TakeUp attempts =
        new TakeUp(dialer, timing().handshake(), timing().reconnect(), metrics, pause::pause);
    if (attempts.run(connection, peer, mandate.headers(), () -> isStopping() || withdrawn())) {
      board.state(LinkState.CONNECTED, "");
    }
  }

  /** Whether there is neither the lead nor a reason to go on without it. */
  private synchronized boolean withdrawn() {
    return (relieved || !mandate.leads()) && !serves();
  }

  /** Registers again; false if that needs another connection. */
  private boolean again(Order due, String reason, LinkConnection connection, Registrar registrar)
      throws IOException, InterruptedException {
    log.info("Registering again reason={}", reason);
    synchronized (this) {
      order = Order.NONE;
      current = null;
    }
    mustRegister = true;
    board.state(LinkState.CONNECTING, "registering again: " + reason);
    if (due == Order.FORGET) {
      forgetCluster();
      if (System.nanoTime() - registeredAt < STABLE.toNanos()) {
        // A peer that forgets at once must not make us run in circles.
        pause.pause(backoff.next());
      }
    }
    if (mode == Mode.GATEWAY) {
      connection.close(1000, "going back to the controller", Duration.ofSeconds(5));
      leaveGateway();
      return false;
    }
    return !register(connection, registrar);
  }

  private void connected(LinkConnection connection, URI peer) {
    synchronized (this) {
      current = connection;
      registeredOnce = true;
    }
    if (everConnected && failures > 0) {
      metrics.reconnections.increment();
    }
    everConnected = true;
    resuming = false;
    gatewayFailures = 0;
    lastLogged = "";
    board.state(LinkState.CONNECTED, "");
    log.info(
        "Link is up peer={} gateway={} cluster_id={}",
        PeerUrl.origin(peer),
        mode == Mode.GATEWAY,
        PeerText.line(identity.state().clusterId()));
  }

  private void lost(String reason, String lastError, long lasted) throws InterruptedException {
    boolean replaced;
    synchronized (this) {
      current = null;
      replaced = relieved;
    }
    if (replaced) {
      log.info("The connection ended after another replica had taken over: {}", reason);
      return;
    }
    if (mandate.leaving()) {
      log.info("The connection ended while the lead was being handed over: {}", reason);
      return;
    }
    if (lasted >= STABLE.toNanos()) {
      failures = 0;
      backoff.reset();
    }
    if (RefusedException.alreadyConnected(reason) || RefusedException.alreadyConnected(lastError)) {
      standby(RefusedException.alreadyConnected(reason) ? reason : lastError);
    } else {
      failed("connection lost: " + reason, backoff.next());
    }
  }

  private void refused(RefusedException e, boolean gateway, boolean dialed)
      throws InterruptedException {
    if (e.alreadyConnected()) {
      standby(e.getMessage());
    } else if (e.unauthorized() && gateway) {
      log.warn("The gateway no longer accepts this cluster: {}; registering again", e.getMessage());
      forgetCluster();
      leaveGateway();
      if (failures == 0) {
        failures++;
      } else {
        failed("the gateway " + e.getMessage(), backoff.next());
      }
    } else if (e.unauthorized()) {
      failed(
          "the control plane does not accept the token: "
              + e.getMessage()
              + "; check link.token_file or link.token",
          backoff.longest());
    } else {
      String who = dialed ? "" : gateway ? "the gateway " : "the control plane ";
      unreachable(who + e.getMessage(), gateway);
    }
  }

  private void unreachable(String reason, boolean gateway) throws InterruptedException {
    if (gateway && (resuming || ++gatewayFailures >= timing().gatewayAttempts())) {
      leaveGateway();
      if (resuming) {
        resuming = false;
        log.info("Cannot resume: {}; registering", reason);
        return;
      }
    }
    failed(reason, backoff.next());
  }

  private void leaveGateway() {
    mode = Mode.CONTROLLER;
    mustRegister = true;
    gatewayFailures = 0;
    unknown = new UnknownTypes();
  }

  private void forgetCluster() {
    identity.clearCluster();
    board.identity(identity.state().agentId(), "");
  }

  private void standby(String reason) throws InterruptedException {
    failures++;
    if (!lastLogged.equals("standby")) {
      lastLogged = "standby";
      log.info(
          "Another agent holds this identity; standing by and asking every {} s: {}",
          timing().standby().toSeconds(),
          reason);
    }
    board.state(LinkState.STANDBY, "another agent holds this identity: " + reason);
    pause.pause(timing().standby());
  }

  private void failed(String reason, Duration delay) throws InterruptedException {
    if (isStopping()) {
      return;
    }
    failures++;
    LinkState state =
        failures >= HOPELESS
            ? LinkState.DISCONNECTED
            : everConnected ? LinkState.RECONNECTING : LinkState.CONNECTING;
    board.state(state, reason);
    if (reason.equals(lastLogged)) {
      log.debug("Still not connected after {} attempts: {}", failures, reason);
    } else {
      lastLogged = reason;
      log.warn("Not connected: {}; trying again in {} ms", reason, delay.toMillis());
    }
    pause.pause(delay);
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
