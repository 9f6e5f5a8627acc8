package io.pipeops.hub.agents;

import io.pipeops.agent.protocol.yamux.WindowBudget;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.eclipse.jetty.util.thread.Scheduler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which agent serves which cluster: one at a time. Safe for all threads. */
public final class AgentSessions implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(AgentSessions.class);

  /** How long the agent that serves a cluster has to answer when another one wants its place. */
  private static final Duration PROBE = Duration.ofSeconds(2);

  /** How long the streams of an agent may last after a newer leader has taken its place. */
  private static final Duration LAST_STREAMS = Duration.ofMinutes(10);

  private final ConcurrentHashMap<String, AgentSession> sessions = new ConcurrentHashMap<>();

  /** Those whose cluster another one serves now, and whose last streams end. */
  private final Set<AgentSession> leaving = ConcurrentHashMap.newKeySet();

  private final ConcurrentHashMap<String, AgentConnection> resumable = new ConcurrentHashMap<>();
  private volatile ResumeLimits resume = ResumeLimits.standard();
  private final AtomicLong queued = new AtomicLong();
  private final AgentLimits limits;
  private final AgentMetrics metrics;
  private final Scheduler scheduler;
  private volatile StreamLimits streamLimits = StreamLimits.standard();
  private volatile WindowBudget streamBudget = new WindowBudget(streamLimits.memory());
  private final RegistrationDesk desk;
  private final SessionWatch watch;

  /**
   * @param scheduler for pings and limits; running, and stopped by its owner
   */
  public AgentSessions(
      ClusterDirectory directory, AgentLimits limits, AgentMetrics metrics, Scheduler scheduler) {
    this(directory, limits, metrics, scheduler, SessionWatch.NONE);
  }

  /**
   * @param scheduler for pings and limits; running, and stopped by its owner
   * @param watch is told of sessions that begin and end
   */
  public AgentSessions(
      ClusterDirectory directory,
      AgentLimits limits,
      AgentMetrics metrics,
      Scheduler scheduler,
      SessionWatch watch) {
    this.watch = watch;
    this.limits = limits;
    this.metrics = metrics;
    this.scheduler = scheduler;
    this.desk = new RegistrationDesk(directory, this, metrics);
    metrics.connected(sessions::size);
    metrics.streams(() -> all().mapToInt(AgentSession::openStreams).sum());
    metrics.sockets(() -> all().mapToInt(AgentSession::openSockets).sum());
    metrics.queued(queued::get);
    metrics.outgoing(
        "control",
        () ->
            sessions.values().stream()
                .mapToLong(s -> s.connection().writer().controlQueued())
                .sum());
    metrics.outgoing(
        "bulk",
        () ->
            sessions.values().stream().mapToLong(s -> s.connection().writer().bulkQueued()).sum());
    metrics.away(() -> (int) resumable.values().stream().filter(AgentConnection::detached).count());
    metrics.memory(() -> streamBudget.used());
    metrics.yamux(
        () -> sessions.values().stream().mapToInt(s -> s.connection().streams().open()).sum());
  }

  private Stream<AgentSession> all() {
    return Stream.concat(sessions.values().stream(), leaving.stream());
  }

  /** The session of a cluster's agent, if one is connected. */
  public Optional<AgentSession> session(String clusterId) {
    return Optional.ofNullable(sessions.get(clusterId));
  }

  /** All sessions, by cluster id. */
  public List<SessionInfo> list() {
    return sessions.values().stream()
        .map(AgentSession::info)
        .sorted(Comparator.comparing(SessionInfo::clusterId))
        .toList();
  }

  /**
   * Closes the connection of a cluster's agent, because the cluster was removed, say. The agent
   * will come back and be judged anew.
   *
   * @return whether there was one
   */
  public boolean disconnect(String clusterId, String reason) {
    List<AgentSession> found =
        all().filter(session -> session.cluster().id().equals(clusterId)).toList();
    found.forEach(session -> session.connection().close(1008, reason));
    return !found.isEmpty();
  }

  /**
   * Closes all connections that were made with a credential, because it was revoked, say.
   *
   * @return how many
   */
  public int disconnectCredential(String credentialId, String reason) {
    int count = 0;
    for (AgentSession session : all().toList()) {
      if (session.connection().credential().id().equals(credentialId)) {
        session.connection().close(1008, reason);
        count++;
      }
    }
    return count;
  }

  /** Closes all connections (1001). */
  @Override
  public void close() {
    for (AgentSession session : all().toList()) {
      session.connection().close(1001, "the hub is stopping");
    }
  }

  /** Sets how lost connections are taken up again; to be called before agents come. */
  public void resume(ResumeLimits next) {
    resume = next;
  }

  ResumeLimits resume() {
    return resume;
  }

  /** A connection that may be taken up again when it is lost. */
  void resumable(AgentConnection connection) {
    resumable.put(connection.resumability().offer().session(), connection);
  }

  void notResumable(AgentConnection connection) {
    resumable.remove(connection.resumability().offer().session(), connection);
  }

  /** The connection that someone wants to take up again, if it is there and theirs. */
  Optional<AgentConnection> resumable(String session, AgentCredential who) {
    return Optional.ofNullable(resumable.get(session)).filter(c -> c.resumes(session, who));
  }

  /** Sets what streams may take; to be called before agents come. */
  public void streamLimits(StreamLimits next) {
    streamLimits = next;
    streamBudget = new WindowBudget(next.memory());
  }

  StreamLimits streamLimits() {
    return streamLimits;
  }

  WindowBudget streamBudget() {
    return streamBudget;
  }

  AgentLimits limits() {
    return limits;
  }

  AgentMetrics metrics() {
    return metrics;
  }

  Scheduler scheduler() {
    return scheduler;
  }

  RegistrationDesk desk() {
    return desk;
  }

  /**
   * Makes a connection the one that serves a cluster. If another one does, it is asked for a sign
   * of life first, and replaced if it gives none: that is how an agent comes back whose old
   * connection broke silently. A newer leader among the agent's replicas takes the place at once,
   * and the older one's streams may end. Blocks for as long as that takes.
   *
   * @param agentId who asks; empty if not known. An agent of another name never replaces one.
   * @param term by which election it leads
   * @return the session, or empty if another agent serves the cluster
   */
  Optional<AgentSession> claim(
      AgentConnection connection, RegisteredCluster cluster, String agentId, LeaderTerm term)
      throws InterruptedException {
    AgentSession fresh = new AgentSession(connection, cluster, limits, metrics, queued);
    LeaderTerm leads = term.term() > 0 ? term : connection.term();
    connection.led(leads);
    fresh.leads(leads);
    AgentSession away = sessions.get(cluster.id());
    if (away != null
        && away.connection() != connection
        && away.connection().detached()
        && follows(away, agentId, leads)) {
      // Whoever waits for it would wait for an agent that no longer leads.
      away.connection().drop("another replica leads now");
    }
    while (true) {
      AgentSession holder = enter(connection, fresh, agentId);
      if (holder == fresh || holder.connection() == connection) {
        holder.leads(leads);
        return Optional.of(holder);
      }
      if (holds(holder, agentId, leads)) {
        return Optional.empty();
      }
    }
  }

  /**
   * Whether another agent than this connection's serves the cluster; blocks like {@link #claim}.
   */
  boolean heldByOther(AgentConnection connection, String clusterId, String agentId, LeaderTerm term)
      throws InterruptedException {
    AgentSession holder = sessions.get(clusterId);
    return holder != null
        && holder.connection() != connection
        && holds(holder, agentId, term.term() > 0 ? term : connection.term());
  }

  /** Whether an agent of this name and term comes in a holder's place as its newer leader. */
  private static boolean follows(AgentSession holder, String agentId, LeaderTerm term) {
    return !stranger(holder, agentId) && term.follows(holder.term());
  }

  private static boolean stranger(AgentSession holder, String agentId) {
    String holderId = holder.info().agentId();
    return !agentId.isEmpty() && !holderId.isEmpty() && !agentId.equals(holderId);
  }

  private boolean holds(AgentSession holder, String agentId, LeaderTerm term)
      throws InterruptedException {
    AgentConnection connection = holder.connection();
    if (!connection.over()) {
      if (follows(holder, agentId, term)) {
        return false;
      }
      if (stranger(holder, agentId) || connection.answers(PROBE)) {
        return true;
      }
      log.info("Agent replaced, it does not answer any more: {}", connection.describe());
      connection.drop("the agent was replaced by a newer connection");
    }
    ended(holder);
    return false;
  }

  /** Puts the session in if there is none; answers the one that is there then. */
  private synchronized AgentSession enter(
      AgentConnection connection, AgentSession fresh, String agentId) {
    AgentSession holder = sessions.get(fresh.cluster().id());
    boolean present = holder != null && !holder.connection().over();
    boolean handedOver =
        present
            && holder.connection() != connection
            && !connection.over()
            && follows(holder, agentId, fresh.term());
    if (present && !handedOver) {
      return holder;
    }
    AgentSession former = connection.session();
    if (former != null) {
      boolean removed = sessions.remove(former.cluster().id(), former);
      former.lost("the agent serves another cluster now");
      if (removed) {
        watch.disconnected(former.cluster(), former.reason());
      }
    }
    // The connection must know its session before anyone can find it and send a request.
    connection.serve(fresh);
    AgentSession replaced = sessions.put(fresh.cluster().id(), fresh);
    if (handedOver) {
      relieve(holder, fresh);
    } else if (replaced != null) {
      watch.disconnected(replaced.cluster(), replaced.reason());
    }
    watch.connected(fresh.cluster(), fresh.info());
    if (connection.over()) {
      ended(fresh);
      fresh.lost("the agent's connection is gone");
    }
    return fresh;
  }

  /** From now on the successor gets every request; what is open at the old one may end. */
  private void relieve(AgentSession old, AgentSession successor) {
    leaving.add(old);
    metrics.handOvers.increment();
    log.info(
        "Cluster handed over to a newer leader: {} streams={}",
        old.connection().describe(),
        old.openStreams());
    // A moment later, so that the word reaches the agent before the end does.
    old.relieve(successor, () -> scheduler.schedule(old::relieved, 1, TimeUnit.SECONDS));
    // It may have been replaced because it stands still: then nothing that is open there ends well.
    old.connection().dropUnlessAlive(limits.dead().dividedBy(3), "the agent's leader stands still");
    awaitQuiet(old);
    scheduler.schedule(old::relieved, LAST_STREAMS.toSeconds(), TimeUnit.SECONDS);
    if (old.connection().over()) {
      ended(old);
    }
  }

  /** Streams, unlike requests, do not tell when the last one ends. */
  private void awaitQuiet(AgentSession old) {
    scheduler.schedule(
        () -> {
          if (old.quiet()) {
            old.relieved();
          } else if (!old.connection().over()) {
            awaitQuiet(old);
          }
        },
        1,
        TimeUnit.SECONDS);
  }

  void ended(AgentSession session) {
    leaving.remove(session);
    if (sessions.remove(session.cluster().id(), session)) {
      watch.disconnected(session.cluster(), session.reason());
    }
  }
}
