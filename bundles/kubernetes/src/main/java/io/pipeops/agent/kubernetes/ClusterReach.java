package io.pipeops.agent.kubernetes;

import io.pipeops.agent.api.feature.Conditions;
import io.pipeops.agent.api.kubernetes.ApiCalls.Answer;
import io.pipeops.agent.api.metrics.Metrics;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.BundleContext;
import org.osgi.framework.FrameworkUtil;
import org.osgi.framework.ServiceRegistration;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.condition.Condition;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows whether the API server answers. Every call of the agent counts; only after two quiet
 * minutes, and quickly again after a failure, it asks by itself. From the first answer on it
 * publishes the condition {@code cluster.reached}.
 */
@Component(
    service = {HealthCheck.class, ClusterReach.class},
    immediate = true,
    property = {"hc.name=kubernetes", "hc.tags=ready"})
public final class ClusterReach implements HealthCheck {
  private static final Logger log = LoggerFactory.getLogger(ClusterReach.class);
  private static final Duration LIMIT = Duration.ofSeconds(5);
  private static final Duration SILENCE = Duration.ofMinutes(2);
  private static final Duration VERSION_AGE = Duration.ofHours(1);
  private static final long LONGEST_PAUSE_MILLIS = 10_000;

  private final BundleContext context;
  private final ClusterAccess access;
  private final Thread thread;
  private ServiceRegistration<Condition> reached;
  private String version = "";
  private boolean answered;
  private boolean closed;
  private String problem = "not asked yet";

  @Activate
  public ClusterReach(
      BundleContext context, @Reference ClusterAccess access, @Reference Metrics metrics) {
    this.context = context;
    this.access = access;
    metrics.gauge(
        "pipeops_agent_kubernetes_reachable",
        "1 if the API server answered the last call of the agent",
        () -> problem().isEmpty() ? 1 : 0);
    thread = Thread.ofVirtual().name("kubernetes-reach").start(this::watch);
  }

  @Deactivate
  void close() {
    ServiceRegistration<Condition> published;
    synchronized (this) {
      closed = true;
      published = reached;
      reached = null;
      notifyAll();
    }
    thread.interrupt();
    if (published != null) {
      published.unregister();
    }
  }

  @Override
  public Result execute() {
    String why = problem();
    return why.isEmpty()
        ? new Result(Result.Status.OK, "API server answers")
        : new Result(Result.Status.CRITICAL, why);
  }

  /** Why the API server cannot be used; empty if it can. */
  String problem() {
    Optional<ApiClient> client = access.client();
    if (client.isEmpty()) {
      return access.problem();
    }
    String failure = client.get().failure();
    synchronized (this) {
      return failure.isEmpty() ? problem : failure;
    }
  }

  /** The server's version, such as {@code v1.34.3}; empty if it is not known within the limit. */
  synchronized String version(Duration limit) throws InterruptedException {
    long end = System.nanoTime() + limit.toNanos();
    while (version.isEmpty() && !closed && end - System.nanoTime() > 0) {
      TimeUnit.NANOSECONDS.timedWait(this, end - System.nanoTime());
    }
    return version;
  }

  private void watch() {
    long pause = 500;
    try {
      while (true) {
        Optional<ApiClient> client = access.awaitClient(Duration.ofSeconds(60));
        if (isClosed()) {
          return;
        }
        if (client.isEmpty()) {
          continue;
        }
        String why = ask(client.get());
        changed(why, client.get());
        if (why.isEmpty()) {
          pause = 500;
          client.get().awaitSilence(SILENCE, VERSION_AGE);
        } else {
          TimeUnit.MILLISECONDS.sleep(pause);
          pause = Math.min(pause * 2, LONGEST_PAUSE_MILLIS);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean isClosed() {
    return closed;
  }

  private String ask(ApiClient client) throws InterruptedException {
    try {
      Answer answer = client.get("/version", "application/json", LIMIT);
      if (answer.status() == 401) {
        return "API server refuses the agent's credentials (401)";
      }
      if (!answer.ok()) {
        return "API server answers " + answer.status() + " to /version";
      }
      String found = Json.text(Json.read(answer.body()), "gitVersion");
      synchronized (this) {
        version = found;
        notifyAll();
      }
      return "";
    } catch (IOException e) {
      return e.getMessage();
    }
  }

  private void changed(String why, ApiClient client) {
    boolean first;
    synchronized (this) {
      if (closed) {
        return;
      }
      first = why.isEmpty() && !answered;
      if (first) {
        answered = true;
        log.info("Kubernetes API server answers version={}", version);
      } else if (why.isEmpty() && !problem.isEmpty()) {
        log.info("Kubernetes API server answers again");
      } else if (!why.isEmpty() && (problem.isEmpty() || !answered && !why.equals(problem))) {
        log.warn("{}; asking again until it answers", why);
      }
      problem = why;
    }
    if (first) {
      ServiceRegistration<Condition> published =
          context.registerService(
              Condition.class,
              Condition.INSTANCE,
              FrameworkUtil.asDictionary(
                  Map.of(Condition.CONDITION_ID, Conditions.CLUSTER_REACHED)));
      synchronized (this) {
        if (!closed) {
          reached = published;
          return;
        }
      }
      published.unregister();
    }
  }
}
