package io.pipeops.agent.provision;

import io.pipeops.agent.provision.features.BundleJar;
import io.pipeops.agent.provision.features.Candidate;
import io.pipeops.agent.provision.features.FeatureFolder;
import io.pipeops.agent.provision.features.FeatureRuntime;
import io.pipeops.agent.provision.features.FolderContent;
import io.pipeops.agent.provision.features.Limits;
import io.pipeops.agent.provision.settings.EffectiveSettings;
import io.pipeops.agent.provision.settings.Evaluation;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one thread that provisions: it looks at the settings file and the features folder, and makes
 * of every change configurations and a plan. What it looks at costs a few system calls a second.
 */
final class Reconciler {
  private static final Logger log = LoggerFactory.getLogger(Reconciler.class);
  private static final int BAD_SETTINGS = 2;
  private static final Duration STOP_LIMIT = Duration.ofSeconds(5);

  /** The agent needs to know where to connect to and as whom; the others do not. */
  private static final List<String> AGENT_NEEDS =
      List.of("link.url", "link.token|link.token_file", "link.cluster_name");

  private final Environment environment;
  private final FeatureRuntime features;
  private final ConfigurationWriter configurations;
  private final Set<String> installed;
  private final BooleanSupplier mayStart;
  private final IntConsumer exit;
  private final Consumer<List<String>> refusal;
  private final Pace pace;
  private final CountDownLatch stop = new CountDownLatch(1);
  private final Thread thread;

  private SettingsWatch settings;
  private FeatureFolder folder;
  private KnownSettings known;
  private ConfigurationPlan plan;
  private FolderContent content = FolderContent.EMPTY;
  private EffectiveSettings effective = EffectiveSettings.none();
  private List<String> withoutEffect = List.of();
  private boolean begun;

  private volatile List<String> problems = List.of();

  /**
   * How often is looked.
   *
   * @param look pause between looks at the settings file; every second one looks at the folder
   * @param health pause between looks at how the features are
   */
  record Pace(Duration look, Duration health) {
    static final Pace NORMAL = new Pace(Duration.ofMillis(500), Duration.ofSeconds(10));
  }

  /**
   * Makes a reconciler that does not run yet.
   *
   * @param installed symbolic names of the base's bundles
   * @param mayStart whether the framework has come to the features' start level
   * @param exit ends the process
   * @param refusal is told, once for each, why changed settings are not in force; returns at once
   */
  Reconciler(
      Environment environment,
      FeatureRuntime features,
      ConfigurationWriter configurations,
      Set<String> installed,
      BooleanSupplier mayStart,
      IntConsumer exit,
      Consumer<List<String>> refusal,
      Pace pace) {
    this.environment = environment;
    this.features = features;
    this.configurations = configurations;
    this.installed = installed;
    this.mayStart = mayStart;
    this.exit = exit;
    this.refusal = refusal;
    this.pace = pace;
    this.thread = Thread.ofPlatform().daemon().name("provision").unstarted(this::run);
  }

  void start() {
    thread.start();
  }

  /** Ends the thread; a plan that is being carried out is left where it is. */
  void stop() throws InterruptedException {
    stop.countDown();
    thread.interrupt();
    thread.join(STOP_LIMIT);
  }

  /** What is wrong with the settings as they are written now; not in force then. */
  List<String> problems() {
    return problems;
  }

  private void run() {
    try {
      if (prepare()) {
        loop();
      }
    } catch (InterruptedException stopped) {
      log.debug("Provisioning ends");
    } catch (RuntimeException broken) {
      log.error("Provisioning failed; the process ends", broken);
      exit.accept(1);
    }
  }

  /** Reads everything for the first time; false if the process ends here. */
  private boolean prepare() {
    Path home = environment.home().resolve("features");
    BaseBundles base = BaseBundles.read(home, environment.bundlesDir());
    base.problems().forEach(p -> log.error("The base is not readable: {}", p));
    known = new KnownSettings(base.jars());
    plan = new ConfigurationPlan(base, installed);
    folder = new FeatureFolder(environment.featuresDir(), environment.bundlesDir());
    settings =
        new SettingsWatch(
            environment.settingsFile(),
            environment.variables(),
            environment.flags(),
            environment.program().equals("agent") ? AGENT_NEEDS : List.of());
    content = folder.read();
    learn();
    Evaluation first = settings.look(known.registry());
    effective = settings.effective(known.registry(), Map.of());
    if (environment.validate()) {
      List<String> trouble = new ArrayList<>(base.problems());
      trouble.addAll(first.problems());
      Validation validation = new Validation(environment, settings.missing(), System.out::println);
      exit.accept(validation.run(trouble, first, content, features, request()) ? 0 : BAD_SETTINGS);
      return false;
    }
    remark(first);
    if (!first.good()) {
      first.problems().forEach(p -> log.error("{}", p));
      log.error(
          "The agent does not start with settings that have {} problems", first.problems().size());
      exit.accept(BAD_SETTINGS);
      return false;
    }
    if (settings.missing()) {
      log.warn(
          "The settings file {} is not there; it takes effect when it is",
          environment.settingsFile());
    }
    configure(features.installed());
    log.info("Effective settings besides the defaults: {}", String.join(" ", effective.masked()));
    return true;
  }

