package io.pipeops.agent.http;

import io.pipeops.agent.api.feature.Features;
import io.pipeops.agent.http.CheckRun.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.felix.hc.api.HealthCheck;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;

/**
 * Whether the agent does its work: all health checks with the tag {@code ready}, each within two
 * seconds, and the first plan of features carried out. Outcomes are good for a second. Safe for all
 * threads.
 */
@Component(service = Readiness.class)
public final class Readiness {
  private static final Duration LIMIT = Duration.ofSeconds(2);
  private static final Duration FRESH = Duration.ofSeconds(1);

  private final boolean agent;
  private final Duration limit;
  private final Duration fresh;
  private final Map<HealthCheck, CheckRun> checks = new ConcurrentHashMap<>();
  private volatile Features features;

  /** Counts what came and went, so that an older answer is not given for the new set. */
  private final AtomicInteger generation = new AtomicInteger();

  private List<Outcome> outcomes = List.of();
  private long outcomesNanos;
  private int outcomesGeneration = -1;

  @Activate
  public Readiness(BundleContext context) {
    this("agent".equals(context.getProperty("agent.program")), LIMIT, FRESH);
  }

  /**
   * @param agent whether a link is part of the program
   */
  Readiness(boolean agent, Duration limit, Duration fresh) {
    this.agent = agent;
    this.limit = limit;
    this.fresh = fresh;
  }

  @Reference(
      cardinality = ReferenceCardinality.MULTIPLE,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY,
      target = "(hc.tags=ready)")
  void addCheck(HealthCheck check, Map<String, Object> properties) {
    Object name = properties.getOrDefault(HealthCheck.NAME, check.getClass().getSimpleName());
    checks.put(check, new CheckRun(name.toString(), check));
    generation.incrementAndGet();
  }

  void removeCheck(HealthCheck check) {
    checks.remove(check);
    generation.incrementAndGet();
  }

  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void setFeatures(Features service) {
    features = service;
  }

  void unsetFeatures(Features service) {
    if (features == service) {
      features = null;
    }
  }

  /** What all checks say, by name. */
  synchronized List<Outcome> outcomes() {
    int current = generation.get();
    if (current != outcomesGeneration || System.nanoTime() - outcomesNanos >= fresh.toNanos()) {
      outcomes = ask();
      outcomesNanos = System.nanoTime();
      outcomesGeneration = current;
    }
    return outcomes;
  }

  /** What one check says; empty if there is none of that name. */
  Optional<Outcome> outcome(String name) {
    return outcomes().stream().filter(outcome -> outcome.name().equals(name)).findFirst();
  }

  private List<Outcome> ask() {
    List<CheckRun> runs = new ArrayList<>(checks.values());
    List<CompletableFuture<Outcome>> answers = runs.stream().map(CheckRun::start).toList();
    long end = System.nanoTime() + limit.toNanos();
    List<Outcome> found = new ArrayList<>();
    for (int i = 0; i < runs.size(); i++) {
      found.add(await(runs.get(i), answers.get(i), end - System.nanoTime()));
    }
    Features now = features;
    if (now == null || !now.settled()) {
      found.add(new Outcome("features", false, "the features are being started"));
    }
    if (agent && found.stream().noneMatch(outcome -> outcome.name().equals("link"))) {
      found.add(new Outcome("link", false, "the link is not there"));
    }
    found.sort((a, b) -> a.name().compareTo(b.name()));
    return List.copyOf(found);
  }

  private static Outcome await(CheckRun run, CompletableFuture<Outcome> answer, long nanos) {
    try {
      return answer.get(Math.max(nanos, 0), TimeUnit.NANOSECONDS);
    } catch (TimeoutException | ExecutionException e) {
      return run.late();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return run.late();
    }
  }
}
