package io.pipeops.agent.provision;

import io.pipeops.agent.api.feature.FeatureState;
import io.pipeops.agent.api.feature.FeatureStatus;
import io.pipeops.agent.api.feature.Features;
import io.pipeops.agent.api.kubernetes.PodEvents;
import io.pipeops.agent.api.metrics.Metrics;
import io.pipeops.agent.provision.features.FeatureRuntime;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.startlevel.FrameworkStartLevel;
import org.osgi.service.cm.ConfigurationAdmin;
import org.osgi.service.component.annotations.Activate;
import org.osgi.service.component.annotations.Component;
import org.osgi.service.component.annotations.ConfigurationPolicy;
import org.osgi.service.component.annotations.Deactivate;
import org.osgi.service.component.annotations.Reference;
import org.osgi.service.component.annotations.ReferenceCardinality;
import org.osgi.service.component.annotations.ReferencePolicy;
import org.osgi.service.component.annotations.ReferencePolicyOption;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.metatype.annotations.Designate;

/**
 * Puts the pieces together. It takes its own limits from the settings it reads, not from
 * Configuration Admin, so that nothing rebuilds it.
 */
@Component(
    service = {Features.class, Provision.class},
    immediate = true,
    configurationPid = "io.pipeops.agent.provision",
    configurationPolicy = ConfigurationPolicy.IGNORE)
@Designate(ocd = ProvisionConfig.class)
public final class Provision implements Features {
  private static final int FEATURE_LEVEL = 30;
  private static final List<String> RESULTS = List.of("success", "rolled_back", "failed");

  private final FeatureRuntime features;
  private final Reconciler reconciler;
  private volatile Map<String, Metrics.Counter> upgrades = Map.of();
  private volatile PodEvents events;

  @Activate
  public Provision(
      BundleContext context,
      @Reference ConfigurationAdmin admin,
      @Reference ServiceComponentRuntime components,
      @Reference(target = "(agent.role=exit)") IntConsumer exit) {
    this(
        context,
        admin,
        components,
        exit,
        Environment.of(context::getProperty, System.getenv()),
        Reconciler.Pace.NORMAL);
  }

  Provision(
      BundleContext context,
      ConfigurationAdmin admin,
      ServiceComponentRuntime components,
      IntConsumer exit,
      Environment environment,
      Reconciler.Pace pace) {
    BundleContext framework =
        context.getBundle(Constants.SYSTEM_BUNDLE_LOCATION).getBundleContext();
    FrameworkStartLevel level = framework.getBundle().adapt(FrameworkStartLevel.class);
    Set<String> base = new HashSet<>();
    for (Bundle bundle : framework.getBundles()) {
      base.add(bundle.getSymbolicName());
    }
    features =
        new FeatureRuntime(
            environment.program(),
            base,
            framework,
            context,
            components,
            environment.runDir().resolve("verified"),
            this::upgraded);
    reconciler =
        new Reconciler(
            environment,
            features,
            new ConfigurationWriter(admin),
            base,
            () -> level.getStartLevel() >= FEATURE_LEVEL,
            exit,
            this::refused,
            pace);
    reconciler.start();
  }

  @Deactivate
  void stop() throws InterruptedException {
    reconciler.stop();
  }

  /** The metrics wait for a configuration that comes from here, so they cannot be required. */
  @Reference(cardinality = ReferenceCardinality.OPTIONAL, policy = ReferencePolicy.DYNAMIC)
  void bindMetrics(Metrics metrics) {
    for (FeatureState state : FeatureState.values()) {
      metrics.gauge(
          "pipeops_agent_features",
          "Features by state",
          () -> features.count(state),
          "state",
          state.name().toLowerCase(Locale.ROOT));
    }
    Map<String, Metrics.Counter> counters = new HashMap<>();
    for (String result : RESULTS) {
      counters.put(
          result,
          metrics.counter(
              "pipeops_agent_feature_upgrades_total",
              "Upgrades and first starts of features by result",
              "result",
              result));
    }
    upgrades = Map.copyOf(counters);
  }

  void unbindMetrics(Metrics metrics) {
    upgrades = Map.of();
  }

  /** Where there is a cluster, an operator sees refused settings at the pod. */
  @Reference(
      cardinality = ReferenceCardinality.OPTIONAL,
      policy = ReferencePolicy.DYNAMIC,
      policyOption = ReferencePolicyOption.GREEDY)
  void bindEvents(PodEvents service) {
    events = service;
  }

  void unbindEvents(PodEvents service) {
    if (events == service) {
      events = null;
    }
  }

  private void refused(List<String> problems) {
    PodEvents now = events;
    if (now != null) {
      now.warn(
          "SettingsRefused",
          "The changed settings are refused, the last good ones stay in force: "
              + String.join("; ", problems));
    }
  }

  private void upgraded(String result) {
    Metrics.Counter counter = upgrades.get(result);
    if (counter != null) {
      counter.increment();
    }
  }

  @Override
  public List<FeatureStatus> list() {
    return features.list();
  }

  @Override
  public boolean settled() {
    return features.settled();
  }

  /** The last plan, a line for each step. */
  List<String> lastPlan() {
    return features.lastPlan();
  }

  /** Why the settings as they are written now are not in force; empty if they are. */
  List<String> settingsProblems() {
    return reconciler.problems();
  }
}