  /** A feature that cannot be read may be the one whose settings look unknown then. */
  private void learn() {
    boolean unclear =
        !content.broken().isEmpty()
            || content.candidates().stream().anyMatch(c -> !c.problem().isEmpty());
    if (unclear) {
      for (Path place : List.of(environment.bundlesDir(), environment.featuresDir())) {
        try (DirectoryStream<Path> jars = Files.newDirectoryStream(place, "*.jar")) {
          for (Path jar : jars) {
            learn(jar);
          }
        } catch (IOException absent) {
          log.debug("No jars in {}", place);
        }
      }
    }
    known.learn(content);
  }

  private void learn(Path jar) {
    try {
      known.add(BundleJar.read(jar));
    } catch (IOException unreadable) {
      log.debug("Not a bundle: {}", jar);
    }
  }

  private void loop() throws InterruptedException {
    long ticks = 0;
    long healthTicks = Math.max(1, pace.health().toMillis() / Math.max(1, pace.look().toMillis()));
    while (!stop.await(begun ? pace.look().toMillis() : 20, TimeUnit.MILLISECONDS)) {
      try {
        ticks++;
        if (!begun) {
          begin();
        } else {
          tick(ticks % 2 == 0, ticks % healthTicks == 0);
        }
      } catch (RuntimeException broken) {
        log.error("Provisioning stumbled; tried again at the next change", broken);
      }
    }
  }

  private void begin() throws InterruptedException {
    if (mayStart.getAsBoolean()) {
      begun = true;
      reconcile();
    }
  }

  private void tick(boolean everySecond, boolean lookAtHealth) throws InterruptedException {
    boolean changed = settings.changed();
    if (everySecond && folder.changed()) {
      content = folder.read();
      learn();
      changed = true;
    }
    if (changed) {
      refresh();
      reconcile();
    } else if (lookAtHealth && features.retryDue()) {
      reconcile();
    }
    if (everySecond) {
      features.retireDrained();
    }
    if (lookAtHealth) {
      features.watchHealth();
    }
  }

  /** Looks at the settings again; bad ones change nothing. */
  private void refresh() {
    Evaluation now = settings.look(known.registry());
    if (now.good()) {
      if (!problems.isEmpty()) {
        log.info("The settings are good again");
      }
      remark(now);
    } else if (!now.problems().equals(problems)) {
      now.problems().forEach(p -> log.error("{}", p));
      log.error("The changed settings are refused; the last good ones stay in force");
      refusal.accept(now.problems());
    }
    problems = now.problems();
  }

  private void remark(Evaluation found) {
    found.warnings().forEach(w -> log.warn("{}", w));
    if (!found.withoutEffect().isEmpty() && !found.withoutEffect().equals(withoutEffect)) {
      log.info(
          "accepted for compatibility, has no effect: {}",
          String.join(", ", found.withoutEffect()));
    }
    withoutEffect = found.withoutEffect();
  }

  private void reconcile() throws InterruptedException {
    effective = settings.effective(known.registry(), Map.of());
    features.reconcile(request(), this::configureBefore);
    configure(features.installed());
  }

  private void configureBefore(Collection<Candidate> coming) {
    List<Candidate> all = new ArrayList<>(features.installed());
    all.addAll(coming);
    configure(all);
  }

  private void configure(Collection<Candidate> there) {
    List<String> changed =
        configurations.apply(
            plan.of(there, defaults -> settings.effective(known.registry(), defaults)));
    if (!changed.isEmpty()) {
      log.info("Configured {}", String.join(", ", changed));
    }
  }

  private FeatureRuntime.Request request() {
    return new FeatureRuntime.Request(content, effective::enabled, known::problem, limits());
  }

  private Limits limits() {
    return new Limits(
        seconds("provision.start_seconds", ProvisionConfig.START),
        seconds("provision.health_seconds", ProvisionConfig.HEALTH),
        seconds("provision.drain_seconds", ProvisionConfig.DRAIN));
  }

  private Duration seconds(String key, int otherwise) {
    Object value = effective.value(key).orElse(otherwise);
    return Duration.ofSeconds(((Number) value).longValue());
  }
}
