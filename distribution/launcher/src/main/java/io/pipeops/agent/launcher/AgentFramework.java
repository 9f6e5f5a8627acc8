package io.pipeops.agent.launcher;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.IntConsumer;
import org.apache.felix.framework.FrameworkFactory;
import org.osgi.framework.Bundle;
import org.osgi.framework.BundleContext;
import org.osgi.framework.BundleException;
import org.osgi.framework.Constants;
import org.osgi.framework.InvalidSyntaxException;
import org.osgi.framework.ServiceReference;
import org.osgi.framework.launch.Framework;
import org.slf4j.LoggerFactory;

/**
 * One running framework with what {@link BaseActivator} brings. Everything else is brought by
 * {@code provision}.
 */
final class AgentFramework implements AutoCloseable {
  private static final int SAFE_LEVEL = 20;
  private static final int ALL_LEVELS = 100;
  private static final long STOP_MILLIS = 30_000;
  private static final long FAREWELL_MILLIS = 25_000;

  private final Framework framework;
  private final CompletableFuture<Integer> exit;

  private AgentFramework(Framework framework, CompletableFuture<Integer> exit) {
    this.framework = framework;
    this.exit = exit;
  }

  static AgentFramework start(Options options, Map<String, String> build, Logging logging)
      throws IOException, BundleException {
    CompletableFuture<Integer> exit = new CompletableFuture<>();
    SystemPackages system = new SystemPackages();
    BaseActivator base = base(options, system, logging, exit::complete);
    AgentFramework started = new AgentFramework(create(options, system, build, base), exit);
    try {
      started.boot(base);
      return started;
    } catch (BundleException | RuntimeException e) {
      started.close();
      throw e;
    }
  }

  /** What fills a framework with these options; {@code exit} is told the code to end with. */
  static BaseActivator base(
      Options options, SystemPackages system, Logging logging, IntConsumer exit)
      throws IOException {
    BaseFeature feature =
        BaseFeature.read(
            options.home().resolve("features").resolve(options.program().baseFile()),
            options.home().resolve("bundles"),
            system.baseBundles().keySet());
    return new BaseActivator(system.serviceBundles().keySet(), feature, logging, exit);
  }

  /**
   * A framework that is not initialized yet.
   *
   * @param properties further framework properties; packages and capabilities add to ours
   */
  static Framework create(
      Options options, SystemPackages system, Map<String, String> properties, BaseActivator base) {
    Map<String, String> connected = new HashMap<>(system.serviceBundles());
    connected.putAll(system.baseBundles());
    return new FrameworkFactory()
        .newFramework(
            configuration(options, system, properties), new LibraryConnector(connected, base));
  }

  private void boot(BaseActivator base) throws BundleException {
    framework.init();
    base.check();
    framework.start();
    for (Bundle bundle : framework.getBundleContext().getBundles()) {
      // A level that is not active yet says nothing of a bundle that cannot resolve; this does.
      if (bundle.getState() == Bundle.INSTALLED) {
        bundle.start(Bundle.START_TRANSIENT);
      }
    }
  }

  @SuppressWarnings({"unchecked", "rawtypes"}) // the framework takes its logger as an object
  private static Map<String, String> configuration(
      Options options, SystemPackages system, Map<String, String> properties) {
    Map<String, String> map = new HashMap<>(properties);
    ((Map) map).put("felix.log.logger", new FelixLog());
    map.putIfAbsent(Constants.FRAMEWORK_STORAGE, options.runDir().resolve("cache").toString());
    map.put(Constants.FRAMEWORK_STORAGE_CLEAN, Constants.FRAMEWORK_STORAGE_CLEAN_ONFIRSTINIT);
    add(map, Constants.FRAMEWORK_SYSTEMPACKAGES_EXTRA, system.packages());
    add(map, Constants.FRAMEWORK_SYSTEMCAPABILITIES_EXTRA, system.capabilities());
    map.put(
        Constants.FRAMEWORK_BEGINNING_STARTLEVEL,
        String.valueOf(options.mode().equals("run") ? ALL_LEVELS : SAFE_LEVEL));
    // Bundles see the JDK and what they import; nothing by parent delegation.
    add(map, Constants.FRAMEWORK_BOOTDELEGATION, "sun.*,com.sun.*,jdk.*");
    // Nobody asks for the URL Handlers service, and it takes the JVM's one URL stream factory.
    map.put("felix.service.urlhandlers", "false");
    map.put("felix.cm.pm", MemoryConfigurations.NAME);
    map.put("felix.log.level", "2");
    map.put("ds.loglevel", "1");
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

  private static void add(Map<String, String> map, String key, String ours) {
    map.merge(key, ours, (theirs, own) -> theirs.isBlank() ? own : own + "," + theirs);
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

  /**
   * Lets bundles say farewell while everything still works, within 25 seconds: services of type
   * {@link Runnable} with {@code agent.role=farewell}.
   */
  private void farewell() throws InterruptedException {
    BundleContext context = framework.getBundleContext();
    if (framework.getState() != Bundle.ACTIVE || context == null) {
      return;
    }
    try {
      for (ServiceReference<Runnable> reference :
          context.getServiceReferences(Runnable.class, "(agent.role=farewell)")) {
        Runnable service = context.getService(reference);
        if (service != null) {
          Thread thread = Thread.ofPlatform().daemon().name("farewell").start(service);
          thread.join(FAREWELL_MILLIS);
        }
      }
    } catch (InvalidSyntaxException | IllegalStateException e) {
      LoggerFactory.getLogger(AgentFramework.class).debug("No farewell: {}", e.toString());
    }
  }

  /** Stops level by level, features before the platform, within 30 seconds. */
  @Override
  public void close() {
    try {
      farewell();
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
