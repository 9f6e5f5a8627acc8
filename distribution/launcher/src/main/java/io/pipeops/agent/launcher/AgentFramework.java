package io.pipeops.agent.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Dictionary;
import java.util.HashMap;
import java.util.Hashtable;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.IntConsumer;
import org.apache.felix.cm.PersistenceManager;
import org.apache.felix.framework.FrameworkFactory;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.launch.Framework;
import org.osgi.framework.startlevel.BundleStartLevel;

/**
 * One running framework: the service bundles of the class path, the bundles of the base feature,
 * and the two services by which bundles speak to the launcher. Everything else is brought by {@code
 * provision}.
 */
final class AgentFramework implements AutoCloseable {
  private static final int SERVICE_LEVEL = 5;
  private static final int SAFE_LEVEL = 20;
  private static final int ALL_LEVELS = 100;
  private static final long STOP_MILLIS = 30_000;

  private final Framework framework;
  private final CompletableFuture<Integer> exit = new CompletableFuture<>();

  private AgentFramework(Framework framework) {
    this.framework = framework;
  }

  static AgentFramework start(Options options, Map<String, String> build, Logging logging)
      throws IOException, BundleException {
    SystemPackages system = new SystemPackages();
    Map<String, String> service = system.serviceBundles();
    AgentFramework started =
        new AgentFramework(
            new FrameworkFactory()
                .newFramework(
                    configuration(options, system, build), new LibraryConnector(service)));
    BaseFeature base =
        BaseFeature.read(
            options.home().resolve("features").resolve(options.program().baseFile()),
            options.home().resolve("bundles"));
    try {
      started.boot(service.keySet(), base, logging);
      return started;
    } catch (BundleException | RuntimeException e) {
      started.close();
      throw e;
    }
  }

  private void boot(Iterable<String> serviceBundles, BaseFeature base, Logging logging)
      throws BundleException {
    framework.init();
    BundleContext context = framework.getBundleContext();
    IntConsumer exitService = exit::complete;
    context.registerService(IntConsumer.class, exitService, properties("agent.role", "exit"));
    context.registerService(Consumer.class, logging, properties("agent.role", "logging"));
    context.registerService(
        PersistenceManager.class,
        new MemoryConfigurations(),
        properties(PersistenceManager.PROPERTY_NAME, MemoryConfigurations.NAME));
    for (String location : serviceBundles) {
      start(context.installBundle(location), SERVICE_LEVEL);
    }
    for (BaseFeature.BaseBundle bundle : base.bundles()) {
      start(context.installBundle("reference:" + bundle.jar().toUri()), bundle.startLevel());
    }
    framework.start();
    for (Bundle bundle : context.getBundles()) {
      // A level that is not active yet says nothing of a bundle that cannot resolve; this does.
      if (bundle.getState() == Bundle.INSTALLED) {
        bundle.start(Bundle.START_TRANSIENT);
      }
    }
  }

  private static void start(Bundle bundle, int level) throws BundleException {
    bundle.adapt(BundleStartLevel.class).setStartLevel(level);
    bundle.start();
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // the framework takes its logger as an object
  private static Map<String, String> configuration(
      Options options, SystemPackages system, Map<String, String> build) {
    Map<String, String> map = new HashMap<>(build);
    ((Map) map).put("felix.log.logger", new FelixLog());
    map.put(Constants.FRAMEWORK_STORAGE, options.runDir().resolve("cache").toString());
    map.put(Constants.FRAMEWORK_STORAGE_CLEAN, Constants.FRAMEWORK_STORAGE_CLEAN_ONFIRSTINIT);
    map.put(Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, system.packages());
    map.put(Constants.FRAMEWORK_SYSTEMCAPABILITIES_EXTRA, system.capabilities());
    map.put(
        Constants.FRAMEWORK_BEGINNING_STARTLEVEL,
        String.valueOf(options.mode().equals("run") ? ALL_LEVELS : SAFE_LEVEL));
    // Bundles see the JDK and what they import; nothing by parent delegation.
    map.put(Constants.FRAMEWORK_BOOTDELEGATION, "sun.*,com.sun.*,jdk.*");
    map.put("felix.cm.pm", MemoryConfigurations.NAME);
    map.put("felix.log.level", "2");
    map.put("ds.loglevel", "2");
    // The server starts when `http` has configured it, not on some default port before that.
    map.put("org.apache.felix.http.require.config", "true");
    map.put("agent.home", options.home().toString());
    map.put("agent.program", options.program().id());
    map.put("agent.mode", options.mode());
    map.put("agent.settings.file", options.settings() == null ? "" : options.settings().toString());
    map.put("agent.features.dir", options.features().toString());
    map.put("agent.run.dir", options.runDir().toString());
    map.put("agent.flags", String.join("\n", options.flags()));
    return map;
  }

  private static Dictionary<String, Object> properties(String key, String value) {
    Dictionary<String, Object> dictionary = new Hashtable<>();
    dictionary.put(key, value);
    return dictionary;
  }

  BundleContext context() {
    return framework.getBundleContext();
  }

  Framework framework() {
    return framework;
  }

  /** Ends {@link #awaitExit} with this code. */
  void requestExit(int code) {
    exit.complete(code);
  }

  /** Waits until a bundle or a signal asks for the end. */
  int awaitExit() {
    return exit.join();
  }

  /** Stops level by level, features before the platform, within 30 seconds. */
  @Override
  public void close() {
    try {
      framework.stop();
      framework.waitForStop(STOP_MILLIS);
    } catch (BundleException e) {
      throw new IllegalStateException("The framework does not stop", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  static void deleteCache(Path runDir) throws IOException {
    Path cache = runDir.resolve("cache");
    if (Files.isDirectory(cache)) {
      try (var files = Files.walk(cache)) {
        for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }
}
