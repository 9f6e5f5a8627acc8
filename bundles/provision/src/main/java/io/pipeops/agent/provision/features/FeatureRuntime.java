package io.pipeops.agent.provision.features;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import io.pipeops.agent.provision.features.Planner.Present;
import io.pipeops.agent.provision.features.Planner.Wanted;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import java.util.function.Function;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings the features to what should run, and says how they are. All but {@link #list}, {@link
 * #lastPlan} and {@link #settled} is called by the provisioning thread only.
 */
public final class FeatureRuntime {
  /**
   * What a reconciliation has to heed.
   *
   * @param content what lies in the folder
   * @param enabled what the settings say about a feature
   * @param obstacle why a version cannot run, as far as others know; empty if nothing
   * @param limits how long things may take
   */
  public record Request(
      FolderContent content,
      Function<String, Optional<Boolean>> enabled,
      Function<Candidate, String> obstacle,
      Limits limits) {}

  private static final Logger log = LoggerFactory.getLogger(FeatureRuntime.class);

  /** Each round excludes at least one version that failed. */
  private static final int MAX_ROUNDS = 32;

  private static final Duration CHECK_LIMIT = Duration.ofSeconds(2);

  private final String program;
  private final Set<String> base;
  private final BundleStore store;
  private final FeatureHealth health;
  private final SideBySide streams;
  private final PlanRunner runner;
  private final Consumer<String> upgrades;
  private final List<RunningFeature> running = new CopyOnWriteArrayList<>();
  private final Failures failures = new Failures(System::nanoTime);

  private volatile Selection selection = new Selection(Map.of(), Map.of(), Map.of());
  private volatile Map<String, Instant> idleSince = Map.of();
  private volatile List<String> lastPlan = List.of();
  private volatile boolean settled;

  /**
   * Makes a runtime without any feature.
   *
   * @param program which program this is
   * @param base symbolic names of bundles that are never touched
   * @param framework the system bundle's context: bundles that are installed must outlive us
   * @param context our own context, for services
   * @param copies folder for private copies of jars
   * @param upgrades is told the result of every upgrade
   */
  public FeatureRuntime(
      String program,
      Set<String> base,
      BundleContext framework,
      BundleContext context,
      ServiceComponentRuntime components,
      Path copies,
      Consumer<String> upgrades) {
    this.program = program;
    this.base = Set.copyOf(base);
    this.store = new BundleStore(framework, copies);
    this.health = new FeatureHealth(context, components);
    this.streams = new SideBySide(context);
    this.runner = new PlanRunner(store, health, streams, running);
    this.upgrades = upgrades;
  }

  /**
   * Makes what should run run.
   *
   * @param beforehand is given the features that are about to run, before anything is touched
   */
  public void reconcile(Request request, Consumer<Collection<Candidate>> beforehand)
      throws InterruptedException {
    for (int round = 0; round < MAX_ROUNDS; round++) {
      Selection choice = select(request);
      remark(choice);
      Plan plan = Planner.plan(wanted(choice), present());
      if (plan.isEmpty()) {
        break;
      }
      beforehand.accept(choice.chosen().values());
      announce(plan);
      PlanRunner.Outcome outcome = runner.run(plan, choice.chosen(), request.limits());
      outcome.upgraded().forEach(name -> upgrades.accept("success"));
      outcome.failures().values().forEach(this::remember);
      running.forEach(f -> failures.forget(f.candidate));
    }
    settled = true;
  }

  private Selection select(Request request) {
    Map<String, Candidate> present = new HashMap<>();
    for (RunningFeature feature : running) {
      if (!feature.draining()) {
        present.put(feature.name(), feature.candidate);
      }
    }
    return Selection.of(
        new Selection.Input(
            program,
            request.content(),
            present,
            store.installed(),
            base,
            request.enabled(),
            candidate -> {
              String reason = failures.of(candidate, this::alone);
              return reason.isEmpty() ? request.obstacle().apply(candidate) : reason;
            }));
  }

  /** What the choice would lead to from nothing; for looking only. */
  public Plan preview(Request request) {
    return Planner.plan(wanted(select(request)), List.of());
  }

  /** What would not run and why; for looking only. */
  public Map<String, String> complaints(Request request) {
    Selection choice = select(request);
    Map<String, String> all = new LinkedHashMap<>(choice.notes());
    choice
        .idle()
        .forEach(
            (name, idle) -> {
              if (!idle.reason().isEmpty()) {
                all.put(name, idle.reason());
              }
            });
    return all;
  }

  private void announce(Plan plan) {
    List<String> lines = plan.lines();
    lastPlan = lines;
    log.info("Plan with {} steps", lines.size());
    for (int i = 0; i < lines.size(); i++) {
      log.info("Plan {}/{}: {}", i + 1, lines.size(), lines.get(i));
    }
  }

  private void remember(PlanRunner.Failure failure) {
    boolean former = running.stream().anyMatch(f -> f.name().equals(failure.candidate().name()));
    upgrades.accept(former ? "rolled_back" : "failed");
    if (failure.fault() != PlanRunner.Fault.NEED) {
      failures.remember(
          failure.candidate(), failure.fault(), failure.candidate() + ": " + failure.reason());
    }
  }

  /** Says once what is new about features that do not run. */
  private void remark(Selection choice) {
    Map<String, Instant> since = new HashMap<>();
    choice
        .idle()
        .forEach(
            (name, idle) -> {
              boolean known = idle.equals(selection.idle().get(name));
              since.put(name, known ? idleSince.getOrDefault(name, Instant.now()) : Instant.now());
              if (!known && idle.reason().isEmpty()) {
                log.info("Feature switched off feature={}", name);
              } else if (!known && idle.waiting()) {
                log.info("Feature waits for its files feature={}: {}", name, idle.reason());
              } else if (!known) {
                log.error("Feature cannot run feature={}: {}", name, idle.reason());
              }
            });
    choice
        .notes()
        .forEach(
            (name, note) -> {
              if (!note.equals(selection.notes().get(name))) {
                log.warn("Feature stays as it is feature={}: {}", name, note);
              }
            });
    idleSince = Map.copyOf(since);
    selection = choice;
  }

  private static List<Wanted> wanted(Selection choice) {
    return choice.chosen().values().stream()
        .map(c -> new Wanted(c.name(), c.version(), c.contentHash(), c.keys()))
        .toList();
  }

  private List<Present> present() {
    List<Present> present = new ArrayList<>();
    for (RunningFeature feature : running) {
      Set<Bundle> owners = streams.owners(feature.bundles());
      Set<BundleKey> streaming = new HashSet<>();
      for (BundleKey key : feature.keys()) {
        if (owners.contains(store.bundle(key))) {
          streaming.add(key);
        }
      }
      present.add(
          new Present(
              feature.instance,
              feature.name(),
              feature.version(),
              feature.candidate.contentHash(),
              feature.keys(),
              streaming,
              feature.draining()));
    }
    return present;
  }

  /** The features that are installed; what drains comes first, so that others can override it. */
  public List<Candidate> installed() {
    List<Candidate> all = new ArrayList<>();
    running.stream().filter(RunningFeature::draining).forEach(f -> all.add(f.candidate));
    running.stream().filter(f -> !f.draining()).forEach(f -> all.add(f.candidate));
    return all;
  }

  /** Whether a version that failed is worth another try by now. */
  public boolean retryDue() {
    return failures.due(this::alone);
  }

  private boolean alone(String name) {
    return running.stream().noneMatch(f -> f.name().equals(name));
  }

  /** Lets former versions go that have no streams left, or whose time is over. */
  public void retireDrained() throws InterruptedException {
    for (RunningFeature feature : running) {
      if (feature.draining()) {
        long open =
            streams.open(
                feature.keys().stream()
                    .filter(k -> store.only(k, feature.instance))
                    .map(store::bundle)
                    .toList());
        boolean late = System.nanoTime() - feature.drainDeadline >= 0;
        // Twice, because a stream may have been on its way to it when draining began.
        feature.idleLooks = open == 0 ? feature.idleLooks + 1 : 0;
        if (late || feature.idleLooks >= 2) {
          runner.remove(feature);
          log.info(
              "Former version left feature={} version={} streams={}",
              feature.name(),
              feature.version(),
              open);
        }
      }
    }
  }

  /** Looks how the running features are, and says so when that has changed. */
  public void watchHealth() throws InterruptedException {
    for (RunningFeature feature : running) {
      if (!feature.draining()) {
        String reason = health.atRest(feature.bundles());
        reason = reason.isEmpty() ? health.checks(feature.bundles(), CHECK_LIMIT) : reason;
        FeatureState unwell =
            feature.state() == FeatureState.FAILED ? FeatureState.FAILED : FeatureState.DEGRADED;
        FeatureState state = reason.isEmpty() ? FeatureState.ACTIVE : unwell;
        if (state != feature.state() && state == FeatureState.DEGRADED) {
          log.warn("Feature degraded feature={}: {}; it keeps running", feature.name(), reason);
        } else if (state != feature.state()) {
          log.info("Feature well again feature={}", feature.name());
        }
        feature.become(state, reason);
      }
    }
  }

  /** All features as they are now. */
  public List<FeatureStatus> list() {
    return FeatureList.of(running, selection, idleSince, health);
  }

  /** How many features are in a state, without asking any of them. */
  public int count(FeatureState state) {
    int idle = 0;
    Selection choice = selection;
    for (Map.Entry<String, Selection.Idle> each : choice.idle().entrySet()) {
      boolean shown = alone(each.getKey());
      idle += shown && FeatureList.state(each.getValue()) == state ? 1 : 0;
    }
    return idle + (int) running.stream().filter(f -> f.state() == state).count();
  }

  /** The last plan that had something to do, a line for each step. */
  public List<String> lastPlan() {
    return lastPlan;
  }

  /** Whether the first plan has been carried out. */
  public boolean settled() {
    return settled;
  }
}
