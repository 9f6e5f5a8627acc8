package io.pipeops.agent.launcher;

import java.util.Collection;
import java.util.Dictionary;
import java.util.Hashtable;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.apache.felix.cm.PersistenceManager;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleActivator;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.startlevel.BundleStartLevel;
import org.slf4j.LoggerFactory;

/**
 * Runs while the framework is initialized (OSGi Core R8, 60.4.2): installs the service bundles of
 * the class path and the bundles of the base feature, and registers the services by which bundles
 * speak to the launcher. So whoever starts the framework, {@code main()} or a test container, gets
 * the same one.
 */
final class BaseActivator implements BundleActivator {
  private static final int SERVICE_LEVEL = 5;

  private final List<String> serviceBundles;
  private final BaseFeature feature;
  private final Logging logging;
  private final IntConsumer exit;
  private BundleException failure;

  BaseActivator(
      Collection<String> serviceBundles, BaseFeature feature, Logging logging, IntConsumer exit) {
    this.serviceBundles = List.copyOf(serviceBundles);
    this.feature = feature;
    this.logging = logging;
    this.exit = exit;
  }

  /** Throws nothing, because Felix would print it and carry on. */
  @Override
  public void start(BundleContext context) {
    try {
      fill(context);
    } catch (BundleException e) {
      failure = e;
      LoggerFactory.getLogger(BaseActivator.class).error("No base: {}", e.getMessage());
    }
  }

  @Override
  public void stop(BundleContext context) {}

  /** Throws what went wrong at the start. */
  void check() throws BundleException {
    if (failure != null) {
      throw failure;
    }
  }

  private void fill(BundleContext context) throws BundleException {
    context.registerService(IntConsumer.class, exit, properties("agent.role", "exit"));
    context.registerService(Consumer.class, logging, properties("agent.role", "logging"));
    context.registerService(
        PersistenceManager.class,
        new MemoryConfigurations(),
        properties(PersistenceManager.PROPERTY_NAME, MemoryConfigurations.NAME));
    for (String location : serviceBundles) {
      start(context.installBundle(location), SERVICE_LEVEL);
    }
    for (BaseFeature.BaseBundle bundle : feature.bundles()) {
      start(context.installBundle(bundle.location()), bundle.startLevel());
    }
  }

  private static void start(Bundle bundle, int level) throws BundleException {
    bundle.adapt(BundleStartLevel.class).setStartLevel(level);
    bundle.start();
  }

  private static Dictionary<String, Object> properties(String key, String value) {
    Dictionary<String, Object> dictionary = new Hashtable<>();
    dictionary.put(key, value);
    return dictionary;
  }
}
