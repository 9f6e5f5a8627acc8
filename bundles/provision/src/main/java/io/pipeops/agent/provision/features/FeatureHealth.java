package io.pipeops.agent.provision.features;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.apache.felix.hc.api.HealthCheck;
import org.apache.felix.hc.api.Result;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.service.component.runtime.ServiceComponentRuntime;
import org.osgi.service.component.runtime.dto.ComponentConfigurationDTO;
import org.osgi.service.component.runtime.dto.ComponentDescriptionDTO;

/**
 * Whether bundles are well: all of them run, none of their components failed, and all their health
 * checks with the tag {@code feature} are content. Safe for all threads.
 */
final class FeatureHealth {
  private static final String CHECKS = "(hc.tags=feature)";

  /** A component that failed may be tried again by SCR at once, if something it needs came. */
  private static final Duration FAILED_FOR_GOOD = Duration.ofSeconds(1);

  private static final Duration CHECK_LIMIT = Duration.ofSeconds(5);
  private static final Duration SHORTEST_CHECK = Duration.ofMillis(200);
  private static final long SHORTEST_PAUSE = 20;
  private static final long LONGEST_PAUSE = 500;

  private final BundleContext context;
  private final ServiceComponentRuntime components;

  FeatureHealth(BundleContext context, ServiceComponentRuntime components) {
    this.context = context;
    this.components = components;
  }

  /**
   * Waits until all is well.
   *
   * @return why it is not; empty as soon as it is
   */
  String await(Collection<Bundle> bundles, Duration limit) throws InterruptedException {
    long start = System.nanoTime();
    long failedSince = 0;
    long pause = SHORTEST_PAUSE;
    while (true) {
      Duration left = limit.minusNanos(System.nanoTime() - start);
      String failure = atRest(bundles);
      String reason = failure;
      if (failure.isEmpty()) {
        failedSince = 0;
        reason = checks(bundles, bounded(left));
        if (reason.isEmpty()) {
          return "";
        }
      } else if (failedSince == 0) {
        failedSince = System.nanoTime();
      } else if (System.nanoTime() - failedSince > FAILED_FOR_GOOD.toNanos()) {
        return failure;
      }
      if (System.nanoTime() - start >= limit.toNanos()) {
        return reason + " (waited " + BoundedCall.seconds(limit) + ")";
      }
      TimeUnit.MILLISECONDS.sleep(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  private static Duration bounded(Duration left) {
    Duration most = left.compareTo(CHECK_LIMIT) < 0 ? left : CHECK_LIMIT;
    return most.compareTo(SHORTEST_CHECK) < 0 ? SHORTEST_CHECK : most;
  }

  /** What is wrong as far as can be told without calling anyone; empty if nothing. */
  String atRest(Collection<Bundle> bundles) {
    for (Bundle bundle : bundles) {
      boolean fragment = bundle.getHeaders().get(Constants.FRAGMENT_HOST) != null;
      if (bundle.getState() != Bundle.ACTIVE && !fragment) {
        return "the bundle " + bundle.getSymbolicName() + " is " + state(bundle);
      }
    }
    try {
      return failedComponent(bundles);
    } catch (IllegalStateException | NullPointerException gone) {
      // SCR stumbles over a bundle that is uninstalled while it is asked.
      return "a bundle is being taken away";
    }
  }

  private String failedComponent(Collection<Bundle> bundles) {
    for (ComponentDescriptionDTO component :
        components.getComponentDescriptionDTOs(bundles.toArray(Bundle[]::new))) {
      for (ComponentConfigurationDTO instance :
          components.getComponentConfigurationDTOs(component)) {
        if (instance.state == ComponentConfigurationDTO.FAILED_ACTIVATION) {
          return "the component " + component.name + " could not be activated" + why(instance);
        }
      }
    }
    return "";
  }

  /** The last cause in SCR's stack trace. */
  private static String why(ComponentConfigurationDTO instance) {
    if (instance.failure == null) {
      return "";
    }
    List<String> lines = instance.failure.lines().toList();
    String found = lines.isEmpty() ? "" : lines.get(0);
    for (String line : lines) {
      if (line.startsWith("Caused by: ")) {
        found = line.substring("Caused by: ".length());
      }
    }
    String shown = found.replaceAll("\\p{Cntrl}", " ");
    return ": " + (shown.length() > 200 ? shown.substring(0, 200) + "…" : shown);
  }

  /** What the health checks complain about; empty if nothing. */
  String checks(Collection<Bundle> bundles, Duration limit) throws InterruptedException {
    Set<Bundle> own = new HashSet<>(bundles);
    for (ServiceReference<HealthCheck> reference : references()) {
      if (own.contains(reference.getBundle())) {
        String reason = check(reference, limit);
        if (!reason.isEmpty()) {
          return reason;
        }
      }
    }
    return "";
  }

  /** Whether nothing is wrong but what the health checks themselves call temporary. */
  boolean waits(Collection<Bundle> bundles) throws InterruptedException {
    if (!atRest(bundles).isEmpty()) {
      return false;
    }
    Set<Bundle> own = new HashSet<>(bundles);
    for (ServiceReference<HealthCheck> reference : references()) {
      if (own.contains(reference.getBundle()) && !waits(reference)) {
        return false;
      }
    }
    return true;
  }

  private boolean waits(ServiceReference<HealthCheck> reference) throws InterruptedException {
    try {
      Result result = BoundedCall.ask("a check", CHECK_LIMIT, () -> execute(reference));
      return result == null
          || result.getStatus() == Result.Status.OK
          || result.getStatus() == Result.Status.TEMPORARILY_UNAVAILABLE;
    } catch (BadFeature failed) {
      return false;
    }
  }

  private List<ServiceReference<HealthCheck>> references() {
    try {
      return new ArrayList<>(context.getServiceReferences(HealthCheck.class, CHECKS));
    } catch (InvalidSyntaxException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private String check(ServiceReference<HealthCheck> reference, Duration limit)
      throws InterruptedException {
    String name = "the health check " + reference.getProperty(HealthCheck.NAME);
    Result result;
    try {
      result = BoundedCall.ask(name, limit, () -> execute(reference));
    } catch (BadFeature failed) {
      return failed.getMessage();
    }
    if (result == null || result.getStatus() == Result.Status.OK) {
      return "";
    }
    StringBuilder text = new StringBuilder(name + " says " + result.getStatus());
    result.forEach(
        entry -> {
          if (entry.getStatus() == result.getStatus() && text.length() < 300) {
            text.append(": ").append(entry.getMessage());
          }
        });
    return text.toString().replaceAll("\\p{Cntrl}", " ");
  }

  private Result execute(ServiceReference<HealthCheck> reference) {
    HealthCheck check = context.getService(reference);
    if (check == null) {
      return null;
    }
    try {
      return check.execute();
    } finally {
      context.ungetService(reference);
    }
  }

  /** A bundle's state as a word. */
  static String state(Bundle bundle) {
    return switch (bundle.getState()) {
      case Bundle.ACTIVE -> "ACTIVE";
      case Bundle.INSTALLED -> "INSTALLED";
      case Bundle.RESOLVED -> "RESOLVED";
      case Bundle.STARTING -> "STARTING";
      case Bundle.STOPPING -> "STOPPING";
      default -> "UNINSTALLED";
    };
  }
}
